/** Commands against Apple's schema. Keys the schema does not know pass: newer systems add some. */
import { BulkheadError } from '../../base/errors.ts'
import type { PlistDict, PlistValue } from '../plist/value.ts'
import { isDict, own, stringAt } from './dict.ts'
import { COMMANDS, type Key, type KeyType } from './facts.generated.ts'

const keysByType = new Map(COMMANDS.map(fact => [fact.requestType, fact.keys]))
const WELL_FORMED = /^[A-Za-z][A-Za-z0-9]{0,63}$/

/** The keys of a command by its RequestType; undefined for a type the schema does not know. */
export function keysOfCommand(requestType: string): readonly Key[] | undefined {
  return keysByType.get(requestType)
}

/** All request types of the schema, sorted. */
export function requestTypes(): string[] {
  return [...keysByType.keys()]
}

/**
 * Checks a Command dictionary (the inner one, with RequestType). `known` says whether the schema has the type; a type
 * that it has not is only checked for its form. Throws BAD_REQUEST naming the key and the type it should have.
 */
export function checkCommand(command: PlistDict): { known: boolean } {
  const type = stringAt(command, 'RequestType')
  if (type === undefined) throw new BulkheadError('BAD_REQUEST', 'RequestType is missing or is not a string.')
  if (!WELL_FORMED.test(type))
    throw new BulkheadError('BAD_REQUEST', 'RequestType is not 1 to 64 letters and digits that begin with a letter.')
  const keys = keysByType.get(type)
  if (keys === undefined) return { known: false }
  checkKeys(command, keys, type)
  return { known: true }
}

function checkKeys(dict: PlistDict, keys: readonly Key[], path: string): void {
  for (const key of keys) {
    const value = own(dict, key.name)
    const at = `${path}.${key.name}`
    if (value !== undefined) checkValue(value, key, at)
    else if (key.required && key.type !== 'any')
      throw new BulkheadError('BAD_REQUEST', `${at} is missing: ${key.type} expected.`)
  }
}

function checkValue(value: PlistValue, key: Key, at: string): void {
  if (!hasType(value, key.type))
    throw new BulkheadError('BAD_REQUEST', `${at} is ${typeName(value)}: ${key.type} expected.`)
  if (key.keys === undefined) return
  if (isDict(value)) checkKeys(value, key.keys, at)
  else if (Array.isArray(value))
    for (const [index, item] of value.entries()) checkItem(item, key.keys, `${at}[${index}]`)
}

/** An array either has one kind of items, or dictionaries that name their kind under `Item` (Settings). */
function checkItem(item: PlistValue, kinds: readonly Key[], at: string): void {
  const [only, second] = kinds
  if (only === undefined) return
  if (second === undefined) {
    checkValue(item, only, at)
    return
  }
  if (!isDict(item)) throw new BulkheadError('BAD_REQUEST', `${at} is ${typeName(item)}: dictionary expected.`)
  const name = stringAt(item, 'Item')
  if (name === undefined) throw new BulkheadError('BAD_REQUEST', `${at}.Item is missing: string expected.`)
  const kind = kinds.find(one => one.name === name)
  if (kind?.keys !== undefined) checkKeys(item, kind.keys, `${at}(${kind.name})`)
}

function hasType(value: PlistValue, type: KeyType): boolean {
  if (type === 'any') return true
  if (type === 'integer') return typeof value === 'bigint' || (typeof value === 'number' && Number.isInteger(value))
  if (type === 'real') return typeof value === 'number' || typeof value === 'bigint'
  return typeName(value) === type
}

function typeName(value: PlistValue): KeyType {
  if (typeof value === 'string') return 'string'
  if (typeof value === 'boolean') return 'boolean'
  if (typeof value === 'bigint' || Number.isInteger(value)) return 'integer'
  if (typeof value === 'number') return 'real'
  if (Array.isArray(value)) return 'array'
  if (value instanceof Date) return 'date'
  return value instanceof Uint8Array ? 'data' : 'dictionary'
}
