import { gunzipSync, inflateRawSync, inflateSync } from 'node:zlib'

// Loot: what of the planted canaries stands in bytes that the attacker held, however it is written: UTF-8, UTF-16, base64, hex, URL
// encoding, compressed, backwards, numbers in groups of digits. What was decoded is searched again, a few levels deep.

export type Canary = { what: string; text: string }
export type Loot = { what: string; text: string; how: string }

const DEEP = 3
const MAX_DECODED = 64 * 1024 * 1024

/** Finds canaries in any number of places. `seen` are those found, each once. */
export function lootSearch(canaries: readonly Canary[]) {
  const needles = createNeedles(canaries.flatMap(forms))
  const digits = createNeedles(canaries.flatMap(digitForms))
  const seen = new Map<Canary, Loot>()
  const add = (found: readonly Form[], how: string) => {
    for (const { canary, form } of found)
      if (!seen.has(canary)) seen.set(canary, { ...canary, how: [how, form].filter(Boolean).join(' in ') })
  }

  function search(bytes: Buffer, how = '', depth = 0) {
    if (bytes.length < 4) return
    add(needles.in(bytes), how)
    const numbers = onlyDigits(bytes)
    if (numbers.length > 0) add(digits.in(numbers), how)
    if (depth >= DEEP) return
    for (const [name, inner] of decoded(bytes)) search(inner, [name, how].filter(Boolean).join(' in '), depth + 1)
  }
  return {
    search,
    seen,
    get found(): Loot[] {
      return [...seen.values()]
    },
  }
}

type Form = { canary: Canary; form: string; bytes: Buffer }

/** How a text may stand in bytes as it is. */
function forms(canary: Canary): Form[] {
  const { text } = canary
  const written = new Map<string, Buffer>()
  for (const [name, one] of [
    ['', text],
    ['lower case', text.toLowerCase()],
    ['upper case', text.toUpperCase()],
    ['reversed', [...text].reverse().join('')],
    ['URL encoding', encodeURIComponent(text)],
    ['form encoding', encodeURIComponent(text).replaceAll('%20', '+')],
    ['JSON escapes', escaped(text)],
  ] as const) {
    written.set(name, Buffer.from(one, 'utf8'))
    written.set(`${name} UTF-16`.trim(), Buffer.from(one, 'utf16le'))
    written.set(`${name} UTF-16 big-endian`.trim(), Buffer.from(one, 'utf16le').swap16())
  }
  return [...written].map(([form, bytes]) => ({ canary, form, bytes }))
}

const escaped = (text: string) =>
  text.replace(/[^\x20-\x7e]/g, sign => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`)

/** A number as its digits alone, forwards and backwards: the haystack loses what stands between its digits. */
function digitForms(canary: Canary): Form[] {
  const digits = canary.text.replace(/\D/g, '')
  if (digits.length < 8 || /[a-z]/i.test(canary.text)) return []
  const forward = Buffer.from(digits)
  return [
    { canary, form: 'groups of digits', bytes: forward },
    { canary, form: 'groups of digits, reversed', bytes: Buffer.from(forward).reverse() },
  ]
}

/** Runs of digits with at most two of `+ - . / ( ) space` between them, without what stands between; runs apart by a zero byte. */
function onlyDigits(bytes: Buffer): Buffer {
  const runs: string[] = []
  for (const [run] of bytes.toString('latin1').matchAll(/\d(?:[ +./()-]{0,2}\d){7,}/g))
    runs.push(run.replace(/\D/g, ''))
  return Buffer.from(runs.join('\0'))
}

/** What stands in these bytes in another form. */
function* decoded(bytes: Buffer): Generator<[string, Buffer]> {
  const text = bytes.toString('latin1')
  const hex: Buffer[] = []
  for (const [run] of text.matchAll(/(?:[0-9a-f]{2}){8,}|(?:[0-9A-F]{2}){8,}/g)) {
    hex.push(Buffer.from(run, 'hex'), Buffer.from(run.slice(1, run.length - (run.length % 2 ? 0 : 1)), 'hex'), GAP)
  }
  if (hex.length > 0) yield ['hex', Buffer.concat(hex)]
  const base64: Buffer[] = []
  for (const [run] of text.matchAll(/[A-Za-z0-9+/_-]{12,}/g))
    for (let shift = 0; shift < 4; shift++) base64.push(Buffer.from(run.slice(shift), 'base64'), GAP)
  if (base64.length > 0) yield ['base64', Buffer.concat(base64)]
  const percent = [
    ...text.matchAll(/(?:%[0-9a-fA-F]{2}|[A-Za-z0-9._~+-])*%[0-9a-fA-F]{2}(?:%[0-9a-fA-F]{2}|[A-Za-z0-9._~+-])*/g),
  ]
  if (percent.length > 0)
    yield ['URL encoding', Buffer.concat(percent.flatMap(([run]) => [Buffer.from(unescaped(run), 'latin1'), GAP]))]
  for (const inner of inflated(bytes)) yield ['compression', inner]
}
const GAP = Buffer.from([0])
const unescaped = (run: string) =>
  run.replace(/%([0-9a-fA-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))

function* inflated(bytes: Buffer): Generator<Buffer> {
  const options = { maxOutputLength: MAX_DECODED, finishFlush: 2 }
  for (let at = bytes.indexOf(GZIP); at >= 0; at = bytes.indexOf(GZIP, at + 1)) {
    try {
      // Without optional fields the header has ten bytes; what follows the stream then does no harm.
      yield bytes[at + 3] === 0
        ? inflateRawSync(bytes.subarray(at + 10), options)
        : gunzipSync(bytes.subarray(at), options)
    } catch {} // three bytes that look like it
  }
  for (const second of [0x01, 0x5e, 0x9c, 0xda])
    for (let at = bytes.indexOf(Buffer.from([0x78, second])); at >= 0 && at < bytes.length; ) {
      try {
        yield inflateSync(bytes.subarray(at), options)
      } catch {}
      at = bytes.indexOf(Buffer.from([0x78, second]), at + 1)
    }
}
const GZIP = Buffer.from([0x1f, 0x8b, 0x08])

/** Many needles in one pass: a bitmap over their first four bytes, and a comparison where it says maybe. */
export function createNeedles<Needle extends { bytes: Buffer }>(all: readonly Needle[]) {
  const bitmap = new Uint8Array(1 << SLOT_BITS)
  const buckets = new Map<number, Needle[]>()
  for (const form of all) {
    if (form.bytes.length < 6) continue
    const first = form.bytes.readUInt32LE(0)
    bitmap[slot(first)] = 1
    const bucket = buckets.get(first)
    if (bucket) bucket.push(form)
    else buckets.set(first, [form])
  }
  return {
    in(bytes: Buffer): Needle[] {
      const found = new Set<Needle>()
      if (bytes.length < 6) return []
      let word = bytes.readUInt32LE(0)
      for (let at = 0; ; at++) {
        if (bitmap[slot(word)] === 1)
          for (const form of buckets.get(word) ?? [])
            if (form.bytes.equals(bytes.subarray(at, at + form.bytes.length))) found.add(form)
        if (at + 4 >= bytes.length) return [...found]
        word = ((word >>> 8) | (bytes[at + 4]! << 24)) >>> 0
      }
    },
  }
}
const SLOT_BITS = 20
const slot = (word: number) => Math.imul(word, 0x9e3779b1) >>> (32 - SLOT_BITS)
