import { readFileSync, writeFileSync } from 'node:fs'
import { BulkheadError } from '../../base/errors.ts'
import type { Share } from '../../console/people/api.ts'
import { type Bytes, fromBase64, toBase64 } from '../../people/bytes.ts'
import type { KeyPair } from '../../people/keys.ts'
import { memberKeyPair, prfSalt, softwarePrf } from '../../people/memberkey.ts'
import { announceMemberKey, type Making, type Signed } from '../../people/session.ts'
import { openShare, type ShareFor, sealShare } from '../../people/unit.ts'
import { requireOperator, type Unit } from '../../trust/directory.ts'
import type { Trusted } from '../../trust/roster.ts'
import { type Args, needed, text } from '../args.ts'
import { type ConsoleClient, consoleClient } from '../client.ts'
import { openRoster } from '../follow.ts'
import { nodeHpke } from '../hpke.ts'
import { approve, loadPasskey, memberOf, type SoftwarePasskey } from '../passkey.ts'

/** A unit that this command may read and write: its key in this process's memory, opened with the passkey. */
export type Unlocked = {
  console: ConsoleClient
  trusted: Trusted
  member: { id: string; alias: string }
  unit: Unit
  key: KeyPair
  making(): Making
}

/** What --unit names, the root where nothing does. Throws NOT_FOUND. */
export function unitOf(args: Args, { roster: { units } }: Trusted): Unit {
  const name = text(args, 'unit')
  const found = name === undefined ? units[0] : units.find(({ id, alias }) => id === name || alias === name)
  if (found) return found
  throw new BulkheadError('NOT_FOUND', `There is no unit ${name ?? ''}.`, {
    remedy: `The roster has: ${units.map(({ alias }) => alias).join(', ')}`,
  })
}

/** Throws REFUSED or FORBIDDEN for who is no operator there, NOT_FOUND where the unit's key is not sealed to this passkey. */
export async function unlock(args: Args): Promise<Unlocked> {
  const file = needed(args, 'passkey')
  const passkey = loadPasskey(file)
  const trusted = await openRoster(args.home)
  const member = memberOf(passkey, trusted)
  const unit = unitOf(args, trusted)
  requireOperator(member, unit.id, trusted)
  const console = consoleClient(args.home)
  const own = await memberKeyOf(passkey, trusted.genesisDigest)
  const place = { unit: unit.id, publicKey: unit.publicKey, credential: passkey.credentialId }
  const { genesisDigest } = trusted
  const making = (): Making => ({
    approve: async digest => approve(passkey, Buffer.from(digest), trusted.roster),
    genesisDigest,
    now: Math.floor(Date.now() / 1000),
  })
  const open = (share: Share) => openShare(nodeHpke, own, fromBase64(share.sealed), place, genesisDigest)
  const stored = await storedShare(console, place)
  if (stored) return { console, trusted, member, unit, key: await open(stored), making }
  const made = sharesBeside(file).find(({ publicKey }) => publicKey === unit.publicKey)
  if (!made) throw noShare(unit)
  const key = await open(made)
  // From now on the server has it, where every client of this member finds it; and others can seal to this passkey.
  const announced = await announceMemberKey({ member: member.id, key: toBase64(own.publicKey) }, making())
  await console.post<unknown>('/api/units/member-keys', announced satisfies Signed)
  await console.post<unknown>('/api/units/shares', { shares: [made] })
  return { console, trusted, member, unit, key, making }
}

const memberKeyOf = (passkey: SoftwarePasskey, genesisDigest: Uint8Array) =>
  memberKeyPair(softwarePrf(passkey.prfSecret, prfSalt(genesisDigest)), genesisDigest)

async function storedShare(console: ConsoleClient, { unit, publicKey, credential }: ShareFor) {
  const { shares } = await console.get<{ shares: Share[] }>(`/api/units/shares?unit=${unit}`)
  return shares.find(share => share.publicKey === publicKey && share.credential === credential)
}

const noShare = ({ alias }: Unit) =>
  new BulkheadError('NOT_FOUND', `The key of ${alias} is not sealed to this passkey.`, {
    remedy:
      'Another operator of the unit lets this one in (bulkhead unit share), or the recovery quorum does (bulkhead unit recover).',
  })

const shareFile = (passkeyFile: string) => `${passkeyFile}.units.json`

/** Units' keys sealed to a passkey in a file, beside it: until the server has them. They open with that passkey alone. */
function sharesBeside(passkeyFile: string): Share[] {
  try {
    return JSON.parse(readFileSync(shareFile(passkeyFile), 'utf8')) as Share[]
  } catch {
    return []
  }
}

export async function writeShareBeside(
  passkeyFile: string,
  key: KeyPair,
  unit: string,
  genesisDigest: Uint8Array,
): Promise<void> {
  const passkey = loadPasskey(passkeyFile)
  const own = await memberKeyOf(passkey, genesisDigest)
  const place = { unit, publicKey: toBase64(key.publicKey), credential: passkey.credentialId }
  const sealed: Bytes = await sealShare(nodeHpke, key.privateKey, own.publicKey, place, genesisDigest)
  const shares = [...sharesBeside(passkeyFile), { ...place, sealed: toBase64(sealed) }]
  writeFileSync(shareFile(passkeyFile), `${JSON.stringify(shares, null, 2)}\n`, { mode: 0o600, flush: true })
}
