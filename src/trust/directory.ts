import { verify } from 'node:crypto'
import { BulkheadError } from '../base/errors.ts'
import { publicKeyObject } from '../wire/tlog/note.ts'
import { type Approval, verifyApproval } from './approval.ts'
import { canonical } from './canonical.ts'
import type { Member, Roster, Trusted } from './roster.ts'
import { alias, base64, type Check, digest, flag, listOf, object, oneOf, time, uuid, whole } from './shape.ts'
import { decodeStatement, type StatementType, statementDigest } from './statement.ts'

/**
 * Statements of the sealed directory. A member's passkey signs a writer or a grant, which names a session key (Ed25519); that key, which never leaves
 * the client, signs each record and each request. So a cookie is worth nothing, and one gesture serves for an import of thousands.
 */
export const KINDS = ['person', 'device', 'text'] as const
export type Kind = (typeof KINDS)[number]
export const PURPOSES = ['support', 'handover', 'inventory', 'incident', 'leaver', 'indexing', 'resealing'] as const

const HOUR = 3600
export const LONGEST_SESSION = 8 * HOUR
export const LONGEST_FEEDER = 400 * 24 * HOUR
/** People whose data one member may be shown of one unit, where the roster says nothing else. */
export const RELEASE_BUDGETS = [
  { people: 50, seconds: HOUR },
  { people: 200, seconds: 24 * HOUR },
]
/** In one call. */
export const MOST_RECORDS = 1000
export const MOST_RELEASED = 100
export const MOST_ERASED = 500
export const MOST_SEALED = 64 * 1024 // bytes of one record

const session = { id: uuid, unit: uuid, key: base64 /* Ed25519, 32 raw bytes */, notBefore: time, expiresAt: time }
const writerShape = object({ type: oneOf('bulkhead-writer/v1'), ...session, feeder: flag }) // a feeder writes for long, reads nothing and knows no search token
const grantShape = object({
  type: oneOf('bulkhead-grant/v1'),
  ...session,
  most: whole(1, 1000), // people
  purpose: oneOf(...PURPOSES),
})
const erasureShape = object({
  type: oneOf('bulkhead-erasure/v1'),
  id: uuid,
  unit: uuid,
  records: listOf(object({ kind: oneOf(...KINDS), id: uuid }), MOST_ERASED),
  notBefore: time,
  expiresAt: time,
})
/** A passkey's own HPKE key (X25519, raw), derived from its PRF, which only it can announce: units' keys are sealed to it. */
const memberKeyShape = object({ type: oneOf('bulkhead-member-key/v1'), member: uuid, key: base64 })

export type Writer = ReturnType<typeof writerShape>
export type Grant = ReturnType<typeof grantShape>
export type Erasure = ReturnType<typeof erasureShape>
export type MemberKey = ReturnType<typeof memberKeyShape>
/** A statement as it travels. */
export type Signed = { statement: string; approval: Approval }
export type Unit = Roster['units'][number]

/** One version of one record, as its writer signs it. `body`: SHA-256 of the inner half, which is what a reader is
 * given, and what stays when the outer half is wrapped again; `alias`: two words, which mean nothing. */
export const recordShape = object({
  type: oneOf('bulkhead-record/v1'),
  kind: oneOf(...KINDS),
  id: uuid,
  unit: uuid,
  version: whole(1, 1_000_000_000),
  alias,
  body: digest,
  writer: uuid,
})
/** Whose device it is from now on; without a person, nobody's. */
export const assignmentShape = object(
  {
    type: oneOf('bulkhead-assignment/v1'),
    device: uuid,
    version: whole(1, 1_000_000_000),
    unit: uuid,
    writer: uuid,
  },
  { person: uuid },
)
/** What is to be released, by the grant's own key. `serial` only grows within a grant, so nothing is asked twice; `shown`: whether a page shows it. */
export const requestShape = object({
  type: oneOf('bulkhead-release-request/v1'),
  grant: uuid,
  serial: whole(1, Number.MAX_SAFE_INTEGER),
  at: time,
  records: listOf(object({ kind: oneOf(...KINDS), id: uuid, version: whole(1, 1_000_000_000) }), MOST_RELEASED),
  shown: flag,
})
/** The vault's word on outer keys: X25519, raw. */
export const releaseKeysShape = object({
  type: oneOf('bulkhead-release-keys/v1'),
  at: time,
  keys: listOf(object({ kind: oneOf(...KINDS), id: uuid, key: base64 }), MOST_RECORDS),
})
/**
 * The vault's word on a request, by the digest of its text: what it opened, in the request's order. `ok` says that this version is the current one, so
 * nobody in between shows an older one that was opened before.
 */
export const STATES = ['ok', 'stale', 'unknown'] as const
export const openedShape = object({
  type: oneOf('bulkhead-opened/v1'),
  request: digest,
  states: listOf(oneOf(...STATES), MOST_RELEASED),
})
export type DirectoryRecord = ReturnType<typeof recordShape>
/** Search tokens for records that were written without the unit's key. */
export const tokensShape = object({
  type: oneOf('bulkhead-tokens/v1'),
  writer: uuid,
  records: listOf(
    object({
      kind: oneOf(...KINDS),
      id: uuid,
      version: whole(1, 1_000_000_000),
      tokens: listOf(whole(0, 0x7fffffff), 200),
    }),
    MOST_RECORDS,
  ),
})
export type Assignment = ReturnType<typeof assignmentShape>
export type ReleaseRequest = ReturnType<typeof requestShape>
export type Opened = ReturnType<typeof openedShape>
export type ReleaseKeys = ReturnType<typeof releaseKeysShape>

