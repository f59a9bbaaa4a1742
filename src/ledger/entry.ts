import { BulkheadError } from '../base/errors.ts'
import { MAX_ENTRY } from './api.ts'

const MAX_DEPTH = 16
const MAX_UNIQUE = 512

export type Entry = { bytes: Buffer; type: string; unique: string | undefined }

/** Reads what a caller wants logged. Throws LIMIT or BAD_REQUEST. */
export function decodeEntry(text: string, most = MAX_ENTRY): Entry {
  // The length in UTF-16 first: counting the bytes of a huge text would cost more than refusing it.
  if (text.length > most || Buffer.byteLength(text) > most)
    throw new BulkheadError('LIMIT', `An entry has at most ${most} bytes.`)
  const value = parse(text)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw bad('An entry is a JSON object.')
  const { type, unique } = value as { type?: unknown; unique?: unknown }
  if (typeof type !== 'string' || type === '') throw bad('An entry has a string "type".')
  if (canonical(value, 0) !== text) throw bad('An entry is in the canonical form of RFC 8785.')
  return { bytes: Buffer.from(text), type, unique: decodeUnique(type, unique) }
}

/** The key begins with the type, so that no caller can use up the keys of another's entries. */
function decodeUnique(type: string, unique: unknown): string | undefined {
  if (unique === undefined) return undefined
  if (typeof unique !== 'string' || unique.length > MAX_UNIQUE || !unique.startsWith(`${type}:`))
    throw bad(`"unique" is a string of at most ${MAX_UNIQUE} characters that begins with the type and a colon.`)
  return unique
}

/** The unique key within a logged entry, whose form was checked when it came in. */
export function uniqueOf(entry: Buffer): string | undefined {
  if (!entry.includes('"unique":')) return undefined // most have none, and parsing millions at start takes long
  const { unique } = JSON.parse(entry.toString()) as { unique?: string }
  return unique
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw bad('An entry is JSON.')
  }
}

/** RFC 8785. Comparing with it also refuses repeated names, which JSON.parse drops in silence. */
function canonical(value: unknown, depth: number): string {
  if (depth > MAX_DEPTH) throw new BulkheadError('LIMIT', `An entry is nested at most ${MAX_DEPTH} deep.`)
  if (typeof value === 'string' && !value.isWellFormed()) throw bad('An entry is Unicode without lone surrogates.')
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map(item => canonical(item, depth + 1)).join()}]`
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)) // by UTF-16 code units, as the RFC asks
  return `{${members.map(([name, item]) => `${canonical(name, depth)}:${canonical(item, depth + 1)}`).join()}}`
}

const bad = (message: string) => new BulkheadError('BAD_REQUEST', message)
