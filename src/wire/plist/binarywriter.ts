import { isAscii } from 'node:buffer'
import { DEPTH_CEILING, malformed, overLimit } from './limits.ts'
import { finite, narrowInteger } from './scalar.ts'
import { MAGIC, TRAILER_LENGTH } from './trailer.ts'
import { isDictionary, type PlistInput, PlistReal } from './value.ts'

/** A leaf is ready to write; a container waits until the width of a reference is known. */
type Entry = Buffer | { readonly kind: number; readonly count: number; readonly refs: readonly number[] }

const ARRAY = 0xa
const DICT = 0xd
/** Apple counts dates in seconds from the start of 2001, UTC. */
const EPOCH_SECONDS = 978_307_200

/**
 * Writes a binary property list, version 00. Equal strings are stored once. Throws MALFORMED for what the format cannot
 * hold, LIMIT beyond 512 levels.
 */
export function encodeBinaryPlist(value: PlistInput): Uint8Array {
  const entries = new Flattener().flatten(value)
  const refSize = bytesFor(entries.length - 1)
  const objects = entries.map(entry => (Buffer.isBuffer(entry) ? entry : container(entry, refSize)))
  return assemble(objects, refSize)
}

/** Gives every object its number, containers before what they hold. */
class Flattener {
  readonly #entries: Entry[] = []
  readonly #strings = new Map<string, number>()

  flatten(value: PlistInput): Entry[] {
    this.#add(value, 0)
    return this.#entries
  }

  #add(value: PlistInput, depth: number): number {
    if (depth > DEPTH_CEILING) throw overLimit('levels')
    if (typeof value === 'string') return this.#string(value)
    if (Array.isArray(value)) return this.#container(ARRAY, value.length, [], value, depth)
    if (!isDictionary(value)) return this.#entries.push(leaf(value)) - 1
    const keys = Object.keys(value)
    return this.#container(DICT, keys.length, keys, Object.values(value), depth)
  }

  #container(kind: number, count: number, keys: string[], values: readonly PlistInput[], depth: number): number {
    const refs: number[] = []
    const index = this.#entries.push({ kind, count, refs }) - 1
    for (const key of keys) refs.push(this.#string(key))
    for (const value of values) refs.push(this.#add(value, depth + 1))
    return index
  }

  #string(text: string): number {
    const known = this.#strings.get(text)
    if (known !== undefined) return known
    const index = this.#entries.push(string(text)) - 1
    this.#strings.set(text, index)
    return index
  }
}

function leaf(value: PlistInput): Buffer {
  if (typeof value === 'boolean') return Buffer.of(value ? 0x09 : 0x08)
  if (typeof value === 'bigint') return integer(value)
  if (typeof value === 'number') return Number.isSafeInteger(value) ? integer(BigInt(value)) : double(0x23, value)
  if (value instanceof PlistReal) return double(0x23, value.value)
  if (value instanceof Date) return double(0x33, value.getTime() / 1000 - EPOCH_SECONDS)
  if (value instanceof Uint8Array) return Buffer.concat([marker(0x4, value.length), value])
  throw malformed('a value has no place in one')
}

function string(text: string): Buffer {
  if (!text.isWellFormed() || text.includes('\0')) throw malformed('a text has a character that it cannot hold')
  const utf8 = Buffer.from(text, 'utf8')
  if (isAscii(utf8)) return Buffer.concat([marker(0x5, text.length), utf8])
  return Buffer.concat([marker(0x6, text.length), Buffer.from(text, 'utf16le').swap16()])
}

function double(kind: number, value: number): Buffer {
  const out = Buffer.alloc(9, kind)
  out.writeDoubleBE(finite(value), 1)
  return out
}

/** Negative integers take 8 bytes, those beyond 63 bits 16, the rest the fewest of 1, 2, 4 and 8. */
function integer(value: bigint): Buffer {
  narrowInteger(value)
  if (value >= 2n ** 63n) return Buffer.from(`14${hex(value, 16)}`, 'hex')
  const unsigned = BigInt.asUintN(64, value)
  const power = unsigned < 0x100n ? 0 : unsigned < 0x10000n ? 1 : unsigned < 0x100000000n ? 2 : 3
  return Buffer.from(`1${power}${hex(unsigned, 1 << power)}`, 'hex')
}

function hex(value: bigint, size: number): string {
  return value.toString(16).padStart(size * 2, '0')
}

/** A marker with its count, which follows as an integer from 15 on. */
function marker(kind: number, count: number): Buffer {
  if (count < 0x0f) return Buffer.of((kind << 4) | count)
  return Buffer.concat([Buffer.of((kind << 4) | 0x0f), integer(BigInt(count))])
}

function container(entry: Exclude<Entry, Buffer>, refSize: number): Buffer {
  return Buffer.concat([marker(entry.kind, entry.count), table(entry.refs, refSize)])
}

/** Numbers one after the other, `size` bytes each. */
function table(numbers: readonly number[], size: number): Buffer {
  const out = Buffer.alloc(numbers.length * size)
  numbers.forEach((number, index) => {
    out.writeUIntBE(number, index * size, size)
  })
  return out
}

function bytesFor(greatest: number): number {
  return greatest < 0x100 ? 1 : greatest < 0x10000 ? 2 : 4
}

function assemble(objects: Buffer[], refSize: number): Uint8Array {
  let end = MAGIC.length
  const offsets = objects.map(object => {
    end += object.length
    return end - object.length
  })
  const offsetSize = bytesFor(end)
  const trailer = Buffer.alloc(TRAILER_LENGTH)
  trailer[6] = offsetSize
  trailer[7] = refSize
  trailer.writeBigUInt64BE(BigInt(objects.length), 8)
  trailer.writeBigUInt64BE(BigInt(end), 24)
  return new Uint8Array(Buffer.concat([Buffer.from(MAGIC), ...objects, table(offsets, offsetSize), trailer]))
}
