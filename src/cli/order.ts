import { readFileSync } from 'node:fs'
import { BulkheadError } from '../base/errors.ts'
import type { Approved, Draft, Order, OrderDraft } from '../console/api.ts'
import { faultWords } from '../wire/apple/faults.ts'
import { type Args, flag, list, needed, text } from './args.ts'
import { cancel } from './cancel.ts'
import { consoleClient } from './client.ts'
import { confirm } from './confirm.ts'
import { expectBody, reviewDraft } from './expect.ts'
import { openRoster } from './follow.ts'
import { allOrders, orderId, requireWhole } from './orderid.ts'
import { duration, pairs, say, show, table, when } from './output.ts'
import { approve, loadPasskey, memberOf } from './passkey.ts'
import { describeReview, type Review, reviewOrder } from './review.ts'

export async function run(args: Args): Promise<number> {
  const verb = args.command.split(' ')[1]
  if (verb === 'create') return create(args)
  if (verb === 'approve') return approveShown(args)
  if (verb === 'show') return showOne(args)
  if (verb === 'cancel') return cancel(args)
  return listAll(args, 'order')
}

async function create(args: Args): Promise<number> {
  const body: Omit<OrderDraft, 'channel'> & { channel?: string } = { ...command(args), ...targets(args) }
  const expires = duration(args, 'expires', 'h')
  if (expires !== undefined) body.expiresInSeconds = expires
  const channel = text(args, 'channel')
  if (channel !== undefined) body.channel = channel
  const trusted = await openRoster(args.home)
  const console = consoleClient(args.home)
  const expected = expectBody(body)
  const { order } = await console.post<Draft>('/api/orders', body)
  const review = await reviewDraft(console, trusted, order, body, expected)
  const devices = review.devices.length
  const orderClass = expected.class
  const quorum = trusted.rules.quorum[orderClass]
  const digest = review.digest.toString('hex')
  const next = `Approve it with: bulkhead order approve ${order} --digest ${digest} --passkey FILE\n`
  return show(
    args,
    { order, class: orderClass, quorum, devices, digest },
    () =>
      pairs([
        ['order', order],
        ['class', orderClass],
        ['quorum', quorum],
        ['devices', devices],
        ['digest', digest],
      ]) + next,
  )
}

/** What both kinds of orders have: the command and why. */
export function command(args: Args) {
  const file = text(args, 'body')
  return {
    action: needed(args, 'action'),
    set: list(args, 'set').map(withFile),
    reason: needed(args, 'reason'),
    ...(file !== undefined && { body: readBody(file) }),
    ...(flag(args, 'unknown-action') && { unknownAction: true as const }),
  }
}

/** `KEY=@FILE`: a PIN in a command line is read by everybody on the machine. `@@` stands for a value that begins with @. */
function withFile(one: string): string {
  const [, key = '', value = ''] = /^([^=]*=)@(.*)$/s.exec(one) ?? []
  if (key === '') return one
  if (value.startsWith('@')) return key + value
  try {
    return key + readFileSync(value, 'utf8').replace(/\r?\n$/, '')
  } catch (cause) {
    throw new BulkheadError('NOT_FOUND', `${value} (--set ${key}@) cannot be read.`, {
      remedy: `Name a file that you may read; for a value that begins with @, write --set ${key}@@…`,
      cause,
    })
  }
}

function readBody(file: string): string {
  try {
    return readFileSync(file).toString('base64')
  } catch (cause) {
    throw new BulkheadError('NOT_FOUND', `${file} cannot be read.`, {
      remedy: 'Name a file that you may read with --body.',
      cause,
    })
  }
}

function targets(args: Args): Pick<OrderDraft, 'devices' | 'group' | 'all'> {
  const devices = list(args, 'device')
  const groups = list(args, 'group')
  const all = flag(args, 'all')
  const kinds = Number(devices.length > 0) + Number(groups.length > 0) + Number(all)
  if (kinds !== 1 || groups.length > 1)
    throw new BulkheadError('USAGE', 'An order is for devices, for one group, or for all.', {
      remedy: 'Write --device D (it may be repeated), --group G or --all.',
    })
  if (all) return { all: true }
  return groups[0] === undefined ? { devices } : { group: groups[0] }
}

