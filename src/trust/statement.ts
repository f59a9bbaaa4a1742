import { createHash } from 'node:crypto'
import { parseCanonical } from './canonical.ts'
import type { Check } from './shape.ts'

/** A statement names its own type, which is also the first line of what is hashed: no digest of one kind is ever one of another. */
export type StatementType =
  | 'bulkhead-order/v1'
  | 'bulkhead-standing-order/v1'
  | 'bulkhead-invitation/v1'
  | 'bulkhead-group/v1'
  | 'bulkhead-push-certificate/v1'
  | 'bulkhead-voucher/v1'
  | 'bulkhead-roster/v1'
  | 'bulkhead-freeze/v1'
  | 'bulkhead-thaw/v1'
  | 'bulkhead-cancel/v1'
  | 'bulkhead-writer/v1'
  | 'bulkhead-grant/v1'
  | 'bulkhead-erasure/v1'
  | 'bulkhead-member-key/v1'

/** SHA-256(type ‖ "\n" ‖ genesis digest ‖ JCS(statement)): the genesis digest keeps a statement of one installation from meaning anything in another. */
export function statementDigest(type: StatementType, genesisDigest: Buffer, text: string): Buffer {
  return createHash('sha256').update(`${type}\n`).update(genesisDigest).update(text).digest()
}

/** Decodes canonical text with its shape; throws MALFORMED on anything that is not exactly it. */
export function decodeStatement<T>(text: string, shape: Check<T>, name: string): T {
  return shape(parseCanonical(text), name)
}

export const sha256 = (bytes: Uint8Array | string): Buffer => createHash('sha256').update(bytes).digest()
export const sha256Hex = (bytes: Uint8Array | string): string => createHash('sha256').update(bytes).digest('hex')
