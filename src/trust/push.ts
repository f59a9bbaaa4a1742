import { BulkheadError } from '../base/errors.ts'
import { decodeCertificate } from '../wire/pkcs/certificate.ts'
import { type Approval, countApprovals } from './approval.ts'
import type { Trusted } from './roster.ts'
import { digest, object, text, time } from './shape.ts'
import { decodeStatement, sha256Hex, statementDigest } from './statement.ts'

/** A push topic: what a certificate for device management carries as its UID. */
export const TOPIC = /^com\.apple\.mgmt\.[A-Za-z0-9.-]{1,200}$/

const shape = object({
  type: oneType('bulkhead-push-certificate/v1'),
  certificate: digest, // SHA-256 of its DER
  topic: text(TOPIC, 'a push topic (com.apple.mgmt.…)'),
  account: digest, // SHA-256(nonce ‖ Apple Account): the account itself is an e-mail address and stays out of what is kept for ever
  at: time,
  nonce: text(/^[0-9a-f]{32}$/, '16 bytes in hex'),
})
export type PushStatement = ReturnType<typeof shape>

function oneType<const T extends string>(type: T) {
  return (value: unknown, at: string): T => {
    if (value === type) return type
    throw new BulkheadError('MALFORMED', `${at} must be ${type}.`)
  }
}

export const pushDigest = (statement: string, trusted: Trusted): Buffer =>
  statementDigest('bulkhead-push-certificate/v1', trusted.genesisDigest, statement)
