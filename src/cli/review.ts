import { BulkheadError } from '../base/errors.ts'
import type { Order } from '../console/api.ts'
import { deviceAlias } from '../trust/alias.ts'
import { classOf, DESTROY_COMMANDS, type OrderClass } from '../trust/class.ts'
import { decodeOrder, decodeStanding, orderDigest, standingDigest, targetsDigest } from '../trust/order.ts'
import type { Trusted } from '../trust/roster.ts'
import { sha256Hex } from '../trust/statement.ts'
import { decodeTemplate } from '../trust/template.ts'
import { keysOfCommand } from '../wire/apple/check.ts'
import { isDict } from '../wire/apple/dict.ts'
import { PROFILE_IDENTIFIER } from '../wire/apple/enrolment.ts'
import { decodePlist, type PlistDict, type PlistValue } from '../wire/plist/plist.ts'

/** What a member signs, worked out here from the statement, the body and the devices: the console is believed in nothing. */
export type Review = {
  digest: Buffer
  action: string
  class: OrderClass | 'unknown' // unknown: the body is sealed to the edge, which works it out
  devices: string[] | 'all'
  channel: 'device' | 'user'
  trigger?: 'enrolment' | 'daily' // of a standing order
  notBefore: number // seconds
  expiresAt: number
  command: PlistDict | null // null: sealed
}

/** Of the order with the id that was asked for. Throws UNPROVEN where what the console showed is another, or does not belong together. */
export function reviewOrder(shown: Order, trusted: Trusted, id: string): Review {
  if (shown.order !== id) throw wrong('id')
  const standing = shown.kind === 'standing' ? decodeStanding(shown.statement) : undefined
  const order = standing ? undefined : decodeOrder(shown.statement)
  const statement = (standing ?? order)!
  if (statement.id !== id) throw wrong('statement')
  const { action, notBefore, expiresAt } = statement
  const command = commandOf(shown, statement)
  return {
    digest: (standing ? standingDigest : orderDigest)(shown.statement, trusted),
    action,
    class: command === null ? sealedClass(action) : classOf(command, { mdmProfile: PROFILE_IDENTIFIER }),
    devices: devicesOf(shown),
    channel: order?.channel ?? 'device',
    ...(standing && { trigger: standing.trigger }),
    notBefore,
    expiresAt,
    command,
  }
}

/** What destroys by its name alone is known without its body: there is nothing graver. */
const sealedClass = (action: string) => (DESTROY_COMMANDS.has(action) ? 'destroy' : 'unknown')

function commandOf({ body }: Order, statement: { action: string; body: string }): Review['command'] {
  if (body === null) return null
  const template = Buffer.from(body, 'base64')
  if (sha256Hex(template) !== statement.body) throw wrong('body')
  const command = decodeTemplate(template)
  if (command.RequestType !== statement.action) throw wrong('action')
  return command
}

function devicesOf(shown: Order): Review['devices'] {
  if (shown.kind === 'standing') return 'all'
  const devices = shown.devices.map(({ device }) => device)
  const { targets } = decodeOrder(shown.statement)
  if (targets.count !== devices.length || targets.digest !== targetsDigest(devices)) throw wrong('devices')
  return devices
}

const wrong = (what: string) =>
  new BulkheadError('UNPROVEN', `What the console shows is not this order: its ${what} differs. Nothing was signed.`, {
    remedy: 'Draft it again; if it happens again, the console is not to be trusted.',
  })

const LASTING: Record<OrderClass, string> = {
  read: 'It changes nothing.',
  change: 'It changes settings, which can be changed back.',
  trust: 'It changes whom the devices trust. What runs or is read meanwhile cannot be undone.',
  destroy: 'It can erase data or lock people out. That cannot be undone.',
}
const FIRST = 5

const WHEN = {
  enrolment: 'A standing order: to each device when it enrols, and to those that are there already.',
  daily: 'A standing order: to each device once a day.',
}

/** Lines for the person who approves: all that the signature will cover. */
export function describeReview(review: Review): string[] {
  const { action, class: orderClass, devices, channel, trigger, notBefore, expiresAt, command, digest } = review
  const names = devices === 'all' ? [] : devices.slice(0, FIRST).map(deviceAlias)
  const more = devices.length > FIRST && devices !== 'all' ? ', …' : ''
  const whom =
    devices === 'all'
      ? 'every device'
      : `${devices.length} ${devices.length === 1 ? 'device' : 'devices'} (${names.join(', ')}${more})`
  const unseen = 'Its class cannot be shown here: take it for the gravest.'
  return [
    `${action} to ${whom}, on the ${channel} channel, from ${iso(notBefore)} until ${iso(expiresAt)}.`,
    ...(keysOfCommand(action) ? [] : [`No such command is known here: ${action}.`]),
    ...(trigger === undefined ? [] : [WHEN[trigger]]),
    orderClass === 'unknown' ? `${unseen} ${LASTING.destroy}` : `Class ${orderClass}. ${LASTING[orderClass]}`,
    ...(command === null
      ? ['A secret in it is sealed, so its body cannot be shown here.']
      : linesOf('Body', command, '')),
    `Digest ${digest.toString('hex')}`,
  ]
}

const iso = (seconds: number) => new Date(seconds * 1000).toISOString()

/** Keys with their values, what is within them further to the right. Bytes that are a property list, such as a profile, are opened. */
function linesOf(key: string, given: PlistValue, indent: string): string[] {
  const value = given instanceof Uint8Array ? opened(given) : given
  if (!Array.isArray(value) && !isDict(value)) return [`${indent}${key}: ${textOf(value)}`]
  return [
    `${indent}${key}:`,
    ...Object.entries(value).flatMap(([name, inner]) => linesOf(name, inner as PlistValue, `${indent}  `)),
  ]
}

function opened(bytes: Uint8Array): PlistValue {
  try {
    return decodePlist(bytes)
  } catch {
    return bytes
  }
}

const LONG = 1_000

function textOf(value: PlistValue): string {
  if (value instanceof Uint8Array) return `${value.length} bytes, SHA-256 ${sha256Hex(value)}`
  if (typeof value !== 'string') return value instanceof Date ? value.toISOString() : String(value)
  const more = value.length > LONG ? `… (${value.length} characters, SHA-256 ${sha256Hex(value)})` : ''
  return `${JSON.stringify(value.slice(0, LONG))}${more}`
}
