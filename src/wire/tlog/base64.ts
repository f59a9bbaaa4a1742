import { BulkheadError } from '../../base/errors.ts'

/** Standard base64 with padding, in its one spelling. `length` is the number of bytes it must hold. Throws MALFORMED. */
export function decodeBase64(text: string, length?: number): Buffer {
  const bytes = Buffer.from(text, 'base64')
  // Node skips what it does not know; only a text that comes back the same was base64, and two texts never mean one value.
  if (bytes.toString('base64') !== text) throw new BulkheadError('MALFORMED', 'This is not base64.')
  if (length !== undefined && bytes.length !== length)
    throw new BulkheadError('MALFORMED', `${bytes.length} bytes where ${length} are expected.`)
  return bytes
}

/** A number in decimal without sign or leading zeroes, at most 2^53 - 1. Throws MALFORMED. */
export function decodeDecimal(text: string): number {
  const value = /^(?:0|[1-9][0-9]{0,15})$/.test(text) ? Number(text) : Number.NaN
  if (!Number.isSafeInteger(value)) throw new BulkheadError('MALFORMED', 'This is not a decimal number.')
  return value
}
