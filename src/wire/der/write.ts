// Writes DER (X.690). Every function returns one whole element, so that structures are built by nesting calls.
import { BulkheadError } from '../../base/errors.ts'
import type { Element } from './read.ts'
import { joinPieces, TAG } from './values.ts'

/** An element of any tag around its parts. */
export function element(tag: number, ...parts: Uint8Array[]): Buffer {
  let length = 0
  for (const part of parts) length += part.length
  const extra = length < 0x80 ? 0 : length < 0x100 ? 1 : length < 0x10000 ? 2 : length < 0x1000000 ? 3 : 4
  const out = Buffer.allocUnsafe(2 + extra + length)
  out[0] = tag
  out[1] = extra === 0 ? length : 0x80 | extra
  if (extra > 0) out.writeUIntBE(length, 2, extra)
  let at = 2 + extra
  for (const part of parts) {
    out.set(part, at)
    at += part.length
  }
  return out
}

export function sequence(...parts: Uint8Array[]): Buffer {
  return element(TAG.sequence, ...parts)
}

/** A SET OF: the parts in ascending order of their encodings. `tag` for an implicitly tagged one. */
export function set(parts: readonly Uint8Array[], tag: number = TAG.set): Buffer {
  return element(tag, ...[...parts].sort(Buffer.compare))
}

/** `[number]` around whole elements (explicit), or around the contents of a constructed one (implicit). */
export function context(number: number, ...parts: Uint8Array[]): Buffer {
  return element(0xa0 | number, ...parts)
}

/** `[number] IMPLICIT` of a primitive type, from its contents octets. */
export function contextPrimitive(number: number, body: Uint8Array): Buffer {
  return element(0x80 | number, body)
}

export function oid(dotted: string): Buffer {
  const known = encodedOids.get(dotted)
  if (known !== undefined) return known
  if (!/^[012](\.\d+)+$/.test(dotted)) throw new BulkheadError('BAD_REQUEST', 'Not an object identifier.')
  const [top, second, ...rest] = dotted.split('.').map(BigInt)
  const groups = [top! * 40n + second!, ...rest].flatMap(groupsOf)
  const encoded = element(TAG.oid, Buffer.from(groups))
  if (encodedOids.size < 256) encodedOids.set(dotted, encoded)
  return encoded
}

const encodedOids = new Map<string, Buffer>()

function groupsOf(arc: bigint): number[] {
  const groups = [Number(arc & 0x7fn)]
  for (let left = arc >> 7n; left > 0n; left >>= 7n) groups.unshift(Number(left & 0x7fn) | 0x80)
  return groups
}

/** An INTEGER from contents octets that are already right, as a decoder returned them. */
export function integerFromBody(body: Uint8Array): Buffer {
  return element(TAG.integer, body)
}

/** A non-negative INTEGER, from a number or from big-endian octets (leading zeros are put right). */
export function integer(value: number | Uint8Array): Buffer {
  const octets = typeof value === 'number' ? Buffer.from(value.toString(16).padStart(14, '0'), 'hex') : value
  let start = 0
  while (start < octets.length - 1 && octets[start] === 0) start++
  const trimmed = octets.length === 0 ? Buffer.from([0]) : octets.subarray(start)
  return trimmed[0]! & 0x80 ? element(TAG.integer, Buffer.from([0]), trimmed) : element(TAG.integer, trimmed)
}

export function boolean(value: boolean): Buffer {
  return element(TAG.boolean, Buffer.from([value ? 0xff : 0]))
}

export function octets(body: Uint8Array): Buffer {
  return element(TAG.octets, body)
}

/** A BIT STRING; `unused` bits of the last octet do not count. */
export function bits(body: Uint8Array, unused = 0): Buffer {
  return element(TAG.bits, Buffer.from([unused]), body)
}

export function nothing(): Buffer {
  return element(TAG.null)
}

export function utf8(text: string): Buffer {
  return element(TAG.utf8, Buffer.from(text, 'utf8'))
}

export function ia5(text: string): Buffer {
  return element(TAG.ia5, Buffer.from(text, 'latin1'))
}

/** PrintableString where that can hold the text, as older readers expect, and UTF8String otherwise. */
export function text(value: string): Buffer {
  return PRINTABLE.test(value) ? printable(value) : utf8(value)
}

const PRINTABLE = /^[A-Za-z0-9 '()+,\-./:=?]*$/

/** Throws BAD_REQUEST for characters that a PrintableString cannot hold. */
export function printable(value: string): Buffer {
  if (!PRINTABLE.test(value)) throw new BulkheadError('BAD_REQUEST', 'Not a PrintableString.')
  return element(TAG.printable, Buffer.from(value, 'latin1'))
}

export function utcTime(time: Date): Buffer {
  return element(TAG.utcTime, Buffer.from(digitsOf(time).slice(2), 'latin1'))
}

export function generalizedTime(time: Date): Buffer {
  return element(TAG.generalizedTime, Buffer.from(digitsOf(time), 'latin1'))
}

/** UTCTime until the end of 2049 and GeneralizedTime from then on, as certificates and CMS ask. */
export function time(value: Date): Buffer {
  const year = value.getUTCFullYear()
  return year >= 1950 && year < 2050 ? utcTime(value) : generalizedTime(value)
}

function digitsOf(time: Date): string {
  if (!(time.getTime() >= 0) || time.getUTCFullYear() > 9999) {
    throw new BulkheadError('BAD_REQUEST', 'A time that cannot be written.')
  }
  return `${time.toISOString().slice(0, 19).replace(/\D/g, '')}Z`
}

/** Writes what was read as DER: shortest lengths, strings joined, sets sorted. */
export function canonical(read: Element): Buffer {
  if (read.tag === TAG.octetsInPieces) return octets(joinPieces(read))
  if (!(read.tag & 0x20)) return element(read.tag, read.body)
  const parts = read.children.map(canonical)
  return read.tag === TAG.set ? set(parts) : element(read.tag, ...parts)
}
