import { BulkheadError } from '../base/errors.ts'
import { type Approval, countApprovals } from './approval.ts'
import type { Trusted } from './roster.ts'
import { digest, object, oneOf, text, time } from './shape.ts'
import { decodeStatement, sha256Hex, statementDigest } from './statement.ts'

/** A push topic: what a certificate for device management carries as its UID. */
export const TOPIC = /^com\.apple\.mgmt\.[A-Za-z0-9.-]{1,200}$/

const shape = object({
  type: oneOf('bulkhead-push-certificate/v1'),
  certificate: digest, // SHA-256 of its DER
  topic: text(TOPIC, 'a push topic (com.apple.mgmt.…)'),
  account: digest, // salted: the Apple Account is an e-mail address
  at: time,
  nonce: text(/^[0-9a-f]{32}$/, '16 bytes in hex'),
})
/** Which certificate wakes the devices from `at` on. */
export type PushStatement = ReturnType<typeof shape>

export const pushDigest = (statement: string, trusted: Trusted): Buffer =>
  statementDigest('bulkhead-push-certificate/v1', trusted.genesisDigest, statement)

/** SHA-256(nonce ‖ account). */
export const accountDigest = (nonce: string, account: string): string => sha256Hex(`${nonce}${account}`)

/** The statement behind this text, if one owner or operator of the roster approved it. Time and certificate are the caller's to check. */
export function verifyPush(statement: string, approval: Approval, trusted: Trusted): PushStatement {
  const push = decodeStatement(statement, shape, 'push certificate')
  const { members, refusals } = countApprovals([approval], pushDigest(statement, trusted), trusted, [
    'owner',
    'operator',
  ])
  if (members.length > 0) return push
  throw new BulkheadError('UNPROVEN', `The push certificate is not approved. ${refusals.join(' ')}`.trim())
}
