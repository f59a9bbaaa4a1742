import { BulkheadError } from '../base/errors.ts'

/** CBOR (RFC 8949) as authenticators write it (CTAP2 canonical form): whole numbers, bytes, text, lists and maps of definite length. */
export type Cbor = number | boolean | null | string | Buffer | Cbor[] | Map<Cbor, Cbor>

const MAX_DEPTH = 6
const MAX_ITEMS = 200

/** One item from `at` on, and where it ends. Throws MALFORMED. */
export function readCbor(bytes: Buffer, at = 0, depth = 0): { value: Cbor; end: number } {
  if (depth > MAX_DEPTH) throw malformed('it is too deep')
  const { major, argument, end } = readHead(bytes, at)
  if (major === 0) return { value: argument, end }
  if (major === 1) return { value: -1 - argument, end }
  if (major === 2) return { value: slice(bytes, end, argument), end: end + argument }
  if (major === 3) return { value: slice(bytes, end, argument).toString('utf8'), end: end + argument }
  if (major === 4) return readList(bytes, end, argument, depth)
  if (major === 5) return readMap(bytes, end, argument, depth)
  if (major === 7 && argument >= 20 && argument <= 22 && end === at + 1)
    return { value: argument === 22 ? null : argument === 21, end }
  throw malformed('it holds something that is not known here')
}

function readHead(bytes: Buffer, at: number): { major: number; argument: number; end: number } {
  const [first] = slice(bytes, at, 1)
  const [major, short] = [first! >> 5, first! & 0x1f]
  if (short < 24) return { major, argument: short, end: at + 1 }
  if (short > 26) throw malformed('a length is of a form that is not known here') // 8 bytes, or indefinite
  const width = 2 ** (short - 24)
  const argument = slice(bytes, at + 1, width).readUIntBE(0, width)
  return { major, argument, end: at + 1 + width }
}

function readList(bytes: Buffer, from: number, count: number, depth: number): { value: Cbor[]; end: number } {
  if (count > MAX_ITEMS) throw malformed('a list is too long')
  const value: Cbor[] = []
  let end = from
  for (let left = count; left > 0; left--) {
    const item = readCbor(bytes, end, depth + 1)
    value.push(item.value)
    end = item.end
  }
  return { value, end }
}

function readMap(bytes: Buffer, from: number, count: number, depth: number): { value: Map<Cbor, Cbor>; end: number } {
  const { value: flat, end } = readList(bytes, from, 2 * count, depth)
  const value = new Map<Cbor, Cbor>()
  for (let at = 0; at < flat.length; at += 2) value.set(flat[at]!, flat[at + 1]!)
  if (value.size !== count) throw malformed('a map has one key twice')
  return { value, end }
}

function slice(bytes: Buffer, from: number, length: number): Buffer {
  if (from + length > bytes.length) throw malformed('it is cut short')
  return bytes.subarray(from, from + length)
}

const malformed = (why: string) => new BulkheadError('MALFORMED', `This CBOR does not decode: ${why}.`)
