import { type KeyObject, sign, verify } from 'node:crypto'
import { BulkheadError } from '../../base/errors.ts'
import { decodeBase64 } from './base64.ts'

/**
 * An append promise: the log's signed word that an entry is in its tree at `maxIndex` or before, under its next checkpoint.
 * Bytes: 64 of Ed25519 signature over PREFIX and statement, then the statement, JSON in the form of RFC 8785.
 */
export type AppendPromise = { origin: string; leafHash: string; maxIndex: number; time: number }

/** Keeps a promise from being taken for a note: no origin starts like this. */
const PREFIX = 'bulkhead/append-promise/v1\n'
const MAX_PROMISE = 1000

/** `leafHash` in base64, `time` in milliseconds. */
export function encodePromise({ origin, leafHash, maxIndex, time }: AppendPromise, logKey: KeyObject): Buffer {
  // RFC 8785 sorts names; these four are written in that order.
  const statement = Buffer.from(JSON.stringify({ leafHash, maxIndex, origin, time }))
  return Buffer.concat([sign(null, Buffer.concat([Buffer.from(PREFIX), statement]), logKey), statement])
}

/** Throws MALFORMED, or UNPROVEN where the log's key did not sign it. */
export function openPromise(bytes: Buffer, logKey: KeyObject): AppendPromise {
  if (bytes.length <= 64 || bytes.length > MAX_PROMISE)
    throw new BulkheadError('MALFORMED', 'This is no append promise.')
  const statement = bytes.subarray(64)
  if (!verify(null, Buffer.concat([Buffer.from(PREFIX), statement]), logKey, bytes.subarray(0, 64)))
    throw new BulkheadError('UNPROVEN', 'The log has not signed this promise.')
  return decodeStatement(statement.toString())
}

function decodeStatement(text: string): AppendPromise {
  const { origin, leafHash, maxIndex, time } = JSON.parse(text) as AppendPromise // the log signed it: its own JSON
  decodeBase64(leafHash, 32)
  return { origin, leafHash, maxIndex, time }
}
