import type { PlistDict, PlistValue } from '../plist/value.ts'

/** Whether a value is a plist dictionary: not an array, a date or data. */
export function isDict(value: PlistValue | undefined): value is PlistDict {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof Date) &&
    !(value instanceof Uint8Array)
  )
}

/** A dictionary without a prototype, so that no key of a message can be mistaken for a built-in one. */
export function dictOf(entries: Iterable<readonly [string, PlistValue]> = []): PlistDict {
  const dict: PlistDict = Object.create(null)
  for (const [key, value] of entries) dict[key] = value
  return dict
}

/** The value under a key of the dictionary's own, or undefined. */
export function own(dict: PlistDict, key: string): PlistValue | undefined {
  return Object.hasOwn(dict, key) ? dict[key] : undefined
}

export function stringAt(dict: PlistDict, key: string): string | undefined {
  const value = own(dict, key)
  return typeof value === 'string' ? value : undefined
}

export function dataAt(dict: PlistDict, key: string): Uint8Array | undefined {
  const value = own(dict, key)
  return value instanceof Uint8Array ? value : undefined
}

/** A boolean that some clients send as a string or a number. Absent and anything else is false. */
export function looseBoolean(value: PlistValue | undefined): boolean {
  if (typeof value === 'string') return /^(1|true|yes)$/i.test(value)
  return value === true || value === 1 || value === 1n
}
