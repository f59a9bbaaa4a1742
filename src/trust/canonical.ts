import { BulkheadError } from '../base/errors.ts'

export type Json = string | number | boolean | null | Json[] | { [key: string]: Json }

/** RFC 8785 (JCS). Only what statements use: strings of whole Unicode, safe integers, booleans, null, arrays, objects. */
export function canonical(value: unknown): string {
  if (value === null || typeof value === 'boolean') return String(value)
  if (typeof value === 'number') return canonicalNumber(value)
  if (typeof value === 'string') return canonicalString(value)
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (typeof value !== 'object') throw new BulkheadError('MALFORMED', `A statement cannot hold a ${typeof value}.`)
  const members = Object.entries(value as Record<string, unknown>).filter(([, item]) => item !== undefined)
  members.sort(([a], [b]) => (a < b ? -1 : 1)) // JavaScript compares UTF-16 code units, which is what RFC 8785 section 3.2.3 asks
  return `{${members.map(([key, item]) => `${canonicalString(key)}:${canonical(item)}`).join(',')}}`
}

function canonicalNumber(value: number): string {
  // Statements hold whole numbers only: one spelling for each, in every language.
  if (!Number.isSafeInteger(value) || Object.is(value, -0))
    throw new BulkheadError('MALFORMED', 'A statement holds whole numbers below 2^53 only.')
  return String(value)
}

function canonicalString(value: string): string {
  if (!value.isWellFormed())
    throw new BulkheadError('MALFORMED', 'A statement holds half a character (a lone surrogate).')
  return JSON.stringify(value)
}

const MAX_STATEMENT = 16 * 1024 * 1024

/** Parses text that must already be canonical: any other spelling of the same value (spaces, duplicate keys, other number forms) is refused. */
export function parseCanonical(text: string): Json {
  if (text.length > MAX_STATEMENT) throw new BulkheadError('LIMIT', 'A statement over 16 MiB.')
  let value: Json
  try {
    value = JSON.parse(text) as Json
  } catch (cause) {
    throw new BulkheadError('MALFORMED', 'A statement that is not JSON.', { cause })
  }
  if (canonical(value) !== text)
    throw new BulkheadError('MALFORMED', 'A statement that is not in canonical form (RFC 8785).')
  return value
}
