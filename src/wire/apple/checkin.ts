/** Check-in messages. Loose where devices and test clients are: only what cannot be done without is asked for. */
import { BulkheadError } from '../../base/errors.ts'
import type { PlistDict, PlistValue } from '../plist/plist.ts'
import { type ClearFacts, splitClear } from './clear.ts'
import { dataAt, isDict, looseBoolean, own, stringAt } from './dict.ts'
import { CHECKINS } from './facts.generated.ts'

const TYPES = [
  'Authenticate',
  'TokenUpdate',
  'CheckOut',
  'UserAuthenticate',
  'DeclarativeManagement',
  'GetBootstrapToken',
  'SetBootstrapToken',
  'GetToken',
] as const
export type CheckinType = (typeof TYPES)[number]

/** Who a message says it is from: data, never proof. `userShortName` is personal (a managed Apple account on Shared iPad). */
export type Sender = { udid?: string; enrollmentId?: string; userId?: string; userShortName?: string }

export type TokenUpdate = {
  token: Uint8Array
  pushMagic: string
  unlockToken?: Uint8Array
  topic?: string
  awaitingConfiguration: boolean
  notOnConsole: boolean
}

/**
 * A decoded check-in. `clear` may be stored as it is; `personal` is to be sealed, undefined when nothing is left.
 * Secrets (push token, unlock token, bootstrap token) stand beside them and are in neither. An absent `bootstrapToken` in a
 * SetBootstrapToken means that the device takes its token back.
 */
export type Checkin = Sender & {
  type: CheckinType
  topic?: string
  clear: ClearFacts
  personal?: PlistDict
  tokenUpdate?: TokenUpdate
  bootstrapToken?: Uint8Array
  tokenServiceType?: string
  tokenParameters?: PlistDict
  endpoint?: string
  data?: Uint8Array
  digestResponse?: string
}

const MAX_NAME = 256
const MAX_TOKEN = 100 // Apple's are 32 bytes now; it says they vary, and has named 100 as the most
const MAX_SECRET = 65_536

/** What has a place of its own in `Checkin`, or says nothing. */
const ENVELOPE: ReadonlySet<string> = new Set([
  'MessageType',
  'Topic',
  'UDID',
  'EnrollmentID',
  'UserID',
  'EnrollmentUserID',
  'Token',
  'PushMagic',
  'UnlockToken',
  'NotOnConsole',
  'BootstrapToken',
  'TokenServiceType',
  'TokenParameters',
  'Endpoint',
  'Data',
  'DigestResponse',
])

/** Decodes a check-in. Throws BAD_REQUEST for an unknown MessageType or a key that is missing, LIMIT for one too long. */
export function decodeCheckin(message: PlistValue): Checkin {
  if (!isDict(message)) throw new BulkheadError('BAD_REQUEST', 'The check-in is not a dictionary.')
  const type = typeOf(message)
  const { clear, personal } = splitClear(message, ENVELOPE)
  return {
    type,
    ...decodeSender(message, type.endsWith('BootstrapToken')),
    ...optional('topic', name(message, 'Topic')),
    clear,
    ...optional('personal', personal),
    ...bodyOf(type, message),
  }
}

/** UDID or EnrollmentID identifies. Throws BAD_REQUEST when neither is there, unless `anonymous`. */
export function decodeSender(message: PlistDict, anonymous = false): Sender {
  const udid = name(message, 'UDID')
  const enrollmentId = name(message, 'EnrollmentID')
  if (!anonymous && udid === undefined && enrollmentId === undefined)
    throw new BulkheadError('BAD_REQUEST', 'The message has neither UDID nor EnrollmentID.')
  return {
    ...optional('udid', udid),
    ...optional('enrollmentId', enrollmentId),
    ...optional('userId', name(message, 'UserID') ?? name(message, 'EnrollmentUserID')),
    ...optional('userShortName', name(message, 'UserShortName')),
  }
}

/** `{ key: value }`, or nothing for undefined. */
export function optional<K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } {
  return (value === undefined ? {} : { [key]: value }) as { [P in K]?: V }
}

function typeOf(message: PlistDict): CheckinType {
  const type = stringAt(message, 'MessageType')
  const known = TYPES.find(one => one === type)
  if (known === undefined)
    throw new BulkheadError('BAD_REQUEST', 'MessageType is not one of the check-in protocol.', {
      remedy: `Known: ${CHECKINS.map(fact => fact.messageType).join(', ')}.`,
    })
  return known
}

function bodyOf(type: CheckinType, message: PlistDict): Partial<Checkin> {
  switch (type) {
    case 'TokenUpdate':
      return { tokenUpdate: decodeTokenUpdate(message) }
    case 'SetBootstrapToken':
      return optional('bootstrapToken', secret(message, 'BootstrapToken'))
    case 'GetToken':
      return { tokenServiceType: required(message, 'TokenServiceType'), ...parametersOf(message) }
    case 'DeclarativeManagement':
      return { endpoint: required(message, 'Endpoint'), ...optional('data', dataAt(message, 'Data')) }
    case 'UserAuthenticate':
      return optional('digestResponse', name(message, 'DigestResponse', 4096))
    default:
      return {}
  }
}

function decodeTokenUpdate(message: PlistDict): TokenUpdate {
  const token = dataAt(message, 'Token')
  if (token === undefined || token.length === 0)
    throw new BulkheadError('BAD_REQUEST', 'Token is missing: data expected.')
  if (token.length > MAX_TOKEN) throw new BulkheadError('LIMIT', `Token is longer than ${MAX_TOKEN} bytes.`)
  return {
    token,
    pushMagic: required(message, 'PushMagic'),
    ...optional('unlockToken', secret(message, 'UnlockToken')),
    ...optional('topic', name(message, 'Topic')),
    awaitingConfiguration: looseBoolean(own(message, 'AwaitingConfiguration')),
    notOnConsole: looseBoolean(own(message, 'NotOnConsole')),
  }
}

function parametersOf(message: PlistDict): Pick<Checkin, 'tokenParameters'> {
  const parameters = own(message, 'TokenParameters')
  return isDict(parameters) ? { tokenParameters: parameters } : {}
}

function required(message: PlistDict, key: string): string {
  const value = name(message, key)
  if (value === undefined) throw new BulkheadError('BAD_REQUEST', `${key} is missing: string expected.`)
  return value
}

/** An empty string and a value of another type are as good as absent. */
function name(message: PlistDict, key: string, limit = MAX_NAME): string | undefined {
  const value = stringAt(message, key)
  if (value !== undefined && value.length > limit)
    throw new BulkheadError('LIMIT', `${key} is longer than ${limit} characters.`)
  return value === '' ? undefined : value
}

function secret(message: PlistDict, key: string): Uint8Array | undefined {
  const value = dataAt(message, key)
  if (value !== undefined && value.length > MAX_SECRET)
    throw new BulkheadError('LIMIT', `${key} is longer than ${MAX_SECRET} bytes.`)
  return value === undefined || value.length === 0 ? undefined : value
}
