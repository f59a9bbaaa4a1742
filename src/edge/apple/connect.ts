import { BulkheadError } from '../../base/errors.ts'
import type { ConnectFound, ConnectMessage } from '../../intake/api.ts'
import type { Delivery as Asked } from '../../ledger/api.ts'
import { commandUuid, openToken } from '../../trust/token.ts'
import type { Voucher } from '../../trust/voucher.ts'
import type { Context } from '../context.ts'
import type { Identity } from '../identity.ts'
import type { NextCommand } from '../store.ts'
import {
  type Delivery,
  dayOf,
  isRenewable,
  type Passed,
  type Permits,
  passCommand,
  passRenewal,
  RENEW_IDENTITY,
  Refusal,
  requireDeliverable,
} from '../turnstile.ts'
import { channelOf, identify, type Proof, unseal } from './message.ts'

const STATUS = { Idle: 0, Acknowledged: 1, Error: 2, CommandFormatError: 3, NotNow: 4 } as const
const MOST_PASSED_OVER = 20 // commands in one connect, before the device is sent away

/** One connect (Apple, "Implementing device management"): records what was answered and hands out what is next, if the turnstile lets it pass. */
export async function connect(proof: Proof, context: Context): Promise<Passed | null> {
  const { identity, found } = await identify<ConnectFound>('connect', proof, context)
  const { voucher } = identity
  const channel = channelOf(found.message?.user ?? null, voucher.device, context)
  if (found.message === null || found.message.unread !== undefined) {
    // An answer that nobody can read must not come back for ever: the command that it answered leaves the queue.
    await context.writeback.flush() // that it was sent is known by then, however quick the answer
    await context.store.fail(voucher.device, channel, null, 'answer-unreadable')
    throw new BulkheadError('MALFORMED', found.message?.unread ?? found.malformed ?? 'The message does not decode.')
  }
  const { message } = found
  if (!context.gate.isOpen()) return whileClosed(message, voucher, channel, proof.path, context)
  if (message.status === 'Idle') await queueRenewal(identity, context)
  // A device that could not read a command may not know its UUID either: it was the one that was sent.
  if (message.status === 'CommandFormatError' && message.command === null) {
    await context.writeback.flush()
    await context.store.fail(voucher.device, channel, null, 'command-unreadable')
  }
  const first = await context.store.connect(answerOf(message, voucher, channel))
  // In one call to the ledger, which takes answers first. The device hears nothing before both are on disk.
  const [reply] = await Promise.all([handOut(first, identity, channel, context), noteAnswer(message, voucher, context)])
  return reply
}

/** What is next, passing over what the turnstile refuses and what has to wait. */
async function handOut(
  first: NextCommand,
  identity: Identity,
  channel: string,
  context: Context,
): Promise<Passed | null> {
  const { voucher } = identity
  let next = first
  for (let passedOver = 0; next.order !== null && passedOver < MOST_PASSED_OVER; passedOver++) {
    const reply = await deliver(next, identity, channel, context)
    if (reply instanceof Later) next = await context.store.connect(notNow(reply.command, voucher, channel))
    else if (reply) return reply
    else if (!context.gate.isOpen())
      return null // a freeze that came just now refuses nothing for good
    else next = await context.store.connect(idle(voucher, channel))
  }
  return null
}

/** Frozen: devices hear "nothing to do" and keep what they have. Their answers count; they are woken once deliveries go on. */
async function whileClosed(
  message: ConnectMessage,
  voucher: Voucher,
  channel: string,
  path: string,
  context: Context,
): Promise<null> {
  if (message.status === 'Idle') context.writeback.missed(path)
  else
    await Promise.all([
      context.store.connect(answerOf(message, voucher, channel)),
      noteAnswer(message, voucher, context),
    ])
  return null
}

/** In the ledger before the device hears anything: what was answered is never granted again, whatever the queue says. */
async function noteAnswer({ status, command }: ConnectMessage, { device }: Voucher, context: Context) {
  if (command === null || status === 'Idle' || status === 'NotNow') return
  if (!(await context.permits.answered(command))) context.trace('ghost-command', { device })
}

