/** Connect messages: what a device says when it asks for its next command, or answers the last one. */
import { BulkheadError } from '../../base/errors.ts'
import type { PlistDict, PlistValue } from '../plist/plist.ts'
import { decodeSender, optional, type Sender } from './checkin.ts'
import { type ClearFacts, splitClear } from './clear.ts'
import { isDict, looseBoolean, own, stringAt } from './dict.ts'

const STATUSES = ['Idle', 'Acknowledged', 'Error', 'CommandFormatError', 'NotNow'] as const
export type Status = (typeof STATUSES)[number]

/**
 * A decoded connect message. `error` is the first of the ErrorChain: its number, and its domain where that has the form
 * of one of Apple's; the texts are in `personal`. `personal` is the rest of the message, to be sealed, undefined when nothing
 * but the envelope is there. An answer without a usable `commandUuid` still decodes: it must not block a queue.
 */
export type Connect = Sender & {
  status: Status
  commandUuid?: string
  requestType?: string
  notOnConsole: boolean
  error?: { code?: number; domain?: string }
  clear: ClearFacts
  personal?: PlistDict
}

const ENVELOPE: ReadonlySet<string> = new Set([
  'Status',
  'CommandUUID',
  'RequestType',
  'UDID',
  'EnrollmentID',
  'UserID',
  'EnrollmentUserID',
  'UserShortName',
  'UserLongName',
  'NotOnConsole',
])

const COMMAND_UUID = /^[0-9A-Za-z._:-]{1,128}$/
const REQUEST_TYPE = /^[A-Za-z][A-Za-z0-9]{0,63}$/
const DOMAIN = /^(?=(?:MC|NS|com\.apple))[A-Za-z0-9.]{1,64}$/

/** Throws BAD_REQUEST for an unknown Status, or when neither UDID nor EnrollmentID is there. */
export function decodeConnect(message: PlistValue): Connect {
  if (!isDict(message)) throw new BulkheadError('BAD_REQUEST', 'The message is not a dictionary.')
  const { clear, personal } = splitClear(message, ENVELOPE)
  return {
    status: statusOf(message),
    ...decodeSender(message),
    ...optional('commandUuid', matching(message, 'CommandUUID', COMMAND_UUID)),
    ...optional('requestType', matching(message, 'RequestType', REQUEST_TYPE)),
    notOnConsole: looseBoolean(own(message, 'NotOnConsole')),
    ...optional('error', errorOf(own(message, 'ErrorChain'))),
    clear,
    ...optional('personal', personal),
  }
}

function statusOf(message: PlistDict): Status {
  const status = stringAt(message, 'Status')
  const known = STATUSES.find(one => one === status)
  if (known === undefined)
    throw new BulkheadError('BAD_REQUEST', 'Status is not one of the protocol.', {
      remedy: `Known: ${STATUSES.join(', ')}.`,
    })
  return known
}

function errorOf(chain: PlistValue | undefined): Connect['error'] {
  const first = Array.isArray(chain) ? chain[0] : undefined
  if (!isDict(first)) return undefined
  const code = own(first, 'ErrorCode')
  // A number beyond 32 bits is none of Apple's, and has no column: it stays in `personal` with the rest of the chain.
  return {
    ...optional('code', typeof code === 'number' && (code | 0) === code ? code : undefined),
    ...optional('domain', matching(first, 'ErrorDomain', DOMAIN)),
  }
}

function matching(dict: PlistDict, key: string, form: RegExp): string | undefined {
  const value = stringAt(dict, key)
  return value !== undefined && form.test(value) ? value : undefined
}
