/** Commands from what a person types: `KEY=VALUE`, with the types of Apple's schema. */
import { BulkheadError } from '../../base/errors.ts'
import { decodePlist, type PlistDict, type PlistValue } from '../plist/plist.ts'
import { checkCommand, keysOfCommand, requestTypes } from './check.ts'
import { dictOf, isDict, own } from './dict.ts'
import type { Key } from './facts.generated.ts'
import { requirePin } from './known.ts'
import { clip, nearest } from './near.ts'

/** Commands whose body is one file that goes into one key as it is. */
const FILE_KEYS = new Map([
  ['InstallProfile', 'Payload'],
  ['InstallProvisioningProfile', 'ProvisioningProfile'],
])
const MAX_SETS = 256
const MAX_ITEMS = 256

/**
 * Builds a Command dictionary. A set is `KEY=VALUE`, with dots for keys within keys (`Options.PurchaseMethod=1`), the
 * position for items of an array (`Updates.0.InstallAction=Default`), and the name for items of Settings
 * (`Settings.Bluetooth.Enabled=true`). Arrays of plain values are separated by commas, data is base64, dates ISO 8601.
 * `body` is the profile for InstallProfile, and for other types a plist of the whole Command dictionary.
 * Throws BAD_REQUEST with a remedy.
 */
export function commandFromSets(requestType: string, sets: readonly string[], body?: Uint8Array): PlistDict {
  if (sets.length > MAX_SETS) throw new BulkheadError('LIMIT', `More than ${MAX_SETS} keys are set.`)
  const command = startFrom(requestType, body)
  const keys = keysOfCommand(requestType)
  if (keys === undefined && sets.length > 0)
    throw refuse(
      `${requestType} is not a command of the schema.`,
      `Nearest: ${nearest(requestType, requestTypes()).join(', ')}. For a newer command give the whole dictionary as a plist with --body.`,
    )
  for (const set of sets) applySet(command, keys ?? [], set)
  checkCommand(command)
  requirePin(command)
  return command
}

function startFrom(requestType: string, body: Uint8Array | undefined): PlistDict {
  if (body === undefined) return dictOf([['RequestType', requestType]])
  const fileKey = FILE_KEYS.get(requestType)
  if (fileKey !== undefined)
    return dictOf([
      ['RequestType', requestType],
      [fileKey, body],
    ])
  const command = decodePlist(body)
  if (!isDict(command)) throw refuse('The body is not a dictionary.', 'Give the Command dictionary as a plist.')
  const named = own(command, 'RequestType') ?? requestType
  if (named !== requestType) throw refuse('The body has another RequestType than was asked for.', 'Make them equal.')
  command.RequestType = requestType
  return command
}

function applySet(command: PlistDict, keys: readonly Key[], set: string): void {
  const equals = set.indexOf('=')
  if (equals < 1) throw refuse(`"${clip(set)}" is not KEY=VALUE.`, 'Write the key, an equals sign and the value.')
  const path = set.slice(0, equals).split('.')
  if (path[0] === 'RequestType') throw refuse('RequestType cannot be set.', 'It is the type that was asked for.')
  setIn(command, keys, path, set.slice(equals + 1), set.slice(0, equals))
}

function setIn(dict: PlistDict, keys: readonly Key[], path: string[], text: string, full: string): void {
  const [name = '', ...rest] = path
  const key = findKey(keys, name, full)
  if (rest.length === 0) {
    if (Object.hasOwn(dict, name)) throw refuse(`${clip(full)} is set twice.`, 'Set it once.')
    dict[name] = typedValue(text, key, full)
  } else if (key.type === 'dictionary') setIn(childOf(dict, name, full), key.keys ?? [], rest, text, full)
  else if (key.type === 'array') setInItem(dict, key, rest, text, full)
  else throw refuse(`${clip(full)}: ${key.name} is ${key.type} and has no keys.`, 'Leave out what follows it.')
}

