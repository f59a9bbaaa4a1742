import { BulkheadError } from '../base/errors.ts'
import type { Order, OrderDraft, StandingDraft } from '../console/api.ts'
import { deviceAlias } from '../trust/alias.ts'
import { classOf, type OrderClass } from '../trust/class.ts'
import { decodeOrder, decodeStanding } from '../trust/order.ts'
import type { Trusted } from '../trust/roster.ts'
import { sha256Hex } from '../trust/statement.ts'
import { encodeTemplate } from '../trust/template.ts'
import { dictOf, own } from '../wire/apple/dict.ts'
import { PROFILE_IDENTIFIER } from '../wire/apple/enrolment.ts'
import { requireKnown } from '../wire/apple/known.ts'
import { commandFromSets } from '../wire/apple/sets.ts'
import { decodePlist, encodeXmlPlist, type PlistDict } from '../wire/plist/plist.ts'
import type { ConsoleClient } from './client.ts'
import { findGroup } from './device.ts'
import { verifiedGroup } from './group.ts'
import { type Review, reviewOrder } from './review.ts'

/** What a person asked for, worked out on this side of the wall, to be compared with what the console made of it. */
export type Asked = Omit<OrderDraft, 'channel'> & { channel?: string }
export type AskedStanding = Omit<StandingDraft, 'trigger'> & { trigger: string }
export type Expected = { digest: string; class: OrderClass; holes: string }

// As in console/orders/body.ts, and not taken from there: what is checked must not be what checks. commands.test.ts holds them together.

const MOST_PROFILE = 4 * 1024 * 1024

/** What the edge fills in where nothing was given: the key, what the schema accepts meanwhile, and the hole. */
const FILLED = new Map<string, { key: string; accepted: string; hole: string | string[] }>([
  ['DeviceInformation', { key: 'Queries', accepted: 'UDID', hole: ['{{allowed-queries}}'] }],
  ['ClearPasscode', { key: 'UnlockToken', accepted: 'AAAA', hole: '{{unlock-token}}' }],
])

/** The body that these words make, whether or not the console may show it later. Throws BAD_REQUEST with a remedy. */
export function expectBody({
  action,
  set,
  body,
  unknownAction,
}: Pick<Asked, 'action' | 'set' | 'body' | 'unknownAction'>): Expected {
  if (!unknownAction && body === undefined) requireKnown(action)
  const command = withPlainProfile(commandOf(action, set, body === undefined ? undefined : Buffer.from(body, 'base64')))
  const { template, holes } = encodeTemplate(command)
  return {
    digest: sha256Hex(template),
    class: classOf(command, { mdmProfile: PROFILE_IDENTIFIER }),
    holes: [...holes].sort().join(),
  }
}

function commandOf(action: string, set: string[], body: Buffer | undefined): PlistDict {
  const filled = FILLED.get(action)
  if (!filled || body !== undefined || set.some(one => one.startsWith(`${filled.key}=`)))
    return commandFromSets(action, set, body)
  const command = commandFromSets(action, [...set, `${filled.key}=${filled.accepted}`])
  return dictOf(Object.keys(command).map(key => [key, key === filled.key ? filled.hole : own(command, key)!]))
}

/** A profile in binary, or with comments or CDATA, is drafted as plain XML. */
function withPlainProfile(command: PlistDict): PlistDict {
  const payload = own(command, 'Payload')
  if (command.RequestType !== 'InstallProfile' || !(payload instanceof Uint8Array)) return command
  try {
    const profile = decodePlist(payload)
    if (isPlain(Buffer.from(payload))) return command
    const plain = encodeXmlPlist(profile, MOST_PROFILE)
    return dictOf(Object.keys(command).map(key => [key, key === 'Payload' ? plain : own(command, key)!]))
  } catch {
    return command // signed, or too large
  }
}

const isPlain = (profile: Buffer) =>
  profile.toString('latin1', 0, 6) !== 'bplist' && !profile.includes('<!--') && !profile.includes('<![CDATA[')

/** The draft behind `id`, if it is what was asked for. Throws UNPROVEN with what differs. */
export async function reviewDraft(
  console: ConsoleClient,
  trusted: Trusted,
  id: string,
  asked: Asked | AskedStanding,
  expected: Expected,
): Promise<Review> {
  const shown = await console.get<Order>(`/api/orders/${id}`)
  const review = reviewOrder(shown, trusted, id)
  if ((shown.kind === 'standing') !== 'trigger' in asked) throw differs('kind')
  if (shown.kind === 'standing') {
    requireCommand(decodeStanding(shown.statement), asked, expected)
    if ('trigger' in asked && review.trigger !== asked.trigger) throw differs('trigger')
    return review
  }
  const statement = decodeOrder(shown.statement)
  requireCommand(statement, asked, expected)
  if ('trigger' in asked) return review
  if (statement.channel !== (asked.channel ?? 'device')) throw differs('channel')
  await requireTargets(console, trusted, statement.targets.group, review.devices as string[], asked)
  return review
}

const SKEW = 300 // seconds that the clocks of two machines may differ

type Statement = { action: string; body: string; holes: string[]; expiresAt: number }
function requireCommand(
  { action, body, holes, expiresAt }: Statement,
  asked: Asked | AskedStanding,
  expected: Expected,
) {
  if (action !== asked.action) throw differs('action')
  if (body !== expected.digest || [...holes].sort().join() !== expected.holes) throw differs('body')
  const life = asked.expiresInSeconds
  if (life !== undefined && expiresAt > Date.now() / 1000 + life + SKEW) throw differs('expiry')
}

/** Names are ids or the aliases that follow from them. Whom `--all` means, only the console says: the count is shown. */
async function requireTargets(
  console: ConsoleClient,
  trusted: Trusted,
  group: { id: string; version: number } | undefined,
  devices: string[],
  asked: Asked,
) {
  if ((group === undefined) !== (asked.group === undefined)) throw differs('group')
  if (asked.group !== undefined) {
    const meant = verifiedGroup(await findGroup(console, asked.group), asked.group, trusted)
    const members = new Set(meant.members)
    if (group?.id !== meant.id || group.version !== meant.version) throw differs('group')
    if (devices.some(device => !members.has(device))) throw differs('devices')
  }
  if (asked.devices === undefined) return
  const names = new Set(asked.devices)
  const hit = new Set<string>()
  for (const device of devices) {
    const by = [device, deviceAlias(device)].filter(name => names.has(name))
    if (by.length === 0) throw differs('devices')
    for (const name of by) hit.add(name)
  }
  if (hit.size !== names.size) throw differs('devices')
}

const differs = (what: string) =>
  new BulkheadError('UNPROVEN', `What the console drafted is not what was asked for: its ${what} differs.`, {
    remedy: 'Do not approve it. If it happens again, the console is not to be trusted.',
  })
