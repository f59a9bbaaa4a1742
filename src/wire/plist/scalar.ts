import { malformed } from './limits.ts'
import { GREATEST_INTEGER, LEAST_INTEGER } from './value.ts'

/** A 64-bit number has at most 20 digits and a sign; the rest is room for leading zeros. */
const INTEGER_LENGTH = 40
const REAL_LENGTH = 400
const DATE_LENGTH = 20
const REAL = /^[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?$/
const ZERO = 48

/** Reads up to 15 digits without a sign, the common case; -1 for anything else. */
function shortInteger(text: string): number {
  const length = text.length
  if (length === 0 || length > 15) return -1
  let value = 0
  for (let i = 0; i < length; i++) {
    const digit = text.charCodeAt(i) - ZERO
    if (digit < 0 || digit > 9) return -1
    value = value * 10 + digit
  }
  return value
}

/** Reads the text of an `integer` element: decimal digits after an optional sign. Throws MALFORMED. */
export function decodeInteger(text: string): number | bigint {
  const short = shortInteger(text)
  if (short >= 0) return short
  if (text.length > INTEGER_LENGTH || !/^[+-]?\d+$/.test(text)) throw malformed('an integer is not a number')
  const digits = BigInt(text.replace(/^[+-]/, ''))
  return narrowInteger(text.startsWith('-') ? -digits : digits)
}

/** Turns an integer into the smallest type that holds it. Throws MALFORMED outside -2^63 to 2^64 - 1. */
export function narrowInteger(value: bigint): number | bigint {
  if (value < LEAST_INTEGER || value > GREATEST_INTEGER) throw malformed('an integer is out of range')
  const narrow = Number(value)
  return Number.isSafeInteger(narrow) ? narrow : value
}

/** Reads the text of a `real` element. Infinities and NaN are refused, for no other part of the server expects them. */
export function decodeReal(text: string): number {
  if (text.length > REAL_LENGTH || !REAL.test(text)) throw malformed('a real is not a number')
  return finite(Number(text))
}

/** Passes a finite number on. Throws MALFORMED for the others. */
export function finite(value: number): number {
  if (!Number.isFinite(value)) throw malformed('a real is not finite')
  return value
}

/** Reads the text of a `date` element, `YYYY-MM-DDThh:mm:ssZ`, a moment that exists. Throws MALFORMED. */
export function decodeDate(text: string): Date {
  const date = text.length === DATE_LENGTH ? new Date(text) : new Date(Number.NaN)
  if (Number.isNaN(date.getTime()) || encodeDate(date) !== text) throw malformed('a date is not a date')
  return date
}

/** Writes a date for XML, which has no fractions of a second: they are cut off. Throws MALFORMED outside years 0 to 9999. */
export function encodeDate(date: Date): string {
  const text = Number.isNaN(date.getTime()) ? '' : date.toISOString()
  if (text.length !== 24) throw malformed('a date is out of range')
  return `${text.slice(0, 19)}Z`
}

/** Reads the text of a `data` element: base64 with its padding, white space anywhere. Throws MALFORMED. */
export function decodeBase64(text: string): Uint8Array {
  const base64 = text.replace(/[ \t\n\r]+/g, '')
  const bytes = Buffer.from(base64, 'base64')
  // Node skips what is not base64. Only an exact input comes back the same.
  if (bytes.toString('base64') !== base64) throw malformed('data is not base64')
  return new Uint8Array(bytes)
}

/** Writes bytes as base64 on one line. */
export function encodeBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')
}