function answerOf(message: ConnectMessage, voucher: Voucher, channel: string) {
  const { code, domain, facts, command } = message
  return {
    device: voucher.device,
    channel,
    status: STATUS[message.status],
    command,
    code,
    domain,
    facts,
    sealed: unseal(message.sealed),
  }
}

const nothing = { command: null, code: null, domain: null, facts: null, sealed: null }
const idle = ({ device }: Voucher, channel: string) => ({ ...nothing, device, channel, status: STATUS.Idle })
/** As if the device had put this command off. */
const notNow = (command: string, { device }: Voucher, channel: string) => ({
  ...nothing,
  device,
  channel,
  status: STATUS.NotNow,
  command,
})

/** A delivery that may not go out yet: it stays in the queue, and what is behind it goes first. */
class Later {
  readonly command: string
  readonly reason: string
  constructor(command: string, orderClass: string) {
    this.command = command
    this.reason = `budget-${orderClass}`
  }
}

/** The bytes of the next command. Null when the turnstile refused it: then it is out of the queue, with its reason. */
async function deliver(
  next: NextCommand,
  identity: Identity,
  channel: string,
  context: Context,
): Promise<Passed | Later | null> {
  const { voucher } = identity
  const order = next.order!
  const uuid = commandUuid(order, voucher.device, channel, next.serial)
  const refused = (reason: string) => {
    context.trace('turnstile-refused', { device: voucher.device, order, reason })
    context.log.info('turnstile.refused', { device: voucher.device, order, reason })
  }
  try {
    const reply =
      order === RENEW_IDENTITY
        ? await renewal(identity, next.serial, uuid, context)
        : await command(order, uuid, { voucher, channel, serial: next.serial, fills: {} }, context)
    if (reply instanceof Later) refused(reply.reason)
    else context.writeback.sent(uuid)
    return reply
  } catch (error) {
    if (!(error instanceof BulkheadError) || error.code === 'UNAVAILABLE') throw error
    if (!context.gate.isOpen()) return null
    refused(error instanceof Refusal ? error.reason : 'unproven')
    await context.store.fail(voucher.device, channel, order, 'refused')
    return null
  }
}

async function command(id: string, uuid: string, delivery: Delivery, context: Context): Promise<Passed | Later> {
  const { voucher } = delivery
  const verified = await context.orders.find(id)
  requireDeliverable(verified, delivery, context.gate.now())
  const standing = verified.targets === 'all'
  const counted = !(standing && context.clock() - voucher.enrolledAt < 86_400)
  const permits = await granted(
    { command: uuid, order: id, device: voucher.device, class: verified.class, counted },
    context,
  )
  if (!permits) return new Later(uuid, verified.class)
  if (verified.order.holes.includes('unlock-token'))
    delivery.fills['unlock-token'] = (await context.vault.unlockToken(id, voucher.certificate)).toString('base64')
  return passCommand(verified, delivery, context.gate.now(), permits)
}

/** The ledger's permits, or undefined while a budget is used up. */
async function granted(asked: Asked, context: Context): Promise<Permits | undefined> {
  const { verdict, permits } = await context.permits.ask(asked)
  if (verdict === 'answered') throw new Refusal('answered', 'The device has answered this command before.')
  return verdict === 'budget' ? undefined : permits
}

async function renewal({ voucher }: Identity, serial: number, uuid: string, context: Context): Promise<Passed | Later> {
  const parts = await context.vault.renewalProfile(voucher.certificate)
  const asked = { command: uuid, order: RENEW_IDENTITY, device: voucher.device, class: 'change', counted: false }
  const permits = await granted(asked, context)
  if (!permits) return new Later(uuid, asked.class)
  const pathOf = (token: string) => openToken('device', token, context.pathKey)
  return passRenewal(parts, pathOf, { voucher, serial }, context.gate.now(), permits, context.trusted)
}

/** 30 days before its certificate ends, once a day until the device uses a new one. */
async function queueRenewal({ voucher, current }: Identity, context: Context) {
  const now = context.clock()
  if (current && isRenewable(voucher, now))
    await context.store.enqueueRenewal(voucher.device, RENEW_IDENTITY, dayOf(now))
}
