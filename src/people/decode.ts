import { BulkheadError } from '../base/errors.ts'

/** What a file may be. Names in a wrong encoding would be stored wrong for ever, so nothing but Unicode is guessed. */
export const ENCODINGS = [
  'utf-8',
  'utf-16le',
  'utf-16be',
  'windows-1252',
  'windows-1250',
  'windows-1251',
  'iso-8859-2',
  'iso-8859-15',
] as const
export type Encoding = (typeof ENCODINGS)[number]
export const MOST_BYTES = 64 * 1024 * 1024

/** Text and how it was read. `encoding` where somebody says which it is. Throws LIMIT, or MALFORMED with the line that is not in it. */
export function decodeText(bytes: Uint8Array, encoding?: Encoding): { text: string; encoding: Encoding } {
  if (bytes.length > MOST_BYTES) throw new BulkheadError('LIMIT', 'The file is larger than 64 MiB.')
  const found = encoding ?? unicodeOf(bytes)
  try {
    return { text: new TextDecoder(found, { fatal: true }).decode(bytes), encoding: found }
  } catch (cause) {
    throw notIn(bytes, found, cause)
  }
}

/** By its mark, or by the zeroes that UTF-16 has beside Latin letters, commas and ends of lines. */
function unicodeOf(bytes: Uint8Array): Encoding {
  const [first, second] = bytes
  if (first === 0xff && second === 0xfe) return 'utf-16le'
  if (first === 0xfe && second === 0xff) return 'utf-16be'
  const start = bytes.subarray(0, 2000)
  const zeroes = [0, 1].map(side => start.filter((byte, at) => byte === 0 && at % 2 === side).length)
  if (zeroes[1]! * 8 > start.length && zeroes[0] === 0) return 'utf-16le'
  if (zeroes[0]! * 8 > start.length && zeroes[1] === 0) return 'utf-16be'
  return 'utf-8'
}

function notIn(bytes: Uint8Array, encoding: Encoding, cause: unknown): BulkheadError {
  const remedy = 'Save it as “CSV UTF-8”, or say which encoding it has, such as windows-1252.'
  if (encoding !== 'utf-8') return new BulkheadError('MALFORMED', `The file is not in ${encoding}.`, { remedy, cause })
  const lines = linesOf(bytes)
  const wrong = lines.flatMap((line, at) => (isUtf8(line) ? [] : [at + 1]))
  const mixed = lines.some(line => line.some(byte => byte > 127) && isUtf8(line))
  const where = `line ${wrong.slice(0, 5).join(', ')}${wrong.length > 5 ? ' and others' : ''}`
  const what = mixed
    ? `The file mixes encodings: it is UTF-8, but not in ${where}.`
    : `The file is not UTF-8 (${where}); it may be ${couldBe1252(bytes) ? 'windows-1252' : 'in another encoding'}.`
  return new BulkheadError('MALFORMED', what, { remedy, cause })
}

function linesOf(bytes: Uint8Array): Uint8Array[] {
  const lines: Uint8Array[] = []
  for (let from = 0; from <= bytes.length; ) {
    const end = bytes.indexOf(10, from)
    lines.push(bytes.subarray(from, end < 0 ? bytes.length : end))
    from = end < 0 ? bytes.length + 1 : end + 1
  }
  return lines
}

function isUtf8(bytes: Uint8Array): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    return true
  } catch {
    return false
  }
}
/** Five of its places stand for nothing. */
const couldBe1252 = (bytes: Uint8Array) => !bytes.some(byte => [0, 0x81, 0x8d, 0x8f, 0x90, 0x9d].includes(byte))
