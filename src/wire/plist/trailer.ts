import { malformed } from './limits.ts'

/** The first eight bytes of a binary property list. */
export const MAGIC = 'bplist00'
export const TRAILER_LENGTH = 32

/** The last 32 bytes of a binary property list. */
export type Trailer = {
  /** Bytes of an entry of the offset table. */
  readonly offsetSize: number
  /** Bytes of a reference. */
  readonly refSize: number
  readonly objectCount: number
  readonly topObject: number
  /** Where the objects end and the offset table starts. */
  readonly tableOffset: number
}

/** Reads 1 to 8 bytes, big-endian. Beyond 2^53 the result is rounded, which is still too large for any place or count. */
export function readUint(bytes: Uint8Array, at: number, size: number): number {
  let value = 0
  for (let i = at; i < at + size; i++) value = value * 256 + bytes[i]!
  return value
}

/** Reads the trailer. Header, objects, offset table and trailer have to fill the document exactly. Throws MALFORMED. */
export function decodeTrailer(bytes: Uint8Array): Trailer {
  const start = bytes.length - TRAILER_LENGTH
  if (start < MAGIC.length) throw malformed('it is cut off')
  const trailer = {
    offsetSize: bytes[start + 6]!,
    refSize: bytes[start + 7]!,
    objectCount: readUint(bytes, start + 8, 8),
    topObject: readUint(bytes, start + 16, 8),
    tableOffset: readUint(bytes, start + 24, 8),
  }
  if (readUint(bytes, start, 5) !== 0) throw malformed('its trailer is wrong')
  if (!isSize(trailer.offsetSize) || !isSize(trailer.refSize)) throw malformed('its trailer has a wrong size')
  if (trailer.tableOffset <= MAGIC.length || trailer.topObject >= trailer.objectCount) {
    throw malformed('its trailer points outside')
  }
  if (trailer.tableOffset + trailer.objectCount * trailer.offsetSize !== start) {
    throw malformed('its parts do not fill it')
  }
  return trailer
}

function isSize(size: number): boolean {
  return size >= 1 && size <= 8
}
