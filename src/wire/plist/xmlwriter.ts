import { escapeText } from './characters.ts'
import { DEPTH_CEILING, malformed, overLimit } from './limits.ts'
import { APPLE_PROLOG } from './prolog.ts'
import { encodeBase64, encodeDate, finite, narrowInteger } from './scalar.ts'
import { isDictionary, type PlistInput, PlistReal } from './value.ts'

/**
 * Writes an XML property list with Apple's document type, keys in insertion order (keys that look like array indices come
 * first, as in every JavaScript object). Throws MALFORMED for what XML cannot hold, LIMIT beyond 512 levels.
 */
export function encodeXmlPlist(value: PlistInput): Uint8Array {
  return new TextEncoder().encode(`${APPLE_PROLOG}${element(value, '')}</plist>\n`)
}

function element(value: PlistInput, indent: string): string {
  if (indent.length > DEPTH_CEILING) throw overLimit('levels')
  if (typeof value === 'object') return structure(value, indent)
  return `${indent}${scalar(value)}\n`
}

function scalar(value: PlistInput): string {
  switch (typeof value) {
    case 'string':
      return `<string>${escapeText(value)}</string>`
    case 'boolean':
      return value ? '<true/>' : '<false/>'
    case 'bigint':
      return `<integer>${narrowInteger(value)}</integer>`
    case 'number':
      return Number.isSafeInteger(value) ? `<integer>${value}</integer>` : real(value)
    default:
      throw malformed('a value has no place in one')
  }
}

function real(value: number): string {
  return `<real>${finite(value)}</real>`
}

function structure(value: PlistInput & object, indent: string): string {
  if (Array.isArray(value)) return array(value, indent)
  if (value instanceof Uint8Array) return `${indent}<data>${encodeBase64(value)}</data>\n`
  if (value instanceof Date) return `${indent}<date>${encodeDate(value)}</date>\n`
  if (value instanceof PlistReal) return `${indent}${real(value.value)}\n`
  if (isDictionary(value)) return dict(value, indent)
  throw malformed('a value has no place in one')
}

function array(value: readonly PlistInput[], indent: string): string {
  if (value.length === 0) return `${indent}<array/>\n`
  let out = `${indent}<array>\n`
  for (const item of value) out += element(item, `${indent}\t`)
  return `${out}${indent}</array>\n`
}

function dict(value: { readonly [key: string]: PlistInput }, indent: string): string {
  const keys = Object.keys(value)
  if (keys.length === 0) return `${indent}<dict/>\n`
  let out = `${indent}<dict>\n`
  for (const key of keys) out += `${indent}\t<key>${escapeText(key)}</key>\n${element(value[key]!, `${indent}\t`)}`
  return `${out}${indent}</dict>\n`
}
