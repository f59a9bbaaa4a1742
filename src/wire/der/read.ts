// Reads ASN.1 as the Distinguished Encoding Rules have it, or the Basic ones where a protocol allows them (X.690).
// The rules it obeys: every cost is linear in the input and capped, nothing is copied, and all that fails is a
// BulkheadError. The whole tree is read at once, so that an unread corner cannot hide bytes that do not decode.
import { BulkheadError } from '../../base/errors.ts'

export const MAX_DEPTH = 32
export const MAX_ELEMENTS = 10_000
export const MAX_BYTES = 16 * 1024 * 1024

const SEQUENCE = 0x30
const SET = 0x31
const INDEFINITE = 0x80

/** An error for bytes that do not decode. */
export function malformed(message: string): BulkheadError {
  return new BulkheadError('MALFORMED', message)
}

/** One tag-length-value. `tag` is the whole identifier octet; `children` is empty for a primitive element. */
export class Element {
  readonly tag: number
  readonly children: Element[]
  readonly #source: Buffer
  readonly #start: number
  readonly #body: number
  readonly #bodyEnd: number
  readonly #end: number

  constructor(source: Buffer, tag: number, span: [number, number, number, number], children: Element[]) {
    this.#source = source
    this.tag = tag
    this.#start = span[0]
    this.#body = span[1]
    this.#bodyEnd = span[2]
    this.#end = span[3]
    this.children = children
  }

  /** The contents octets, without header and without an end-of-contents mark. Shares memory with the input. */
  get body(): Buffer {
    return this.#source.subarray(this.#body, this.#bodyEnd)
  }

  /** All octets as they stood in the input. Shares memory with the input. */
  get raw(): Buffer {
    return this.#source.subarray(this.#start, this.#end)
  }

  /** Where the next element starts. */
  get end(): number {
    return this.#end
  }
}

interface Reading {
  readonly bytes: Buffer
  readonly ber: boolean
  left: number
}

/** Reads exactly one DER element; bytes after it are refused. Throws MALFORMED or LIMIT. */
export function readDer(bytes: Uint8Array): Element {
  return readWhole(bytes, false)
}

/** As `readDer`, with BER's indefinite lengths, long length forms and constructed strings allowed. */
export function readBer(bytes: Uint8Array): Element {
  return readWhole(bytes, true)
}

function readWhole(input: Uint8Array, ber: boolean): Element {
  if (input.length > MAX_BYTES) throw new BulkheadError('LIMIT', `ASN.1: more than ${MAX_BYTES} bytes.`)
  const bytes = Buffer.from(input.buffer, input.byteOffset, input.length)
  const whole = readElement({ bytes, ber, left: MAX_ELEMENTS }, 0, bytes.length, 1)
  if (whole.end !== bytes.length) throw malformed('ASN.1: bytes follow the end.')
  return whole
}

function readElement(reading: Reading, at: number, limit: number, depth: number): Element {
  if (depth > MAX_DEPTH) throw new BulkheadError('LIMIT', `ASN.1: nested deeper than ${MAX_DEPTH}.`)
  if (--reading.left < 0) throw new BulkheadError('LIMIT', `ASN.1: more than ${MAX_ELEMENTS} elements.`)
  if (limit - at < 2) throw malformed('ASN.1: cut short.')
  const tag = reading.bytes[at]!
  checkTag(tag, reading.ber)
  if (reading.bytes[at + 1] === INDEFINITE) return readIndefinite(reading, at, limit, depth)
  const [body, length] = readLength(reading, at + 1, limit)
  const end = body + length
  if (end > limit) throw malformed('ASN.1: cut short.')
  const children: Element[] = []
  if (tag & 0x20) {
    for (let next = body; next < end; next = children.at(-1)!.end) {
      children.push(readElement(reading, next, end, depth + 1))
    }
  }
  return new Element(reading.bytes, tag, [at, body, end, end], children)
}

function checkTag(tag: number, ber: boolean): void {
  if ((tag & 0x1f) === 0x1f) throw malformed('ASN.1: a tag number above 30.')
  if (tag === 0) throw malformed('ASN.1: an end-of-contents mark without a beginning.')
  const constructedString = (tag & 0xe0) === 0x20 && tag !== SEQUENCE && tag !== SET
  if (constructedString && !ber) throw malformed('DER: a constructed string.')
}

function readIndefinite(reading: Reading, at: number, limit: number, depth: number): Element {
  const { bytes } = reading
  const tag = bytes[at]!
  if (!reading.ber) throw malformed('DER: an indefinite length.')
  if (!(tag & 0x20)) throw malformed('BER: an indefinite length on a primitive element.')
  const children: Element[] = []
  let next = at + 2
  while (bytes[next] !== 0 || bytes[next + 1] !== 0 || next + 2 > limit) {
    const child = readElement(reading, next, limit, depth + 1)
    children.push(child)
    next = child.end
  }
  return new Element(bytes, tag, [at, at + 2, next, next + 2], children)
}

/** Returns where the contents start, and how long they are. */
function readLength({ bytes, ber }: Reading, at: number, limit: number): [number, number] {
  const first = bytes[at]!
  if (first < 0x80) return [at + 1, first]
  const count = first & 0x7f
  if (count > 4) throw malformed('ASN.1: a length of more than four octets.')
  if (at + 1 + count > limit) throw malformed('ASN.1: cut short.')
  const length = bytes.readUIntBE(at + 1, count)
  const shortest = length >= 0x80 && length >= 2 ** (8 * (count - 1))
  if (!ber && !shortest) throw malformed('DER: a length that is not the shortest.')
  return [at + 1 + count, length]
}
