import { randomBytes, randomUUID } from 'node:crypto'
import { BulkheadError } from '../../base/errors.ts'
import { canonical } from '../../trust/canonical.ts'
import type { OrderClass } from '../../trust/class.ts'
import { type Order, orderDigest, type StandingOrder, standingDigest, targetsDigest } from '../../trust/order.ts'
import type { Trusted } from '../../trust/roster.ts'
import { sha256Hex } from '../../trust/statement.ts'
import { hpkeSeal } from '../../wire/hpke.ts'
import type { Draft, OrderDraft, StandingDraft, StandingDrafted } from '../api.ts'
import { type Desk, seconds } from '../desk.ts'
import { type Built, buildBody } from './body.ts'
import { countDrafts } from './store.ts'
import { requireRights, resolveTargets } from './targets.ts'

const DEFAULT_LIFE = 7 * 86_400
const MOST_DRAFTS = 200 // a member and day: bodies are large, and a stolen session fills no disk
const DAY_MS = 86_400_000

/** Stores an order that does nothing until it is approved. */
export async function draftOrder(desk: Desk, caller: string, asked: OrderDraft): Promise<Draft> {
  await requireRoom(desk, caller)
  const built = buildBody(asked)
  requireEnough(desk.trusted, built.class)
  const salt = randomBytes(16).toString('hex')
  const { targets, group } = await resolveTargets(desk, asked)
  requireRights(targets, built.command)
  const devices = targets.map(({ device }) => device)
  const order: Order = {
    ...common(desk, asked, built, salt),
    type: 'bulkhead-order/v1',
    channel: asked.channel,
    targets: { digest: targetsDigest(devices), count: devices.length, ...(group && { group }) },
  }
  const statement = canonical(order)
  await store(desk, caller, order, { statement, built, asked, devices, salt })
  const digest = orderDigest(statement, desk.trusted).toString('hex')
  return { ...summary(desk, order.id, built), devices: devices.length, statement, digest }
}

/** The same for an order that is approved once and given to every device that comes. Only what is harmless may be. */
export async function draftStanding(desk: Desk, caller: string, asked: StandingDraft): Promise<StandingDrafted> {
  await requireRoom(desk, caller)
  const built = buildBody(asked)
  if (built.class !== 'read' && built.class !== 'change')
    throw new BulkheadError('REFUSED', `A standing order can read or change, and this can ${built.class}.`, {
      remedy: 'Order it for the devices that need it: bulkhead order create',
    })
  requireEnough(desk.trusted, built.class)
  const salt = randomBytes(16).toString('hex')
  const standing: StandingOrder = {
    ...common(desk, asked, built, salt),
    type: 'bulkhead-standing-order/v1',
    trigger: asked.trigger,
  }
  const statement = canonical(standing)
  await store(desk, caller, standing, { statement, built, asked, devices: [], salt })
  return {
    ...summary(desk, standing.id, built),
    statement,
    digest: standingDigest(statement, desk.trusted).toString('hex'),
  }
}

type Asked = OrderDraft | StandingDraft

/** Throws LIMIT for a member with too many drafts; the owner's own command line has none. */
async function requireRoom(desk: Desk, caller: string) {
  if (caller === 'local') return
  if ((await countDrafts(desk.db, caller, new Date(desk.now().getTime() - DAY_MS))) < MOST_DRAFTS) return
  throw new BulkheadError('LIMIT', `You drafted ${MOST_DRAFTS} orders within a day that are not approved.`, {
    remedy:
      'Approve those that should stand, or wait until tomorrow. One order can be for many devices, or for a group.',
  })
}

/** An order that could never have its quorum is not drafted. No quorum is lowered for it: the roster stands. */
function requireEnough({ roster, rules }: Trusted, orderClass: OrderClass) {
  const roles = rules.roles[orderClass]
  const quorum = rules.quorum[orderClass]
  const able = roster.members.filter(
    member =>
      member.roles.some(role => roles.includes(role)) &&
      member.passkeys.some(({ software }) => !software || rules.softwarePasskeys),
  ).length
  if (able >= quorum) return
  throw new BulkheadError(
    'REFUSED',
    `An order that can ${orderClass} takes ${quorum} approvals, and the roster has ${able} ${able === 1 ? 'member' : 'members'} who may give one.`,
    {
      remedy:
        'Add members: bulkhead roster propose --add-member ALIAS=FILE --roles approver. The roster stands until then.',
    },
  )
}

/** The salt keeps a short reason from being guessed by its digest. */
function common(desk: Desk, asked: Asked, built: Built, salt: string) {
  const notBefore = seconds(desk.now())
  return {
    id: randomUUID(),
    platform: 'apple' as const,
    action: asked.action,
    body: sha256Hex(built.template),
    holes: built.holes,
    notBefore,
    expiresAt: notBefore + lifeOf(asked, desk.trusted),
    nonce: randomBytes(16).toString('hex'),
    reason: sha256Hex(`${salt}${asked.reason}`),
  }
}

/** Standing orders last as long as an order may; the order's own time is a week unless it says otherwise. */
function lifeOf(asked: Asked, { rules }: Trusted): number {
  const standard = 'trigger' in asked ? rules.longestOrder : Math.min(DEFAULT_LIFE, rules.longestOrder)
  const life = asked.expiresInSeconds ?? standard
  if (life <= rules.longestOrder) return life
  throw new BulkheadError('BAD_REQUEST', `An order of this installation lasts at most ${rules.longestOrder} seconds.`)
}

type Draftee = { statement: string; built: Built; asked: Asked; devices: string[]; salt: string }

async function store(desk: Desk, caller: string, order: Order | StandingOrder, draft: Draftee) {
  const { statement, built, asked, devices, salt } = draft
  const { id, expiresAt } = order
  const trigger = 'trigger' in order ? order.trigger : null
  const { seal, delivery } = desk.pinned.roster.keys
  const sealed = (key: string, place: string, bytes: Uint8Array) =>
    hpkeSeal(Buffer.from(key, 'base64'), bytes, Buffer.from(`${place}\n${id}`))
  const row = {
    order_id: id,
    kind: trigger === null ? ('order' as const) : ('standing' as const),
    statement,
    body: built.secret ? sealed(delivery, 'bulkhead-body/v1', built.template) : built.template,
    secret: built.secret,
    targets: devices,
    action: asked.action,
    class: built.class,
    trigger,
    expires_at: new Date(expiresAt * 1000),
    reason_salt: salt,
    reason: sealed(seal, 'bulkhead-reason/v1', Buffer.from(asked.reason)),
    created_by: caller,
  }
  await desk.db.insertInto('console.orders').values(row).execute()
  desk.log.info('order.drafted', { order: id, class: built.class, devices: devices.length, by: caller })
}

const summary = (desk: Desk, order: string, built: Built) => ({
  order,
  class: built.class,
  quorum: desk.trusted.rules.quorum[built.class],
})
