import { BulkheadError } from '../base/errors.ts'
import { type LogName, MAX_BATCH, type NewEntry } from './api.ts'

/** What comes over a socket, checked field by field. Everything here throws BAD_REQUEST, or LIMIT. */
export type Params = {
  log(): LogName
  /** A whole number from 0. */
  count(name: string): number
  optionalCount(name: string): number | undefined
  text(name: string): string
  /** False where it is not there. */
  flag(name: string): boolean
  entries(): NewEntry[]
}

export function readParams(value: unknown): Params {
  if (!isObject(value)) throw bad('Parameters are an object.')
  const count = (name: string) => {
    const number = value[name]
    if (!Number.isSafeInteger(number) || (number as number) < 0) throw bad(`"${name}" is a whole number.`)
    return number as number
  }
  return {
    count,
    optionalCount: name => (value[name] === undefined ? undefined : count(name)),
    log: () => {
      if (value.log !== 'main' && value.log !== 'control') throw bad('"log" is main or control.')
      return value.log
    },
    text: name => {
      const text = value[name]
      if (typeof text !== 'string') throw bad(`"${name}" is a string.`)
      return text
    },
    flag: name => {
      const flag = value[name] ?? false
      if (typeof flag !== 'boolean') throw bad(`"${name}" is true or false.`)
      return flag
    },
    entries: () => readEntries(value.entries),
  }
}

function readEntries(value: unknown): NewEntry[] {
  if (!Array.isArray(value)) throw bad('"entries" is an array.')
  if (value.length > MAX_BATCH) throw new BulkheadError('LIMIT', `At most ${MAX_BATCH} entries are appended at once.`)
  return value.map((item: unknown) => {
    if (!isObject(item) || typeof item.entry !== 'string') throw bad('Each entry is {entry, unique?}.')
    if (item.unique === undefined) return { entry: item.entry }
    if (typeof item.unique !== 'string') throw bad('"unique" is a string.')
    return { entry: item.entry, unique: item.unique }
  })
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
const bad = (message: string) => new BulkheadError('BAD_REQUEST', message)
