import { BulkheadError } from '../base/errors.ts'
import type { Order } from '../console/api.ts'
import { deviceAlias } from '../trust/alias.ts'
import { classOf, type OrderClass } from '../trust/class.ts'
import { decodeOrder, decodeStanding, orderDigest, standingDigest, targetsDigest } from '../trust/order.ts'
import type { Trusted } from '../trust/roster.ts'
import { sha256Hex } from '../trust/statement.ts'
import { decodeTemplate } from '../trust/template.ts'
import { PROFILE_IDENTIFIER } from '../wire/apple/enrolment.ts'

/** What a member signs, worked out here from the statement, the body and the devices: the console is believed in nothing. */
export type Review = {
  digest: Buffer
  action: string
  class: OrderClass | 'unknown' // unknown: the body is sealed to the edge, which works it out
  devices: string[] | 'all'
  expiresAt: number
}

/** Throws UNPROVEN where what the console showed does not belong together. */
export function reviewOrder(shown: Order, trusted: Trusted): Review {
  const standing = shown.kind === 'standing'
  const statement = standing ? decodeStanding(shown.statement) : decodeOrder(shown.statement)
  if (statement.id !== shown.order) throw wrong('statement')
  const digest = (standing ? standingDigest : orderDigest)(shown.statement, trusted)
  const { action, expiresAt } = statement
  return { digest, action, class: classOfBody(shown, statement), devices: devicesOf(shown), expiresAt }
}

function classOfBody({ body }: Order, statement: { action: string; body: string }): Review['class'] {
  if (body === null) return 'unknown'
  const template = Buffer.from(body, 'base64')
  if (sha256Hex(template) !== statement.body) throw wrong('body')
  const command = decodeTemplate(template)
  if (command.RequestType !== statement.action) throw wrong('action')
  return classOf(command, { mdmProfile: PROFILE_IDENTIFIER })
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

/** Sentences for the person who approves. */
export function describeReview({ action, class: orderClass, devices, expiresAt }: Review): string[] {
  const names = devices === 'all' ? [] : devices.slice(0, FIRST).map(deviceAlias)
  const more = devices.length > FIRST && devices !== 'all' ? ', …' : ''
  const whom =
    devices === 'all'
      ? 'every device'
      : `${devices.length} ${devices.length === 1 ? 'device' : 'devices'} (${names.join(', ')}${more})`
  const sealed = 'Its body is sealed, so its class cannot be shown here: take it for the gravest.'
  return [
    `${action} to ${whom}, until ${new Date(expiresAt * 1000).toISOString()}.`,
    orderClass === 'unknown' ? `${sealed} ${LASTING.destroy}` : `Class ${orderClass}. ${LASTING[orderClass]}`,
  ]
}
