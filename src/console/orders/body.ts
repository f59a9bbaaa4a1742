import { BulkheadError } from '../../base/errors.ts'
import { classOf, type OrderClass } from '../../trust/class.ts'
import type { Hole } from '../../trust/order.ts'
import { encodeTemplate } from '../../trust/template.ts'
import { dictOf, own } from '../../wire/apple/dict.ts'
import { PROFILE_IDENTIFIER } from '../../wire/apple/enrolment.ts'
import { requireKnown } from '../../wire/apple/known.ts'
import { commandFromSets } from '../../wire/apple/sets.ts'
import { decodePlist, encodeXmlPlist, type PlistDict } from '../../wire/plist/plist.ts'
import { holdsSecret } from './secret.ts'

/** What is read of a profile anywhere: one that grows beyond it, escaped, stays as it is. */
const MOST_PROFILE = 4 * 1024 * 1024

export type Asked = { action: string; set: string[]; body?: string | undefined; unknownAction?: true | undefined }
export type Built = { command: PlistDict; template: Buffer; holes: Hole[]; class: OrderClass; secret: boolean }

/** What the edge fills in where nothing was given: the key, what the schema accepts meanwhile, and the hole. */
const FILLED = new Map<string, { key: string; accepted: string; hole: string | string[] }>([
  ['DeviceInformation', { key: 'Queries', accepted: 'UDID', hole: ['{{allowed-queries}}'] }],
  ['ClearPasscode', { key: 'UnlockToken', accepted: 'AAAA', hole: '{{unlock-token}}' }],
])

/** The body of an order from what a person asked for. Throws BAD_REQUEST with a remedy. */
export function buildBody({ action, set, body, unknownAction }: Asked): Built {
  if (!unknownAction && body === undefined) requireKnown(action)
  const command = withPlainProfile(commandOf(action, set, body === undefined ? undefined : bytesOf(body)))
  const { template, holes } = encodeTemplate(command)
  return {
    command,
    template,
    holes,
    class: classOf(command, { mdmProfile: PROFILE_IDENTIFIER }),
    secret: holdsSecret(command),
  }
}

function commandOf(action: string, set: string[], body: Buffer | undefined): PlistDict {
  const filled = FILLED.get(action)
  if (!filled || body !== undefined || set.some(one => one.startsWith(`${filled.key}=`)))
    return commandFromSets(action, set, body)
  const command = commandFromSets(action, [...set, `${filled.key}=${filled.accepted}`])
  return dictOf(Object.keys(command).map(key => [key, key === filled.key ? filled.hole : own(command, key)!]))
}

/**
 * A profile that is in binary, or has comments or CDATA, is written again as plain XML: whoever approves it reads it with a small strict
 * reader in the browser. Plain ones stay as they are, byte for byte; signed ones too, which nobody reads here.
 */
function withPlainProfile(command: PlistDict): PlistDict {
  const payload = own(command, 'Payload')
  if (command.RequestType !== 'InstallProfile' || !(payload instanceof Uint8Array)) return command
  try {
    const profile = decodePlist(payload)
    if (isPlain(Buffer.from(payload))) return command
    return dictOf(
      Object.keys(command).map(key => [
        key,
        key === 'Payload' ? encodeXmlPlist(profile, MOST_PROFILE) : own(command, key)!,
      ]),
    )
  } catch {
    return command
  }
}

const isPlain = (profile: Buffer) =>
  profile.toString('latin1', 0, 6) !== 'bplist' && !profile.includes('<!--') && !profile.includes('<![CDATA[')

function bytesOf(base64: string): Buffer {
  const bytes = Buffer.from(base64, 'base64')
  if (bytes.toString('base64') !== base64) throw new BulkheadError('BAD_REQUEST', 'The body is not base64.')
  return bytes
}
