import { actionOf, CLASSES } from './actions.ts'
import { deviceAlias } from './alias.ts'
import { type Order, type OrderClass, Refusal } from './api.ts'
import { classOf, classOfUnseen, isSeen } from './class.ts'
import { isDict, type Plist, type PlistDict, readPlist } from './plist.ts'
import {
  type Bytes,
  fromBase64,
  parseCanonical,
  sha256Hex,
  statementDigest,
  targetsDigest,
  toHex,
} from './statement.ts'

/** An order whose every shown part was found in what will be signed. */
export type CheckedOrder = {
  order: Order
  digest: Bytes
  /** The command, or undefined where a secret in it is sealed. */
  command: PlistDict | undefined
  /** False where something in it is sealed, or is a file that this page cannot read. */
  seen: boolean
  /** Worked out here; unknown where what was not seen could decide it, and then to be taken for the gravest. */
  class: OrderClass | 'unknown'
  trigger: 'enrolment' | 'daily' | undefined
  channel: 'device' | 'user'
  first: string[] // aliases worked out here, of the first targets
  expiresAt: Date
}
type Statement = {
  type?: unknown
  id?: unknown
  action?: unknown
  channel?: unknown
  body?: unknown
  trigger?: unknown
  expiresAt?: unknown
  targets?: { digest?: unknown; count?: unknown }
}

const SHOWN = 12

/**
 * Takes nothing from the server on trust: the digest is worked out from the statement's text, and the statement's fields
 * must be those of what is shown. Throws Refusal with the first difference.
 */
export async function checkOrder(order: Order, genesisDigest: string): Promise<CheckedOrder> {
  const statement = parsed(order.statement)
  const type = order.kind === 'standing' ? 'bulkhead-standing-order/v1' : 'bulkhead-order/v1'
  demand(statement.type === type, 'is of another kind')
  demand(statement.id === order.order, 'is another order')
  demand(statement.action === order.action, 'is for another command')
  const digest = await statementDigest(type, genesisDigest, order.statement)
  demand(toHex(digest) === order.digest, 'has another digest')
  demand(Number(statement.expiresAt) * 1000 === Date.parse(order.expiresAt), 'ends at another time')
  if (order.kind === 'order') await checkTargets(order, statement)
  demand(order.kind === 'order' || statement.trigger === 'daily' || statement.trigger === 'enrolment', 'has no trigger')
  checkFloor(order)
  const command = order.body === null ? undefined : await commandOf(order.body, statement)
  const seen = command !== undefined && isSeen(command)
  return {
    order,
    digest,
    command,
    seen,
    class: seen ? checkedClass(order, command) : classOfUnseen(order.action),
    trigger: order.kind === 'standing' ? (statement.trigger as 'daily' | 'enrolment') : undefined,
    channel: statement.channel === 'user' ? 'user' : 'device',
    first: await Promise.all(order.devices.slice(0, SHOWN).map(({ device }) => deviceAlias(device))),
    expiresAt: new Date(order.expiresAt),
  }
}

function parsed(text: string): Statement {
  try {
    return parseCanonical(text)
  } catch {
    throw refusal('does not decode')
  }
}

async function checkTargets({ devices }: Order, { targets }: Statement) {
  demand(targets?.count === devices.length, 'is for another number of devices')
  demand(new Set(devices.map(({ device }) => device)).size === devices.length, 'names a device twice')
  demand(targets?.digest === (await targetsDigest(devices.map(({ device }) => device))), 'is for other devices')
}

const known = new Map<string, string>() // order to digest, of every order that this page has shown

/** Statements never change: another digest under an id that was shown before is another order in its place. Throws Refusal. */
export function unchanged(checked: CheckedOrder): CheckedOrder {
  const { order, digest } = checked.order
  const before = known.get(order) ?? digest
  known.set(order, before)
  demand(before === digest, 'is no longer the one that this page showed before')
  return checked
}

/** Here the class is worked out again: a server that calls it anything else is not believed in the rest either. */
function checkedClass({ class: claimed }: Order, command: PlistDict): OrderClass {
  const found = classOf(command)
  demand(found === claimed, `is called “${claimed}” and is “${found}”`)
  return found
}

/** What a command does at least, whatever is in it. */
function checkFloor({ action, class: claimed }: Order) {
  const least: OrderClass = actionOf(action)?.least ?? 'read'
  demand(CLASSES.indexOf(claimed) >= CLASSES.indexOf(least), `is called “${claimed}” and can do more than that`)
}

async function commandOf(body: string, statement: Statement): Promise<PlistDict> {
  const bytes = fromBase64(body)
  demand((await sha256Hex(bytes)) === statement.body, 'has another body')
  const command = commandIn(bytes)
  demand(command.RequestType === statement.action, 'has the body of another command')
  return command
}

function commandIn(bytes: Bytes): PlistDict {
  try {
    const plist: Plist = readPlist(bytes)
    const command = isDict(plist) ? plist.Command : undefined
    if (isDict(command)) return command
  } catch {}
  throw refusal('has a body that this page cannot read')
}

function demand(holds: boolean, difference: string): asserts holds {
  if (!holds) throw refusal(difference)
}

const refusal = (difference: string) =>
  new Refusal(
    'UNPROVEN',
    `What would be signed is not what is shown: the statement ${difference}.`,
    'Do not approve it. Draft it again; if it happens again, tell whoever runs this installation that the console cannot be trusted.',
  )
