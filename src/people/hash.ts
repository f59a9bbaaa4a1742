import { type Bytes, concat, utf8 } from './bytes.ts'

/**
 * SHA-256 (FIPS 180-4), HMAC (RFC 2104) and HKDF (RFC 5869), at once. WebCrypto's are promises: indexing 50,000 people takes millions of HMACs,
 * and a promise each would take minutes. No branch and no address here depends on what is hashed.
 */
const primes: number[] = []
for (let candidate = 2; primes.length < 64; candidate++)
  if (primes.every(prime => candidate % prime !== 0)) primes.push(candidate)
const fraction = (root: number) => ((root - Math.floor(root)) * 2 ** 32) | 0
const ROUND = Int32Array.from(primes, prime => fraction(Math.cbrt(prime)))
const START = Int32Array.from(primes.slice(0, 8), prime => fraction(Math.sqrt(prime)))
const BLOCK = 64

const words = new Int32Array(64)

function compress(into: Int32Array, bytes: Uint8Array, at: number): void {
  for (let t = 0; t < 16; t++) {
    const byte = at + 4 * t
    words[t] = (bytes[byte]! << 24) | (bytes[byte + 1]! << 16) | (bytes[byte + 2]! << 8) | bytes[byte + 3]!
  }
  for (let t = 16; t < 64; t++) {
    const late = words[t - 2]!
    const early = words[t - 15]!
    const left = ((late >>> 17) | (late << 15)) ^ ((late >>> 19) | (late << 13)) ^ (late >>> 10)
    const right = ((early >>> 7) | (early << 25)) ^ ((early >>> 18) | (early << 14)) ^ (early >>> 3)
    words[t] = (left + words[t - 7]! + right + words[t - 16]!) | 0
  }
  let a = into[0]!
  let b = into[1]!
  let c = into[2]!
  let d = into[3]!
  let e = into[4]!
  let f = into[5]!
  let g = into[6]!
  let h = into[7]!
  for (let t = 0; t < 64; t++) {
    const turned = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7))
    const one = (h + turned + ((e & f) ^ (~e & g)) + ROUND[t]! + words[t]!) | 0
    const most = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10))
    const two = (most + ((a & b) ^ (a & c) ^ (b & c))) | 0
    h = g
    g = f
    f = e
    e = (d + one) | 0
    d = c
    c = b
    b = a
    a = (one + two) | 0
  }
  into[0] = (into[0]! + a) | 0
  into[1] = (into[1]! + b) | 0
  into[2] = (into[2]! + c) | 0
  into[3] = (into[3]! + d) | 0
  into[4] = (into[4]! + e) | 0
  into[5] = (into[5]! + f) | 0
  into[6] = (into[6]! + g) | 0
  into[7] = (into[7]! + h) | 0
}

// Taken anew by each hash, which nothing interrupts: making arrays would cost more than the hashing.
const state = new Int32Array(8)
const last = new Uint8Array(2 * BLOCK)
const inside = new Uint8Array(32)

/** Goes on from `from`, which has taken `before` bytes (whole blocks), and ends in `digest`. */
function finish(from: Int32Array, message: Uint8Array, before: number, digest: Bytes): Bytes {
  state.set(from)
  const { length } = message
  const rest = length % BLOCK
  for (let at = 0; at < length - rest; at += BLOCK) compress(state, message, at)
  const end = rest < 56 ? BLOCK : 2 * BLOCK
  last.fill(0)
  for (let at = 0; at < rest; at++) last[at] = message[length - rest + at]!
  last[rest] = 0x80
  const bits = (before + length) * 8
  for (let at = 0, left = bits; at < 7; at++, left = Math.floor(left / 256)) last[end - 1 - at] = left & 255
  for (let at = 0; at < end; at += BLOCK) compress(state, last, at)
  for (let at = 0; at < 32; at++) digest[at] = state[at >> 2]! >>> (24 - 8 * (at & 3))
  return digest
}

export const sha256 = (...parts: (string | Uint8Array)[]): Bytes =>
  finish(START, concat(...parts), 0, new Uint8Array(32))

/** HMAC-SHA256 under one key, whose two first blocks are worked out once. */
export function hmac(key: Uint8Array): (message: Uint8Array) => Bytes {
  const block = new Uint8Array(BLOCK)
  block.set(key.length > BLOCK ? sha256(key) : key)
  const begin = (mask: number) => {
    const begun = START.slice()
    const masked = block.map(byte => byte ^ mask)
    compress(begun, masked, 0)
    return begun
  }
  const [inner, outer] = [begin(0x36), begin(0x5c)]
  return message => finish(outer, finish(inner, message, BLOCK, inside), BLOCK, new Uint8Array(32))
}

/** HKDF-SHA256, extract and expand. At most 255 × 32 bytes. */
export function hkdf(ikm: Uint8Array, salt: Uint8Array, info: string | Uint8Array, length: number): Bytes {
  const expand = hmac(hmac(salt)(ikm))
  const tail = typeof info === 'string' ? utf8(info) : info
  const out = new Uint8Array(length)
  let block: Bytes = new Uint8Array(0)
  for (let at = 0, count = 1; at < length; at += 32, count++) {
    block = expand(concat(block, tail, Uint8Array.of(count)))
    out.set(block.subarray(0, length - at), at)
  }
  return out
}
