import type { KeyPair } from '../../../src/people/keys.ts'
import { memberKeyPair } from '../../../src/people/memberkey.ts'
import { restoreUnitKey } from '../../../src/people/recovery.ts'
import { announceMemberKey, type Making } from '../../../src/people/session.ts'
import { openIndex } from '../../../src/people/tokens.ts'
import { openShare, sealShare } from '../../../src/people/unit.ts'
import { requireOperator, type Unit } from '../../../src/trust/directory.ts'
import type { Trusted } from '../../../src/trust/roster.ts'
import { call, Refusal } from '../api.ts'
import { follow } from '../follow.ts'
import { browserHpke } from '../hpke.ts'
import type { Installation } from '../installation.ts'
import { sign, signAndEvaluate } from '../passkey.ts'
import { type Bytes, fromBase64, fromHex, sha256, toBase64 } from '../statement.ts'
import type { Share } from './api.ts'
import { keepOpened } from './opened.ts'

/** Opens a unit's key with the passkey's PRF, or with recovery shares. What it opens to is held against the roster, never against the server's word. */
export type Me = Installation & { me: string }

/** The roster as it is now, judged here. */
export const trustedNow = async (me: Me): Promise<Trusted> => (await follow(me)).trusted()

export const makingOf = (me: Me): Making => ({
  approve: digest => sign(digest, me, me.me),
  genesisDigest: fromHex(me.genesisDigest),
  now: Math.floor(Date.now() / 1000),
})

export const NO_PRF = {
  what: 'This passkey cannot open the directory: it has no PRF, the part of a passkey that gives a secret of its own.',
  remedy:
    'Open it with the recovery shares, or use a passkey that has one: those of iCloud Keychain, Google Password Manager, Windows Hello and newer security keys (FIDO2 with hmac-secret) do, in a current browser.',
}

type Own = { credential: string; pair: KeyPair }

/** One gesture, whose assertion goes nowhere: it is over random bytes, of a kind of its own. */
async function ownKey(me: Me): Promise<Own> {
  const random = crypto.getRandomValues(new Uint8Array(32))
  const { approval, prf } = await signAndEvaluate(await sha256('bulkhead-unlock/v1\n', random), me, me.me)
  return ownOf(approval.credentialId, prf, me)
}

async function ownOf(credential: string, prf: Bytes | undefined, me: Installation): Promise<Own> {
  if (!prf) throw new Refusal('NO_PRF', NO_PRF.what, NO_PRF.remedy)
  return { credential, pair: await memberKeyPair(prf, fromHex(me.genesisDigest)) }
}

/** Throws Refusal or BulkheadError: NO_PRF, FORBIDDEN for who is no operator there, NOT_FOUND where the key is not sealed to this passkey. */
export async function unlock(me: Me, unitId: string): Promise<void> {
  const unit = await unitFor(me, unitId)
  const { shares } = await call<{ shares: Share[] }>(`/api/units/shares?unit=${unit.id}`)
  const { credential, pair } = await ownKey(me)
  const place = { unit: unit.id, publicKey: unit.publicKey, credential }
  const share = shares.find(one => one.publicKey === unit.publicKey && one.credential === credential)
  if (!share)
    throw new Refusal(
      'NO_SHARE',
      `The key of ${unit.alias} is not sealed to this passkey.`,
      'Open it with the recovery shares once: it is sealed to your passkey then.',
    )
  open(me, unit, await openShare(browserHpke, pair, fromBase64(share.sealed), place, fromHex(me.genesisDigest)))
}

async function unitFor(me: Me, unitId: string): Promise<Unit> {
  const trusted = await trustedNow(me)
  const member = trusted.roster.members.find(({ alias }) => alias === me.me)
  if (!member) throw new Refusal('REFUSED', 'You are no member of this installation any more.', 'Ask an owner.')
  return requireOperator(member, unitId, trusted)
}

function open(me: Me, unit: Unit, key: KeyPair, byPaper = false) {
  const genesisDigest = fromHex(me.genesisDigest)
  keepOpened({ unit, key, genesisDigest, byPaper, index: openIndex(key.privateKey, unit.id, genesisDigest) })
}

const recoveryOf = (me: Installation, { id, alias, publicKey }: Unit) => ({
  installation: me.name,
  unit: id,
  alias,
  publicKey,
  genesisDigest: fromHex(me.genesisDigest),
})

export { recoveryOf }

/** Of shares as they were typed. Where the passkey has a PRF, the key is sealed to it, so that the paper goes back where it was. */
export async function recover(me: Me, unitId: string, shares: string[]): Promise<void> {
  const unit = await unitFor(me, unitId)
  const key = await restoreUnitKey(shares, recoveryOf(me, unit))
  try {
    const own = await ownKey(me)
    await sealTo(me, unit, key, own)
    open(me, unit, key)
  } catch (error) {
    if (!(error instanceof Refusal && error.code === 'NO_PRF')) throw error
    open(me, unit, key, true)
  }
}

/** Announces this passkey's own key, with a gesture, and leaves the unit's key with the server, sealed to it. */
async function sealTo(me: Me, unit: Unit, key: KeyPair, { credential, pair }: Own) {
  const genesisDigest = fromHex(me.genesisDigest)
  const member = me.members.find(({ alias }) => alias === me.me)!
  const announced = await announceMemberKey({ member: member.id, key: toBase64(pair.publicKey) }, makingOf(me))
  const place = { unit: unit.id, publicKey: unit.publicKey, credential }
  const sealed = await sealShare(browserHpke, key.privateKey, pair.publicKey, place, genesisDigest)
  await call('/api/units/member-keys', { body: announced })
  await call('/api/units/shares', { body: { shares: [{ ...place, sealed: toBase64(sealed) }] } })
}

/** Made at set-up, in this page's memory until the first sign-in seals it to the passkey. */
let pending: KeyPair | undefined
export const keepPending = (key: KeyPair) => {
  pending = key
}
export const isKeyPending = () => pending !== undefined

/**
 * After the first sign-in, with what the passkey's PRF said in its gesture; or later, with a gesture of its own. Without PRF only the recovery
 * shares open the unit from then on. Where it fails, the key stays here to try again, and the recovery shares open it in any case.
 */
export async function sealPending(me: Me, said?: { credential: string; prf: Bytes | undefined }): Promise<void> {
  const [unit] = me.units
  const key = pending
  if (!key || !unit || unit.publicKey !== toBase64(key.publicKey)) return
  try {
    await sealTo(me, unit, key, said ? await ownOf(said.credential, said.prf, me) : await ownKey(me))
    open(me, unit, key)
  } catch (error) {
    if (!(error instanceof Refusal && error.code === 'NO_PRF')) throw error
    open(me, unit, key, true)
  }
  pending = undefined
}
