/**
 * As much of Node's Buffer as the code that judges signatures uses, so that it runs here unchanged. Where the two could differ, this one throws.
 */
type Encoding = 'utf8' | 'hex' | 'base64' | 'base64url' | 'latin1'

class PageBuffer extends Uint8Array<ArrayBuffer> {
  static override from(value: unknown, encoding?: unknown, length?: unknown): PageBuffer {
    if (typeof value === 'string') return copyOf(decode(value, (encoding ?? 'utf8') as Encoding))
    if (value instanceof ArrayBuffer) return new PageBuffer(value, encoding as number, length as number)
    return copyOf(value as ArrayLike<number>)
  }
  static alloc(size: number, fill = 0): PageBuffer {
    return new PageBuffer(new ArrayBuffer(size)).fill(fill)
  }
  static allocUnsafe(size: number): PageBuffer {
    return new PageBuffer(new ArrayBuffer(size))
  }
  static concat(parts: readonly Uint8Array[]): PageBuffer {
    const whole = new PageBuffer(new ArrayBuffer(parts.reduce((sum, { length }) => sum + length, 0)))
    let at = 0
    for (const part of parts) {
      whole.set(part, at)
      at += part.length
    }
    return whole
  }
  equals(other: Uint8Array): boolean {
    return this.length === other.length && this.every((byte, at) => byte === other[at])
  }
  override toString(encoding: Encoding = 'utf8', start = 0, end = this.length): string {
    return encode(this.subarray(start, end), encoding)
  }
  readUIntBE(at: number, width: number): number {
    if (at < 0 || width < 1 || width > 6 || at + width > this.length) throw new RangeError('Outside of the bytes.')
    let value = 0
    for (let place = at; place < at + width; place++) value = value * 256 + this[place]!
    return value
  }
  readUInt32BE(at = 0): number {
    return this.readUIntBE(at, 4)
  }
  readBigUInt64BE(at = 0): bigint {
    return (BigInt(this.readUInt32BE(at)) << 32n) | BigInt(this.readUInt32BE(at + 4))
  }
}

function copyOf(bytes: ArrayLike<number>): PageBuffer {
  const copy = new PageBuffer(new ArrayBuffer(bytes.length))
  copy.set(bytes)
  return copy
}

function decode(text: string, encoding: Encoding): ArrayLike<number> {
  if (encoding === 'utf8') return new TextEncoder().encode(text)
  if (encoding === 'latin1') return Array.from(text, char => char.charCodeAt(0))
  if (encoding === 'hex') return (text.match(/[0-9a-f]{2}/gi) ?? []).map(pair => Number.parseInt(pair, 16))
  if (encoding === 'base64' || encoding === 'base64url') return fromBase64(text)
  throw new TypeError(`Bytes cannot be read from ${encoding} here.`)
}

/** Either alphabet, with or without padding, and a last letter too many passed over, all as Node does. */
function fromBase64(text: string): ArrayLike<number> {
  const plain = text
    .replaceAll('-', '+')
    .replaceAll('_', '/')
    .replace(/={1,2}$/, '')
  if (!/^[A-Za-z0-9+/]*$/.test(plain)) throw new TypeError('This is not base64.')
  return Array.from(atob(plain.length % 4 === 1 ? plain.slice(0, -1) : plain), char => char.charCodeAt(0))
}

function encode(bytes: Uint8Array, encoding: Encoding): string {
  if (encoding === 'utf8') return new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes)
  if (encoding === 'hex') return Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('')
  let latin = ''
  for (const byte of bytes) latin += String.fromCharCode(byte)
  if (encoding === 'latin1') return latin
  const base64 = btoa(latin)
  if (encoding === 'base64') return base64
  if (encoding === 'base64url') return base64.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
  throw new TypeError(`Bytes cannot be written in ${encoding} here.`)
}

export function isUtf8(bytes: Uint8Array): boolean {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes) !== undefined
  } catch {
    return false
  }
}

export { PageBuffer as Buffer }
