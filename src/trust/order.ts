import { BulkheadError } from '../base/errors.ts'
import { type Approval, countApprovals } from './approval.ts'
import type { OrderClass } from './class.ts'
import type { Trusted } from './roster.ts'
import { alias, type Check, digest, listOf, object, oneOf, text, time, uuid, whole } from './shape.ts'
import { decodeStatement, sha256Hex, statementDigest } from './statement.ts'

export const HOLES = ['command-uuid', 'scep-challenge', 'device-id', 'allowed-queries', 'unlock-token'] as const
export type Hole = (typeof HOLES)[number]

const action = text(/^[A-Za-z0-9]{1,64}$/, 'a RequestType')
const holes: Check<Hole[]> = listOf(oneOf(...HOLES), HOLES.length)

const orderShape = object(
  {
    type: oneOf('bulkhead-order/v1'),
    id: uuid,
    platform: oneOf('apple'),
    action,
    channel: oneOf('device', 'user'),
    body: digest, // SHA-256 of the body template's plain bytes
    holes,
    targets: object(
      { digest, count: whole(1, 100_000) },
      { group: object({ id: uuid, version: whole(0, 1_000_000) }) },
    ),
    notBefore: time,
    expiresAt: time,
    nonce: text(/^[0-9a-f]{32}$/, '16 bytes in hex'),
    reason: digest, // salted: SHA-256(salt ‖ reason)
  },
  {},
)
export type Order = ReturnType<typeof orderShape>

const standingShape = object({
  type: oneOf('bulkhead-standing-order/v1'),
  id: uuid,
  platform: oneOf('apple'),
  action,
  body: digest,
  holes,
  trigger: oneOf('enrolment', 'daily'),
  notBefore: time,
  expiresAt: time,
  nonce: text(/^[0-9a-f]{32}$/, '16 bytes in hex'),
  reason: digest,
})
export type StandingOrder = ReturnType<typeof standingShape>

const groupShape = object({
  type: oneOf('bulkhead-group/v1'),
  id: uuid,
  alias,
  version: whole(0, 1_000_000),
  previous: text(/^([0-9a-f]{64})?$/, 'the digest of the version before, or empty'),
  members: listOf(uuid, 100_000), // device ids, sorted
  at: time,
})
export type GroupVersion = ReturnType<typeof groupShape>

export const decodeOrder = (statement: string): Order => decodeStatement(statement, orderShape, 'order')
export const decodeStanding = (statement: string): StandingOrder =>
  decodeStatement(statement, standingShape, 'standing order')
export const decodeGroup = (statement: string): GroupVersion => decodeStatement(statement, groupShape, 'group')

/** The digest of a target list: device ids sorted, one a line. */
export const targetsDigest = (devices: string[]): string => sha256Hex(`${[...devices].sort().join('\n')}\n`)

export const orderDigest = (statement: string, trusted: Trusted): Buffer =>
  statementDigest('bulkhead-order/v1', trusted.genesisDigest, statement)
export const standingDigest = (statement: string, trusted: Trusted): Buffer =>
  statementDigest('bulkhead-standing-order/v1', trusted.genesisDigest, statement)
export const groupDigest = (statement: string, trusted: Trusted): Buffer =>
  statementDigest('bulkhead-group/v1', trusted.genesisDigest, statement)

/** Throws UNPROVEN when fewer distinct members than the class's quorum approved. */
export function requireQuorum(approvals: Approval[], digestOf: Buffer, orderClass: OrderClass, trusted: Trusted): void {
  const quorum = trusted.rules.quorum[orderClass]
  const { members, refusals } = countApprovals(approvals, digestOf, trusted, trusted.rules.roles[orderClass])
  if (members.length >= quorum) return
  throw new BulkheadError('UNPROVEN', `${members.length} of ${quorum} approvals hold. ${refusals.join(' ')}`.trim())
}