function setInItem(dict: PlistDict, key: Key, path: string[], text: string, full: string): void {
  const list = own(dict, key.name) ?? []
  if (!Array.isArray(list)) throw refuse(`${key.name} is set twice.`, 'Set it once.')
  dict[key.name] = list
  const [which = '', ...rest] = path
  const kinds = key.keys ?? []
  const only = kinds.length === 1 ? kinds[0] : undefined
  if (only !== undefined && only.type !== 'dictionary')
    throw refuse(`${clip(full)}: the items of ${key.name} are ${only.type}.`, `Write ${key.name}=ONE,TWO.`)
  if (rest.length === 0) throw refuse(`${clip(full)} names no key of the item.`, 'Add a dot and the key.')
  const kind = only ?? findKey(kinds, which, full)
  const item = only === undefined ? namedItem(list, kind.name) : numberedItem(list, which, full)
  setIn(item, kind.keys ?? [], rest, text, full)
}

function namedItem(list: PlistValue[], name: string): PlistDict {
  const found = list.filter(isDict).find(item => own(item, 'Item') === name)
  if (found !== undefined) return found
  const item = dictOf([['Item', name]])
  list.push(item)
  return item
}

function numberedItem(list: PlistValue[], text: string, full: string): PlistDict {
  const index = /^\d{1,3}$/.test(text) ? Number(text) : -1
  if (index < 0 || index > list.length || index >= MAX_ITEMS)
    throw refuse(`${clip(full)}: the position should be 0 to ${list.length}.`, 'Number the items from 0, without gaps.')
  list[index] ??= dictOf()
  const item = list[index]
  if (!isDict(item)) throw refuse(`${clip(full)}: the item is not a dictionary.`, 'Change it in the body.')
  return item
}

function childOf(dict: PlistDict, name: string, full: string): PlistDict {
  const child = own(dict, name) ?? dictOf()
  if (!isDict(child)) throw refuse(`${clip(full)}: ${name} is not a dictionary.`, 'Change it in the body.')
  dict[name] = child
  return child
}

/** A key called ANY stands for every name. */
function findKey(keys: readonly Key[], name: string, full: string): Key {
  const found = keys.find(key => key.name === name) ?? keys.find(key => key.name === 'ANY')
  if (found !== undefined && name !== '') return { ...found, name }
  const names = keys.map(key => key.name)
  const remedy = names.length === 0 ? 'It has no keys.' : `Nearest: ${nearest(name, names).join(', ')}.`
  throw refuse(`${clip(full)}: there is no key "${clip(name)}".`, remedy)
}

function typedValue(text: string, key: Key, full: string): PlistValue {
  const value = key.type === 'array' ? listOf(text, key, full) : scalarOf(text, key)
  if (value !== undefined) return value
  throw refuse(`${clip(full)} should be ${key.type}.`, FORMS[key.type] ?? 'Set the keys within it, or use --body.')
}

function listOf(text: string, key: Key, full: string): PlistValue[] {
  const kind = key.keys?.[0]
  if (kind === undefined || key.keys!.length > 1 || kind.type === 'dictionary' || kind.type === 'array')
    throw refuse(
      `${clip(full)} is an array of dictionaries.`,
      `Write ${key.name}.0.KEY=VALUE, or ${key.name}.NAME.KEY=VALUE for items that have names.`,
    )
  return text === '' ? [] : text.split(',').map(part => typedValue(part, kind, full))
}

const FORMS: Record<string, string> = {
  boolean: 'Write true or false.',
  integer: 'Write a whole number.',
  real: 'Write a number.',
  data: 'Write base64, or use --body.',
  date: 'Write it like 2026-01-30T12:00:00Z.',
}

function scalarOf(text: string, key: Key): PlistValue | undefined {
  switch (key.type) {
    case 'string':
    case 'any':
      return text
    case 'boolean':
      return text === 'true' ? true : text === 'false' ? false : undefined
    case 'integer':
      return /^-?\d{1,15}$/.test(text) ? Number(text) : undefined
    case 'real':
      return /^-?\d{1,15}(\.\d{1,15})?$/.test(text) ? Number(text) : undefined
    case 'data':
      return base64(text)
    case 'date':
      return isoDate(text)
    default:
      return undefined
  }
}

function base64(text: string): Uint8Array | undefined {
  const bytes = Buffer.from(text, 'base64')
  return bytes.toString('base64') === text ? new Uint8Array(bytes) : undefined
}

function isoDate(text: string): Date | undefined {
  const date = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(text) ? new Date(text) : undefined
  return date === undefined || Number.isNaN(date.getTime()) ? undefined : date
}

function refuse(message: string, remedy: string): BulkheadError {
  return new BulkheadError('BAD_REQUEST', message, { remedy })
}
