// What is inside single elements: numbers, names of things, texts, times. Each throws MALFORMED.
import { isUtf8 } from 'node:buffer'
import { type Element, malformed } from './read.ts'

export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bits: 0x03,
  octets: 0x04,
  null: 0x05,
  oid: 0x06,
  utf8: 0x0c,
  numeric: 0x12,
  printable: 0x13,
  teletex: 0x14,
  ia5: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  visible: 0x1a,
  bmp: 0x1e,
  octetsInPieces: 0x24,
  sequence: 0x30,
  set: 0x31,
} as const

const MAX_OID_OCTETS = 64

/** An object identifier in dotted form; arcs of any size. */
export function oidOf(element: Element): string {
  const body = bodyOf(element, TAG.oid, 'object identifier')
  if (body.length === 0 || body.length > MAX_OID_OCTETS || body.at(-1)! & 0x80) {
    throw malformed('ASN.1: an object identifier of the wrong length.')
  }
  let dotted = ''
  for (let start = 0, at = 0; at < body.length; at++) {
    if (body[at]! & 0x80) continue
    dotted += start === 0 ? firstArcs(arcOf(body, 0, at)) : `.${arcOf(body, start, at)}`
    start = at + 1
  }
  return dotted
}

/** The first two arcs share one number (X.690, 8.19.4). */
function firstArcs(both: number | bigint): string {
  if (typeof both === 'bigint') return `2.${both - 80n}`
  const top = Math.min(Math.floor(both / 40), 2)
  return `${top}.${both - 40 * top}`
}

function arcOf(body: Buffer, first: number, last: number): number | bigint {
  if (body[first] === 0x80) throw malformed('ASN.1: an object identifier with a padded arc.')
  if (last - first >= 7) return bigArc(body.subarray(first, last + 1))
  let arc = 0
  for (let at = first; at <= last; at++) arc = arc * 128 + (body[at]! & 0x7f)
  return arc
}

function bigArc(groups: Buffer): bigint {
  return groups.reduce((sum, octet) => (sum << 7n) | BigInt(octet & 0x7f), 0n)
}

/** The contents octets of an INTEGER: big-endian two's complement, at least one octet, not padded. */
export function integerOf(element: Element): Buffer {
  const body = bodyOf(element, TAG.integer, 'number')
  if (body.length === 0) throw malformed('ASN.1: a number without octets.')
  const padded = body.length > 1 && (body[0] === 0 ? body[1]! < 0x80 : body[0] === 0xff && body[1]! >= 0x80)
  if (padded) throw malformed('ASN.1: a padded number.')
  return body
}

/** A number from 0 to 2^31 - 1, such as a version. */
export function smallIntegerOf(element: Element): number {
  const body = integerOf(element)
  if (body.length > 4 || body[0]! & 0x80) throw malformed('ASN.1: a number out of range.')
  return body.readUIntBE(0, body.length)
}

export function booleanOf(element: Element): boolean {
  const body = bodyOf(element, TAG.boolean, 'boolean')
  if (body.length !== 1) throw malformed('ASN.1: a boolean of the wrong length.')
  return body[0] !== 0
}

/** An OCTET STRING, also in pieces (BER). One piece is shared with the input; several are joined once. */
export function octetsOf(element: Element): Buffer {
  if (element.tag === TAG.octets) return element.body
  if (element.tag !== TAG.octetsInPieces) throw malformed('ASN.1: an octet string was expected.')
  return joinPieces(element)
}

/** Joins the pieces of a constructed octet string, whatever its outer tag (so also under an implicit one). */
export function joinPieces(element: Element): Buffer {
  const pieces: Buffer[] = []
  collectPieces(element, pieces)
  return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces)
}

function collectPieces(element: Element, pieces: Buffer[]): void {
  for (const child of element.children) {
    if (child.tag === TAG.octets) pieces.push(child.body)
    else if (child.tag === TAG.octetsInPieces) collectPieces(child, pieces)
    else throw malformed('BER: an octet string in pieces of another kind.')
  }
}

/** A BIT STRING of whole octets, as keys and signatures are. */
export function bitsOf(element: Element): Buffer {
  const body = bodyOf(element, TAG.bits, 'bit string')
  if (body[0] !== 0) throw malformed('ASN.1: a bit string that is not of whole octets.')
  return body.subarray(1)
}

/** Any of the character strings that certificates use. */
export function textOf(element: Element): string {
  const { tag, body } = element
  if (tag === TAG.utf8 || tag === TAG.printable || tag === TAG.ia5 || tag === TAG.visible || tag === TAG.numeric) {
    if (!isUtf8(body)) throw malformed('ASN.1: a text that is not UTF-8.')
    return body.toString('utf8')
  }
  if (tag === TAG.teletex) return body.toString('latin1')
  if (tag !== TAG.bmp || body.length % 2 === 1) throw malformed('ASN.1: a text was expected.')
  return Buffer.from(body).swap16().toString('utf16le')
}

/** UTCTime or GeneralizedTime in the only form certificates may use: to the second, in Z (RFC 5280, 4.1.2.5). */
export function timeOf(element: Element): Date {
  const { tag, body } = element
  if (tag !== TAG.utcTime && tag !== TAG.generalizedTime) throw malformed('ASN.1: a time was expected.')
  const text = body.toString('latin1')
  const yearDigits = tag === TAG.utcTime ? 2 : 4
  if (text.length !== yearDigits + 11 || !/^\d+Z$/.test(text)) throw malformed('ASN.1: a time in an unusual form.')
  const written = Number(text.slice(0, yearDigits))
  const year = yearDigits === 4 ? written : written + (written < 50 ? 2000 : 1900)
  const [month, ...rest] = [0, 2, 4, 6, 8].map(at => Number(text.slice(yearDigits + at, yearDigits + at + 2)))
  const time = new Date(Date.UTC(year, month! - 1, ...rest))
  if (!isThatTime(time, [year, month!, ...rest])) throw malformed('ASN.1: a time that never was.')
  return time
}

/** Dates roll over: the 31st of April would become the 1st of May. */
function isThatTime(time: Date, parts: readonly number[]): boolean {
  const date = [time.getUTCFullYear(), time.getUTCMonth() + 1, time.getUTCDate()]
  const clock = [time.getUTCHours(), time.getUTCMinutes(), time.getUTCSeconds()]
  return [...date, ...clock].every((value, at) => value === parts[at])
}

function bodyOf(element: Element, tag: number, what: string): Buffer {
  if (element.tag !== tag) throw malformed(`ASN.1: a ${what} was expected.`)
  return element.body
}
