import { createHmac } from 'node:crypto'
import { BulkheadError } from '../../base/errors.ts'
import type { Candidate, CheckinFound, ConnectFound } from '../../intake/api.ts'
import type { Voucher } from '../../trust/voucher.ts'
import type { Context } from '../context.ts'
import { type Identity, signatureHolds } from '../identity.ts'

/** How a device proves who it is: a certificate that TLS or a trusted proxy verified, or a signature over the body. */
export type Proof = { path: string; certificate: string | null; signature: string | null; body: Buffer }
export type Identified<Found> = { identity: Identity; found: Found }

/** decode → identify. Throws UNPROVEN for anybody who is not the device of these URLs. */
export async function identify<Found extends CheckinFound | ConnectFound>(
  kind: 'checkin' | 'connect',
  proof: Proof,
  context: Context,
): Promise<Identified<Found>> {
  if (proof.certificate === null && proof.signature === null)
    throw new BulkheadError('UNPROVEN', 'The message proves nobody: Mdm-Signature is missing.')
  const identities = await context.identities.ofPath(proof.path)
  let found = await decode(kind, proof, identities, context)
  let identity = found.device === null ? undefined : identities.get(presented(found, proof))
  if (!identity) {
    // A certificate that was issued a moment ago is not in memory yet.
    const fresh = await context.identities.lookAgain(proof.path, presented(found, proof))
    if (fresh) {
      found = await decode(kind, proof, fresh, context)
      identity = found.device === null ? undefined : fresh.get(presented(found, proof))
    }
  }
  if (!identity) throw unproven('The certificate is not one of this device.', context)
  if (found.signer && !signatureHolds(found.signer, proof.body, identity.key))
    throw unproven('The signature over the message does not hold.', context)
  if (context.clock() >= identity.voucher.notAfter) throw unproven('The certificate has expired.', context)
  await firstUse(identity, context)
  context.writeback.seen(identity.voucher.device)
  return { identity, found: found as Found }
}

const presented = (found: CheckinFound | ConnectFound, proof: Proof) =>
  found.signer?.certificate ?? proof.certificate ?? ''

function decode(kind: 'checkin' | 'connect', proof: Proof, identities: Map<string, Identity>, context: Context) {
  const { roster } = context.trusted
  const sealTo = roster.keys.seal
  const candidates = [...identities].map(([certificate, { voucher }]) => ({
    certificate,
    device: voucher.device,
    sealTo,
    report: reportKeys(voucher, context),
  }))
  const { certificate } = proof
  return context.intake.ask(
    'device',
    { kind, certificate, signature: certificate === null ? proof.signature : null, candidates },
    proof.body,
  )
}

/** Both from what is signed: the unit's key from the roster as it is now, the device's own from its voucher. */
function reportKeys({ unit, release }: Voucher, { trusted }: Context): Candidate['report'] {
  const unitKey = trusted.roster.units.find(({ id }) => id === unit)?.publicKey
  if (release === undefined || unitKey === undefined) return null
  return { unit, unitKey, releaseKey: release, genesis: trusted.genesisDigest.toString('hex') }
}

/** Once the new certificate was used, the one before is no longer accepted. */
async function firstUse(identity: Identity, context: Context) {
  const { voucher } = identity
  if (identity.used) return
  if (voucher.previous !== '') {
    await context.store.supersede(voucher.previous, voucher.device)
    await context.identities.ofPath(voucher.path, true) // keeps this identity, and that it was used
  }
  identity.used = true
}

/** An error, and a trace of it. */
export function unproven(message: string, context: Context): BulkheadError {
  context.trace('identity-refused')
  return new BulkheadError('UNPROVEN', message)
}

/** The user channel's name: a keyed hash, so the table holds no user. '' is the device's own channel. */
export function channelOf(user: string | null, device: string, context: Context): string {
  if (user === null) return ''
  return createHmac('sha256', context.channelKey).update(`${device}\n${user}`).digest('hex').slice(0, 32)
}

export const unseal = (text: string | null): Buffer | null => (text === null ? null : Buffer.from(text, 'base64'))