/** What a member approves. */
export const directoryDigest = (type: StatementType, statement: string, trusted: Trusted): Buffer =>
  statementDigest(type, trusted.genesisDigest, statement)

/** The member behind a writer, and what it may write. Throws UNPROVEN, FORBIDDEN or EXPIRED. `now` in seconds, as everywhere here. */
export const openWriter = (signed: Signed, now: number, trusted: Trusted) =>
  openSession(signed, 'bulkhead-writer/v1', writerShape, ({ feeder }) => (feeder ? LONGEST_FEEDER : LONGEST_SESSION), {
    now,
    trusted,
  })
/** Who wrote something at some time: the writer may have ended since. Throws UNPROVEN or FORBIDDEN. */
export const openWriterAt = (signed: Signed, trusted: Trusted) =>
  openWriter(signed, decodeStatement(signed.statement, writerShape, 'writer').notBefore, trusted)
export const openGrant = (signed: Signed, now: number, trusted: Trusted) =>
  openSession(signed, 'bulkhead-grant/v1', grantShape, () => LONGEST_SESSION, { now, trusted })
export const openErasure = (signed: Signed, now: number, trusted: Trusted) =>
  openSession(signed, 'bulkhead-erasure/v1', erasureShape, () => LONGEST_SESSION, { now, trusted })

/** The one who may have a unit's key sealed to this key. Throws UNPROVEN where another passkey announces it. */
export function openMemberKey({ statement, approval }: Signed, trusted: Trusted) {
  const said = decodeStatement(statement, memberKeyShape, 'member key')
  const member = verifyApproval(approval, directoryDigest('bulkhead-member-key/v1', statement, trusted), trusted)
  if (member.id !== said.member) throw new BulkheadError('UNPROVEN', 'The key is announced by another member.')
  return { member, credential: approval.credentialId, key: said.key }
}

type Session = { unit: string; notBefore: number; expiresAt: number }
type Moment = { now: number; trusted: Trusted }
function openSession<T extends Session>(
  { statement, approval }: Signed,
  type: StatementType,
  shape: Check<T>,
  longest: (said: T) => number,
  { now, trusted }: Moment,
): { member: Member; said: T } {
  const said = decodeStatement(statement, shape, type)
  const member = verifyApproval(approval, directoryDigest(type, statement, trusted), trusted)
  requireOperator(member, said.unit, trusted)
  if (said.expiresAt - said.notBefore > longest(said))
    throw new BulkheadError('REFUSED', `It would hold for longer than ${longest(said) / HOUR} hours.`)
  if (now < said.notBefore - CLOCKS_DIFFER || now >= said.expiresAt)
    throw new BulkheadError('EXPIRED', 'It does not hold now.', { remedy: 'Sign a new one.' })
  return { member, said }
}
const CLOCKS_DIFFER = 60 // seconds

/** Operators of a unit are those that the roster names there; in a unit that names none, all who have the role. Throws FORBIDDEN. */
export function requireOperator(member: Member, unitId: string, { roster }: Trusted): Unit {
  const unit = roster.units.find(({ id }) => id === unitId)
  if (!unit) throw new BulkheadError('UNPROVEN', 'It names a unit that the roster does not hold.')
  const named = unit.operators === undefined || unit.operators.includes(member.id)
  if (named && member.roles.includes('operator')) return unit
  throw new BulkheadError('FORBIDDEN', `${member.alias} is no operator of ${unit.alias}.`, {
    remedy: 'An owner makes them one: bulkhead roster propose',
  })
}

/** What a session's key signs: the type, the genesis, the canonical text. */
export const sessionBytes = (text: string, type: string, genesisDigest: Uint8Array): Uint8Array =>
  Buffer.concat([Buffer.from(`${type}\n`), genesisDigest, Buffer.from(text)])

/** Throws UNPROVEN. `key`: 32 raw bytes in base64, `signature` in base64. */
export function requireSession(
  key: string,
  text: string,
  type: string,
  signature: string,
  { genesisDigest }: Trusted,
): void {
  const raw = Buffer.from(key, 'base64')
  const holds =
    raw.length === 32 &&
    verify(null, sessionBytes(text, type, genesisDigest), publicKeyObject(raw), Buffer.from(signature, 'base64'))
  if (!holds) throw new BulkheadError('UNPROVEN', "The session's key has not signed this.")
}

/** The associated data of both halves: what is moved to another place does not open there. */
export const recordAad = (
  half: 'inner' | 'outer',
  { kind, id, unit, version }: Pick<DirectoryRecord, 'kind' | 'id' | 'unit' | 'version'>,
  genesisDigest: Uint8Array,
): Uint8Array =>
  Buffer.concat([
    Buffer.from(`bulkhead-record/v1\n${half}\n`),
    genesisDigest,
    Buffer.from(canonical({ id, kind, unit, version })),
  ])