/** Shows what is signed, asks where somebody is there to answer, and signs it. Standing orders are approved in the same way. */
export async function approveShown(args: Args): Promise<number> {
  const trusted = await openRoster(args.home)
  const console = consoleClient(args.home)
  const passkey = loadPasskey(needed(args, 'passkey'))
  const member = memberOf(passkey, trusted)
  const id = await orderId(console, args.words[0]!)
  requireWhole(args, id)
  const review = reviewOrder(await console.get<Order>(`/api/orders/${encodeURIComponent(id)}`), trusted, id)
  requireMeant(args, id, review)
  for (const line of describeReview(review)) say(line)
  await confirm(`Type yes to approve this as ${member.alias}: `)
  const approval = approve(passkey, review.digest, trusted.roster)
  const done = await console.post<Approved>(`/api/orders/${id}/approvals`, { approval })
  say(`Approved by ${member.alias}.`)
  return show(args, done, () => `${done.approvals.length} of ${done.quorum} approvals; the order is ${done.state}.\n`)
}

/** The digest, where it was given, and the kind that the command names. Throws UNPROVEN. */
function requireMeant(args: Args, id: string, { digest, trigger }: Review) {
  const told = text(args, 'digest')
  if (told !== undefined && told !== digest.toString('hex'))
    throw new BulkheadError(
      'UNPROVEN',
      `The order has another digest: ${digest.toString('hex')}. Nothing was signed.`,
      {
        remedy: 'Copy the digest that bulkhead order create printed. If it is that, the console is not to be trusted.',
      },
    )
  const [command, kind] = trigger === undefined ? ['order', 'an order'] : ['standing', 'a standing order']
  if (args.command.split(' ')[0] !== command)
    throw new BulkheadError('UNPROVEN', `This is ${kind}. Nothing was signed.`, {
      remedy: `If you mean that: bulkhead ${command} approve ${id} --passkey FILE`,
    })
}

async function showOne(args: Args): Promise<number> {
  await openRoster(args.home) // history must be what it was
  const console = consoleClient(args.home)
  const found = await console.get<Order>(`/api/orders/${await orderId(console, args.words[0]!)}`)
  const { statement: _, digest: __, body: ___, ...order } = found
  return show(args, order, () => {
    const head = pairs([
      ['order', order.order],
      ['action', order.action],
      ['class', order.class],
      ['state', order.state],
      ['approvals', `${order.approvals.length} of ${order.quorum} ${order.approvals.join(', ')}`],
      ['expires', when(order.expiresAt)],
    ])
    const rows = order.devices.map(({ alias, state, result }) => [alias, state, result?.reason ?? failure(result)])
    return `${head}\n${table(['DEVICE', 'STATE', 'RESULT'], rows)}`
  })
}

/** The device's own code, after our words for it where we have some. */
function failure(result: Order['devices'][number]['result']): string {
  const words = faultWords(result?.domain, result?.code)
  const number = [result?.domain, result?.code].filter(one => one != null).join(' ')
  return words === undefined ? number : `${words} (${number})`
}

/** Newest first, all pages. */
export async function listAll(args: Args, kind: 'order' | 'standing'): Promise<number> {
  await openRoster(args.home)
  const console = consoleClient(args.home)
  const orders = await Array.fromAsync(allOrders(console, `kind=${kind}`))
  return show(args, orders, () =>
    table(
      ['ORDER', 'ACTION', 'CLASS', 'STATE', 'APPROVALS', 'DEVICES', 'CREATED'],
      orders.map(one => [
        one.order,
        one.action,
        one.class,
        one.state,
        `${one.approvals.length}/${one.quorum}`,
        one.kind === 'standing' ? 'every' : one.devices,
        when(one.createdAt),
      ]),
    ),
  )
}
