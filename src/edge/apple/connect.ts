import { BulkheadError } from '../../base/errors.ts'
import type { ConnectFound, ConnectMessage } from '../../intake/api.ts'
import { commandUuid, openToken } from '../../trust/token.ts'
import type { Voucher } from '../../trust/voucher.ts'
import type { Context } from '../context.ts'
import type { Identity } from '../identity.ts'
import type { NextCommand } from '../store.ts'
import { type Fills, type Passed, passCommand, passRenewal, RENEW_IDENTITY } from '../turnstile.ts'
import { channelOf, identify, type Proof, unseal } from './message.ts'

const STATUS = { Idle: 0, Acknowledged: 1, Error: 2, CommandFormatError: 3, NotNow: 4 } as const
const RENEW_BEFORE = 30 * 86_400 // seconds
const MOST_REFUSED = 20 // commands refused in one connect before the device is sent away

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
  if (found.message.status === 'Idle') await queueRenewal(identity, context)
  // A device that could not read a command may not know its UUID either: it was the one that was sent.
  if (found.message.status === 'CommandFormatError' && found.message.command === null) {
    await context.writeback.flush()
    await context.store.fail(voucher.device, channel, null, 'command-unreadable')
  }
  let next = await context.store.connect(answerOf(found.message, voucher, channel))
  if (wasAnswered(next, found.message, voucher, channel)) {
    context.trace('queue-unproven', { device: voucher.device, order: next.order! })
    await context.store.fail(voucher.device, channel, next.order, 'refused')
    next = await context.store.connect(idle(voucher, channel))
  }
  for (let refused = 0; next.order !== null && refused < MOST_REFUSED; refused++) {
    const reply = await deliver(next, identity, channel, context)
    if (reply) return reply
    next = await context.store.connect(idle(voucher, channel))
  }
  return null
}

/** The queue offers what was answered a moment ago: somebody changed its row, and it would be done again and again. */
function wasAnswered(next: NextCommand, { status, command }: ConnectMessage, voucher: Voucher, channel: string) {
  if (next.order === null || command === null || status === 'Idle' || status === 'NotNow') return false
  return command === commandUuid(next.order, voucher.device, channel, next.serial)
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

const idle = (voucher: Voucher, channel: string) =>
  answerOf(
    { status: 'Idle', user: null, command: null, code: null, domain: null, facts: null, sealed: null },
    voucher,
    channel,
  )

/** The bytes of the next command, or null when the turnstile refused it: then it is out of the queue, with its reason. */
async function deliver(
  next: NextCommand,
  identity: Identity,
  channel: string,
  context: Context,
): Promise<Passed | null> {
  const { voucher } = identity
  const order = next.order!
  try {
    const reply =
      order === RENEW_IDENTITY
        ? await renewal(identity, next.serial, context)
        : await command(order, next.serial, voucher, channel, context)
    context.writeback.sent(commandUuid(order, voucher.device, channel, next.serial))
    return reply
  } catch (error) {
    if (!(error instanceof BulkheadError) || error.code === 'UNAVAILABLE') throw error
    context.trace('turnstile-refused', { device: voucher.device, order })
    context.log.info('turnstile.refused', { device: voucher.device, order, why: error.message })
    await context.store.fail(voucher.device, channel, order, 'refused')
    return null
  }
}

async function command(
  id: string,
  serial: number,
  voucher: Voucher,
  channel: string,
  context: Context,
): Promise<Passed> {
  const verified = await context.orders.find(id)
  const fills: Fills = {}
  if (
    verified.order.holes.includes('unlock-token') &&
    (verified.targets === 'all' || verified.targets.has(voucher.device))
  )
    fills['unlock-token'] = (await context.vault.unlockToken(id, voucher.certificate)).toString('base64')
  return passCommand(verified, { voucher, channel, serial, now: context.clock(), fills })
}

async function renewal({ voucher }: Identity, serial: number, context: Context): Promise<Passed> {
  const parts = await context.vault.renewalProfile(voucher.certificate)
  return passRenewal(parts, token => openToken('device', token, context.pathKey), voucher, serial, context.trusted)
}

/** 30 days before its certificate ends, once a day until the device uses a new one. */
async function queueRenewal({ voucher, current }: Identity, context: Context) {
  if (!current || voucher.notAfter - context.clock() > RENEW_BEFORE) return
  await context.store.enqueueRenewal(voucher.device, RENEW_IDENTITY, Math.floor(context.clock() / 86_400))
}
