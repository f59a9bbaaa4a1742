/** SHA-256 (FIPS 180-4), at once: what WebCrypto gives is a promise, and the code that judges the control log waits for none. */

const primes: number[] = []
for (let candidate = 2; primes.length < 64; candidate++)
  if (primes.every(prime => candidate % prime !== 0)) primes.push(candidate)
const fraction = (root: number) => ((root - Math.floor(root)) * 2 ** 32) | 0
const ROUND = primes.map(prime => fraction(Math.cbrt(prime)))
const START = primes.slice(0, 8).map(prime => fraction(Math.sqrt(prime)))

const turn = (word: number, by: number) => (word >>> by) | (word << (32 - by))

export function sha256(message: Uint8Array): Uint8Array<ArrayBuffer> {
  const state = Int32Array.from(START)
  const blocks = padded(message)
  const words = new Int32Array(64)
  for (let at = 0; at < blocks.byteLength; at += 64) addBlock(state, words, blocks, at)
  const digest = new DataView(new ArrayBuffer(32))
  state.forEach((word, place) => {
    digest.setInt32(place * 4, word)
  })
  return new Uint8Array(digest.buffer)
}

/** The message, a one bit, zeroes, and its length in bits. */
function padded(message: Uint8Array): DataView {
  const bytes = new Uint8Array(Math.ceil((message.length + 9) / 64) * 64)
  bytes.set(message)
  bytes[message.length] = 0x80
  const view = new DataView(bytes.buffer)
  view.setBigUint64(bytes.length - 8, BigInt(message.length) * 8n)
  return view
}

function addBlock(state: Int32Array, words: Int32Array, blocks: DataView, at: number) {
  for (let t = 0; t < 16; t++) words[t] = blocks.getInt32(at + 4 * t)
  for (let t = 16; t < 64; t++) {
    const [late, early] = [words[t - 2]!, words[t - 15]!]
    const left = turn(late, 17) ^ turn(late, 19) ^ (late >>> 10)
    const right = turn(early, 7) ^ turn(early, 18) ^ (early >>> 3)
    words[t] = left + words[t - 7]! + right + words[t - 16]!
  }
  let [a, b, c, d, e, f, g, h] = state as unknown as [number, number, number, number, number, number, number, number]
  for (let t = 0; t < 64; t++) {
    const choice = (e & f) ^ (~e & g)
    const one = (h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + choice + ROUND[t]! + words[t]!) | 0
    const two = ((turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0
    h = g
    g = f
    f = e
    e = (d + one) | 0
    d = c
    c = b
    b = a
    a = (one + two) | 0
  }
  for (const [place, word] of [a, b, c, d, e, f, g, h].entries()) state[place]! += word
}
