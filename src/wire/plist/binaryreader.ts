import { isAscii } from 'node:buffer'
import { type Budget, malformed, overLimit } from './limits.ts'
import { finite, narrowInteger } from './scalar.ts'
import { decodeTrailer, MAGIC, readUint, type Trailer } from './trailer.ts'
import type { PlistDict, PlistValue } from './value.ts'

/** Apple counts dates in seconds from the start of 2001, UTC. */
const EPOCH_SECONDS = 978_307_200

/** Reads a binary property list, version 00. Throws MALFORMED or LIMIT. */
export function decodeBinary(bytes: Buffer, budget: Budget): PlistValue {
  if (bytes.toString('latin1', 0, 8) !== MAGIC) throw malformed('its binary version is not 00')
  const trailer = decodeTrailer(bytes)
  // Each item is one object, and at most one more is its key.
  if (trailer.objectCount > 2 * budget.maxItems + 1) throw overLimit('objects')
  return new BinaryReader(bytes, trailer, budget).object(trailer.topObject)
}

class BinaryReader {
  readonly #bytes: Buffer
  readonly #trailer: Trailer
  readonly #budget: Budget
  /** One flag an object: whether the reader is inside it. */
  readonly #open: Uint8Array
  /** The place after the last marker and its count. */
  #at = 0

  constructor(bytes: Buffer, trailer: Trailer, budget: Budget) {
    this.#bytes = bytes
    this.#trailer = trailer
    this.#budget = budget
    this.#open = new Uint8Array(trailer.objectCount)
  }

  /** Reads an object as often as it is referred to: sharing saves a sender bytes, but never budget. */
  object(ref: number): PlistValue {
    this.#budget.item()
    const marker = this.#marker(ref)
    const low = marker & 0x0f
    switch (marker >> 4) {
      case 0x0:
        return flag(low)
      case 0x1:
        return this.#integer(low)
      case 0x2:
        return this.#real(low)
      case 0x3:
        return this.#date(low)
      case 0x4:
        return this.#data(this.#count(low))
      case 0x5:
      case 0x6:
        return this.#string(marker)
      case 0xa:
        return this.#array(ref, this.#count(low))
      case 0xd:
        return this.#dict(ref, this.#count(low))
      default:
        throw malformed('an object is of an unknown kind')
    }
  }

  /** Goes to an object; returns its first byte. */
  #marker(ref: number): number {
    const { objectCount, offsetSize, tableOffset } = this.#trailer
    if (ref >= objectCount) throw malformed('a reference is out of range')
    const offset = readUint(this.#bytes, tableOffset + ref * offsetSize, offsetSize)
    if (offset < MAGIC.length || offset >= tableOffset) throw malformed('an offset is out of range')
    this.#at = offset + 1
    return this.#bytes[offset]!
  }

  /** Takes `length` bytes of the object area; returns where they start. */
  #take(length: number): number {
    const start = this.#at
    if (length > this.#trailer.tableOffset - start) throw malformed('an object is cut off')
    this.#at = start + length
    return start
  }

  /** Reads the count of a container, string or data: the low half of the marker, or an integer after it. */
  #count(low: number): number {
    if (low !== 0x0f) return low
    const marker = this.#bytes[this.#take(1)]!
    const size = 1 << (marker & 0x0f)
    if (marker >> 4 !== 0x1 || size > 8) throw malformed('a count is not an integer')
    return readUint(this.#bytes, this.#take(size), size)
  }

  /** 1, 2 and 4 bytes are unsigned; 8 are signed; 16 hold what needs more than 63 bits. */
  #integer(power: number): number | bigint {
    if (power > 4) throw malformed('an integer has an unknown size')
    const size = 1 << power
    const start = this.#take(size)
    if (size < 8) return readUint(this.#bytes, start, size)
    const high = this.#bytes.readBigInt64BE(start)
    if (size === 8) return narrowInteger(high)
    return narrowInteger((high << 64n) | this.#bytes.readBigUInt64BE(start + 8))
  }

  #real(power: number): number {
    if (power === 2) return finite(this.#bytes.readFloatBE(this.#take(4)))
    if (power === 3) return finite(this.#bytes.readDoubleBE(this.#take(8)))
    throw malformed('a real has an unknown size')
  }

  #date(power: number): Date {
    if (power !== 3) throw malformed('a date has an unknown size')
    const seconds = this.#bytes.readDoubleBE(this.#take(8))
    const date = new Date(Math.round((seconds + EPOCH_SECONDS) * 1000))
    if (Number.isNaN(date.getTime())) throw malformed('a date is out of range')
    return date
  }

  #data(length: number): Uint8Array {
    const start = this.#take(length)
    this.#budget.bytes(length)
    return new Uint8Array(this.#bytes.subarray(start, start + length))
  }

  #string(marker: number): string {
    const units = this.#count(marker & 0x0f)
    const wide = marker >> 4 === 0x6
    const length = wide ? units * 2 : units
    const start = this.#take(length)
    this.#budget.bytes(length)
    const bytes = this.#bytes.subarray(start, start + length)
    const text = wide ? utf16(bytes) : ascii(bytes)
    if (text.includes('\0')) throw malformed('a string has a NUL character')
    return text
  }

  #array(ref: number, count: number): PlistValue[] {
    const array: PlistValue[] = []
    const refs = this.#enter(ref, count)
    for (let i = 0; i < count; i++) array.push(this.object(this.#ref(refs, i)))
    this.#leave(ref)
    return array
  }

  #dict(ref: number, count: number): PlistDict {
    const dict: PlistDict = Object.create(null)
    const refs = this.#enter(ref, count * 2)
    for (let i = 0; i < count; i++) {
      const key = this.#key(this.#ref(refs, i))
      if (key in dict) throw malformed('a key occurs twice')
      dict[key] = this.object(this.#ref(refs, count + i))
    }
    this.#leave(ref)
    return dict
  }

  #key(ref: number): string {
    const marker = this.#marker(ref)
    if (marker >> 4 !== 0x5 && marker >> 4 !== 0x6) throw malformed('a key is not a string')
    return this.#string(marker)
  }

  /** Goes into a container of `count` references; returns where they start. */
  #enter(ref: number, count: number): number {
    if (this.#open[ref] === 1) throw malformed('a container holds itself')
    this.#budget.enter()
    this.#open[ref] = 1
    return this.#take(count * this.#trailer.refSize)
  }

  #leave(ref: number): void {
    this.#open[ref] = 0
    this.#budget.leave()
  }

  #ref(refs: number, index: number): number {
    const { refSize } = this.#trailer
    return readUint(this.#bytes, refs + index * refSize, refSize)
  }
}

function flag(low: number): boolean {
  if (low !== 8 && low !== 9) throw malformed('an object is of an unknown kind')
  return low === 9
}

function ascii(bytes: Buffer): string {
  if (!isAscii(bytes)) throw malformed('a string is not ASCII')
  return bytes.toString('latin1')
}

function utf16(bytes: Buffer): string {
  const text = Buffer.from(bytes).swap16().toString('utf16le')
  if (!text.isWellFormed()) throw malformed('a string is not UTF-16')
  return text
}
