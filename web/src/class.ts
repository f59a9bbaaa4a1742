import { classOf as classByRules, DESTROY_COMMANDS } from '../../src/trust/rules.ts'
import { keysOfCommand } from '../../src/wire/apple/check.ts'
import type { PlistValue } from '../../src/wire/plist/value.ts'
import type { OrderClass } from './api.ts'
import { isDict, type Plist, PlistData, type PlistDict, readPlist } from './plist.ts'
import { fromBase64 } from './statement.ts'

/** The identifier of our enrolment profile, as every enrolment has it. */
export const PROFILE_IDENTIFIER = 'eu.bulkhead.enrolment'

/** What a command can do, worked out in this browser from its bytes. The rules are the server's; who reads the bytes is this page. */
export const classOf = (command: PlistDict): OrderClass =>
  classByRules(dictOf(command), { mdmProfile: PROFILE_IDENTIFIER, decode: bytes => plistValue(readPlist(bytes)) })

/** Of a command that cannot all be seen: what destroys by its name alone is known without the rest, and there is nothing graver. */
export const classOfUnseen = (action: string): OrderClass | 'unknown' =>
  DESTROY_COMMANDS.has(action) ? 'destroy' : 'unknown'

/** Whether the schema has a command of this name. */
export const isKnown = (action: string): boolean => keysOfCommand(action) !== undefined

/** Whether this page can show all of a command: a file in it that is no plain property list hides what it says. */
export const isSeen = (command: PlistDict): boolean =>
  Object.values(command).every(value => !(value instanceof PlistData) || isReadable(value.base64))

function isReadable(base64: string): boolean {
  if (isHole(base64)) return true
  try {
    return isDict(readPlist(fromBase64(base64)))
  } catch {
    return false
  }
}

const isHole = (text: string) => /^\{\{[a-z-]+\}\}$/.test(text)

function plistValue(plist: Plist): PlistValue {
  if (typeof plist !== 'object') return plist
  if (Array.isArray(plist)) return plist.map(plistValue)
  if (isDict(plist)) return dictOf(plist)
  return isHole(plist.base64) ? new Uint8Array() : fromBase64(plist.base64)
}

function dictOf(plist: PlistDict): { [key: string]: PlistValue } {
  const dict: { [key: string]: PlistValue } = Object.create(null)
  for (const [key, value] of Object.entries(plist)) dict[key] = plistValue(value)
  return dict
}
