import { BulkheadError } from '../../base/errors.ts'
import { openMemberKey, type Signed } from '../../trust/directory.ts'
import type { Desk } from '../desk.ts'
import type { Share } from './api.ts'

/** Keys that passkeys announced, and units' private keys sealed to them. Who reads them verifies; here only what cannot be true is refused. */
export async function keepMemberKey(desk: Desk, { statement, approval }: Signed): Promise<void> {
  openMemberKey({ statement, approval }, desk.trusted)
  const row = { credential_id: approval.credentialId, statement, approval: JSON.stringify(approval) }
  await desk.db
    .insertInto('console.member_key')
    .values(row)
    .onConflict(conflict => conflict.doNothing())
    .execute()
  const kept = await desk.db
    .selectFrom('console.member_key')
    .select('statement')
    .where('credential_id', '=', approval.credentialId)
    .executeTakeFirst()
  // The key follows from the passkey and the genesis: there is no second one.
  if (kept?.statement !== statement) throw new BulkheadError('CONFLICT', 'This passkey announced another key before.')
}

export async function memberKeys(desk: Desk): Promise<Signed[]> {
  const rows = await desk.db.selectFrom('console.member_key').select(['statement', 'approval']).limit(4000).execute()
  return rows.map(({ statement, approval }) => ({ statement, approval }))
}

/**
 * `replace`: only by the owner's own command line. Over a session one that is there stays: it holds the same key whoever sealed it, and a stolen
 * session could shut a member out with noise in its place.
 */
export async function keepShares(desk: Desk, shares: Share[], { replace }: { replace: boolean }): Promise<void> {
  for (const { unit, credential } of shares) {
    if (!desk.trusted.roster.units.some(({ id }) => id === unit))
      throw new BulkheadError('NOT_FOUND', `There is no unit ${unit}.`)
    if (!desk.trusted.passkeys.has(credential))
      throw new BulkheadError('NOT_FOUND', 'The roster does not hold this passkey.')
  }
  const rows = shares.map(({ unit, publicKey, credential, sealed }) => ({
    unit_id: unit,
    public_key: publicKey,
    credential_id: credential,
    sealed: Buffer.from(sealed, 'base64'),
  }))
  await desk.db.transaction().execute(async db => {
    for (const row of replace ? rows : [])
      await db
        .deleteFrom('console.unit_share')
        .where('unit_id', '=', row.unit_id)
        .where('public_key', '=', row.public_key)
        .where('credential_id', '=', row.credential_id)
        .execute()
    await db
      .insertInto('console.unit_share')
      .values(rows)
      .onConflict(conflict => conflict.doNothing())
      .execute()
  })
}

export async function sharesOf(desk: Desk, unit: string): Promise<Share[]> {
  const rows = await desk.db
    .selectFrom('console.unit_share')
    .selectAll()
    .where('unit_id', '=', unit)
    .limit(4000)
    .execute()
  return rows.map(({ unit_id, public_key, credential_id, sealed }) => ({
    unit: unit_id,
    publicKey: public_key,
    credential: credential_id,
    sealed: sealed.toString('base64'),
  }))
}
