import { BulkheadError } from '../base/errors.ts'
import { canonical } from '../trust/canonical.ts'
import { type Bytes, fromBase64, toBase64, toHex } from './bytes.ts'
import { sha256 } from './hash.ts'
import { type Kind, type Place, sessionBytes } from './place.ts'

/**
 * One gesture with a passkey signs a statement that names a session's key; that key then signs each record and each request. It cannot be taken
 * out of the client, so a cookie, or a copy of what the server holds, is worth nothing.
 */
export type Approval = { credentialId: string; clientDataJSON: string; authenticatorData: string; signature: string }
export type Signed = { statement: string; approval: Approval }
/** A passkey's assertion whose challenge is this digest. */
export type Approve = (digest: Bytes) => Promise<Approval>
/** Ed25519. `publicKey`: 32 raw bytes in base64. */
export type SessionKey = { publicKey: string; sign(bytes: Bytes): Promise<Bytes> }
export type Purpose = 'support' | 'handover' | 'inventory' | 'incident' | 'leaver' | 'indexing' | 'resealing'
/** Who signs, where, and when: seconds since 1970. */
export type Making = { approve: Approve; genesisDigest: Uint8Array; now: number }
export type Ref = { kind: Kind; id: string }

const CLOCK = 60 // a statement begins as long ago as clocks may differ
const HOUR = 3600
export const LONGEST = 8 * HOUR

/** A key that WebCrypto keeps: it signs and is never seen. */
export async function makeSessionKey(): Promise<SessionKey> {
  const pair = await crypto.subtle.generateKey('Ed25519', false, ['sign', 'verify'])
  const { privateKey, publicKey } = pair as { privateKey: CryptoKey; publicKey: CryptoKey }
  return {
    publicKey: toBase64(new Uint8Array(await crypto.subtle.exportKey('raw', publicKey))),
    sign: async bytes => new Uint8Array(await crypto.subtle.sign('Ed25519', privateKey, bytes)),
  }
}

/** What a passkey signs of a statement, as src/trust/statement.ts says. */
export const approvedDigest = (text: string, genesisDigest: Uint8Array): Bytes =>
  sha256(`${(JSON.parse(text) as { type: string }).type}\n`, genesisDigest, text)

async function make(said: object, { approve, genesisDigest }: Making): Promise<Signed> {
  const statement = canonical(said)
  return { statement, approval: await approve(approvedDigest(statement, genesisDigest)) }
}
const lasting = (now: number, seconds: number) => ({ notBefore: now - CLOCK, expiresAt: now - CLOCK + seconds })

export type WriterSession = { id: string; unit: string; writer: Signed; key: SessionKey }
/** To write records of one unit. A feeder's key is its own, and `seconds` up to 400 days. */
export async function openWriterSession(
  what: { unit: string; key?: SessionKey; seconds?: number; feeder?: boolean },
  making: Making,
): Promise<WriterSession> {
  const { unit, seconds = LONGEST, feeder = false } = what
  const [id, key] = [crypto.randomUUID(), what.key ?? (await makeSessionKey())]
  const said = { type: 'bulkhead-writer/v1', id, unit, key: key.publicKey, ...lasting(making.now, seconds), feeder }
  return { id, unit, writer: await make(said, making), key }
}

export type GrantSession = { id: string; unit: string; most: number; grant: Signed; key: SessionKey; serial: number }
/** To be shown at most `most` people of one unit, for one purpose. */
export async function openGrantSession(
  what: { unit: string; most: number; purpose: Purpose; key?: SessionKey; seconds?: number },
  making: Making,
): Promise<GrantSession> {
  const { unit, most, purpose, seconds = LONGEST } = what
  const [id, key] = [crypto.randomUUID(), what.key ?? (await makeSessionKey())]
  const said = {
    type: 'bulkhead-grant/v1',
    id,
    unit,
    key: key.publicKey,
    ...lasting(making.now, seconds),
    most,
    purpose,
  }
  return { id, unit, most, grant: await make(said, making), key, serial: 0 }
}

export function makeErasure(what: { unit: string; records: Ref[] }, making: Making): Promise<Signed> {
  const records = what.records.map(({ kind, id }) => ({ kind, id }))
  const said = { type: 'bulkhead-erasure/v1', id: crypto.randomUUID(), unit: what.unit, records }
  return make({ ...said, ...lasting(making.now, HOUR) }, making)
}

/** Says that a member's passkey has this HPKE key (base64). */
export const announceMemberKey = (what: { member: string; key: string }, making: Making): Promise<Signed> =>
  make({ type: 'bulkhead-member-key/v1', member: what.member, key: what.key }, making)

/** The next request of a grant. `shown`: whether a page shows what comes. Its serial only grows, so nothing is asked twice. */
export async function requestRelease(
  session: GrantSession,
  records: (Ref & { version: number })[],
  { now, shown, genesisDigest }: { now: number; shown: boolean; genesisDigest: Uint8Array },
): Promise<{ grant: Signed; request: string; signature: string }> {
  const type = 'bulkhead-release-request/v1'
  const asked = records.map(({ kind, id, version }) => ({ kind, id, version }))
  const said = { type, grant: session.id, serial: ++session.serial, at: now, records: asked, shown }
  const request = canonical(said)
  const signature = toBase64(await session.key.sign(sessionBytes(request, type, genesisDigest)))
  return { grant: session.grant, request, signature }
}

export type SignedRecord = { statement: string; signature: string }
/** One version of one record, by its inner half: the outer one may be wrapped again. */
export async function signRecord(
  session: WriterSession,
  record: Place & { alias: string; inner: Bytes },
  genesisDigest: Uint8Array,
): Promise<SignedRecord> {
  const { kind, id, unit, version, alias, inner } = record
  const type = 'bulkhead-record/v1'
  const body = toHex(sha256(inner))
  const statement = canonical({ type, kind, id, unit, version, alias, body, writer: session.id })
  return { statement, signature: toBase64(await session.key.sign(sessionBytes(statement, type, genesisDigest))) }
}

/** Throws UNPROVEN. `key`: 32 raw bytes of Ed25519 in base64, or its SubjectPublicKeyInfo as the roster has the vault's. */
export async function requireSignature(
  key: string,
  { statement, signature }: SignedRecord,
  type: string,
  genesisDigest: Uint8Array,
): Promise<void> {
  try {
    const raw = fromBase64(key)
    const form = raw.length === 32 ? 'raw' : 'spki'
    const known = await crypto.subtle.importKey(form, raw, 'Ed25519', false, ['verify'])
    const bytes = sessionBytes(statement, type, genesisDigest)
    if (await crypto.subtle.verify('Ed25519', known, fromBase64(signature), bytes)) return
  } catch {}
  throw new BulkheadError('UNPROVEN', 'It is not signed by the key that it should be.')
}
