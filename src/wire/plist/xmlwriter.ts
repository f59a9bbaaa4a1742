import { escapeText } from './characters.ts'
import { DEPTH_CEILING, malformed, overLimit } from './limits.ts'
import { APPLE_PROLOG } from './prolog.ts'
import { encodeBase64, encodeDate, finite, narrowInteger } from './scalar.ts'
import { isDictionary, type PlistInput, PlistReal } from './value.ts'

/** What a document may still take, in characters; each is a byte at least. */
type Room = { left: number }

/**
 * Writes an XML property list with Apple's document type, keys in insertion order (keys that look like array indices come
 * first, as in every JavaScript object). Throws MALFORMED for what XML cannot hold, LIMIT beyond 512 levels or `most` bytes,
 * as soon as they are passed: text that is escaped grows fivefold.
 */
export function encodeXmlPlist(value: PlistInput, most = Number.POSITIVE_INFINITY): Uint8Array {
  const bytes = new TextEncoder().encode(`${APPLE_PROLOG}${element(value, '', { left: most })}</plist>\n`)
  if (bytes.length > most) throw overLimit('bytes')
  return bytes
}

/** Pays for what was written. */
function paid(text: string, room: Room): string {
  room.left -= text.length
  if (room.left < 0) throw overLimit('bytes')
  return text
}

function element(value: PlistInput, indent: string, room: Room): string {
  if (indent.length > DEPTH_CEILING) throw overLimit('levels')
  if (Array.isArray(value)) return array(value, indent, room)
  if (isDictionary(value)) return dict(value, indent, room)
  return paid(`${indent}${scalar(value, room)}\n`, room)
}

function scalar(value: PlistInput, room: Room): string {
  switch (typeof value) {
    case 'string':
      return `<string>${escaped(value, room)}</string>`
    case 'boolean':
      return value ? '<true/>' : '<false/>'
    case 'bigint':
      return `<integer>${narrowInteger(value)}</integer>`
    case 'number':
      return Number.isSafeInteger(value) ? `<integer>${value}</integer>` : real(value)
    default:
      return object(value)
  }
}

/** Not even begun where the text alone is too long. */
function escaped(text: string, room: Room): string {
  if (text.length > room.left) throw overLimit('bytes')
  return escapeText(text)
}

function real(value: number): string {
  return `<real>${finite(value)}</real>`
}

function object(value: PlistInput): string {
  if (value instanceof Uint8Array) return `<data>${encodeBase64(value)}</data>`
  if (value instanceof Date) return `<date>${encodeDate(value)}</date>`
  if (value instanceof PlistReal) return real(value.value)
  throw malformed('a value has no place in one')
}

function array(value: readonly PlistInput[], indent: string, room: Room): string {
  if (value.length === 0) return paid(`${indent}<array/>\n`, room)
  let out = paid(`${indent}<array>\n`, room)
  for (const item of value) out += element(item, `${indent}\t`, room)
  return `${out}${paid(`${indent}</array>\n`, room)}`
}

function dict(value: { readonly [key: string]: PlistInput }, indent: string, room: Room): string {
  const keys = Object.keys(value)
  if (keys.length === 0) return paid(`${indent}<dict/>\n`, room)
  let out = paid(`${indent}<dict>\n`, room)
  for (const key of keys) {
    out += paid(`${indent}\t<key>${escaped(key, room)}</key>\n`, room)
    out += element(value[key]!, `${indent}\t`, room)
  }
  return `${out}${paid(`${indent}</dict>\n`, room)}`
}
