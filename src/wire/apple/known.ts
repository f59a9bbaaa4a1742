/** What must hold of a command before it is drafted, beyond the types of the schema. */
import { BulkheadError } from '../../base/errors.ts'
import type { PlistDict } from '../plist/value.ts'
import { keysOfCommand, requestTypes } from './check.ts'
import { own, stringAt } from './dict.ts'
import { clip, likely } from './near.ts'

/** A mistyped action must not become an order that every device refuses. Throws BAD_REQUEST naming the one that was likely meant. */
export function requireKnown(requestType: string): void {
  if (keysOfCommand(requestType) !== undefined) return
  const meant = likely(requestType, requestTypes())
  throw new BulkheadError('BAD_REQUEST', `No command "${clip(requestType)}" is known here.`, {
    remedy: `${meant === undefined ? '' : `Did you mean ${meant}? `}For a command that is newer than this program, say so: the tick in the app, or --unknown-action.`,
  })
}

const WITH_PIN = new Set(['DeviceLock', 'EraseDevice'])

/** Apple: a six-character PIN. A Mac whose PIN nobody can type stays locked. Throws BAD_REQUEST. */
export function requirePin(command: PlistDict): void {
  const type = stringAt(command, 'RequestType') ?? ''
  const pin = own(command, 'PIN')
  if (!WITH_PIN.has(type) || pin === undefined || (typeof pin === 'string' && /^[0-9]{6}$/.test(pin))) return
  throw new BulkheadError('BAD_REQUEST', `The PIN of ${type} is not six digits.`, {
    remedy: 'Give exactly six digits, for example 042719, and keep them: a Mac asks for them.',
  })
}
