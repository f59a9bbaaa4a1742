import { BulkheadError } from '../base/errors.ts'

/** Several values behind one call or answer: u32be length and the bytes of each, one after the other. */
export function joinParts(parts: readonly Uint8Array[]): Buffer {
  return Buffer.concat(
    parts.flatMap(part => {
      const length = Buffer.alloc(4)
      length.writeUInt32BE(part.length)
      return [length, part]
    }),
  )
}

/** Exactly `count` of them and nothing behind. Throws MALFORMED, or LIMIT for one of more than `most` bytes. */
export function splitParts(bytes: Buffer, count: number, most: number): Buffer[] {
  const parts: Buffer[] = []
  let at = 0
  while (bytes.length - at >= 4) {
    const length = bytes.readUInt32BE(at)
    if (length > most) throw new BulkheadError('LIMIT', `A part of ${length} bytes; at most ${most} are read.`)
    if (length > bytes.length - at - 4) break
    parts.push(bytes.subarray(at + 4, at + 4 + length))
    at += 4 + length
  }
  if (at === bytes.length && parts.length === count) return parts
  throw new BulkheadError('MALFORMED', `The bytes behind this are not ${count} parts.`)
}
