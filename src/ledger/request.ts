import { BulkheadError } from '../base/errors.ts'
import { type Delivery, type LogName, MAX_BATCH, MAX_DELIVERIES, type NewEntry } from './api.ts'

/** What comes over a socket, checked field by field. Everything here throws BAD_REQUEST, or LIMIT. */
export type Params = {
  log(): LogName
  /** A whole number from 0. */
  count(name: string): number
  optionalCount(name: string): number | undefined
  text(name: string): string
  /** At most 50. */
  texts(name: string): string[]
  /** False where it is not there. */
  flag(name: string): boolean
  entries(): NewEntry[]
  deliveries(): Delivery[]
  /** CommandUUIDs. */
  commands(name: string): string[]
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
    texts: name =>
      listOf(value[name], 50).map(item => (typeof item === 'string' ? item : raise(`"${name}" are strings.`))),
    flag: name => {
      const flag = value[name] ?? false
      if (typeof flag !== 'boolean') throw bad(`"${name}" is true or false.`)
      return flag
    },
    entries: () => readEntries(value.entries),
    deliveries: () => listOf(value.deliveries, MAX_DELIVERIES).map(readDelivery),
    commands: name => listOf(value[name], MAX_DELIVERIES).map(item => uuid(item, name)),
  }
}

function listOf(value: unknown, most: number): unknown[] {
  if (!Array.isArray(value)) throw bad('A list was expected.')
  if (value.length > most) throw new BulkheadError('LIMIT', `At most ${most} are taken at once.`)
  return value
}

const uuid = (value: unknown, name: string): string => {
  if (typeof value === 'string' && /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(value)) return value
  throw bad(`"${name}" is a UUID.`)
}

function readDelivery(item: unknown): Delivery {
  if (!isObject(item)) throw bad('A delivery is an object.')
  const { class: kind, counted } = item
  if (typeof kind !== 'string' || !/^[a-z]{1,20}$/.test(kind) || typeof counted !== 'boolean')
    throw bad('A delivery has a class, and is counted or not.')
  const of = (name: string) => uuid(item[name], name)
  return { command: of('command'), order: of('order'), device: of('device'), class: kind, counted }
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
const raise = (message: string): never => {
  throw bad(message)
}
const bad = (message: string) => new BulkheadError('BAD_REQUEST', message)
