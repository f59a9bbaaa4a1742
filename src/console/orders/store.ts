import { type RawBuilder, sql } from 'kysely'
import { BulkheadError } from '../../base/errors.ts'
import { deviceAlias } from '../../trust/alias.ts'
import type { Approval } from '../../trust/approval.ts'
import type { OrderClass } from '../../trust/class.ts'
import type { DeliveryState, OrderDevice, OrderState, Result } from '../api.ts'
import type { Database } from '../database.ts'

/** Orders with their approvals, and what became of them. Whoever changes a row stops or hides an order: statement and approvals prove themselves. */
export type OrderRow = {
  order_id: string
  kind: 'order' | 'standing'
  statement: string
  body: Buffer
  secret: boolean
  targets: string[]
  class: OrderClass
  state: 'draft' | 'approved' | 'cancelled'
  created_at: Date
}
const columns = ['order_id', 'kind', 'statement', 'body', 'secret', 'targets', 'class', 'state', 'created_at'] as const

export async function findOrder(db: Database, order: string): Promise<OrderRow> {
  const row = await db.selectFrom('console.orders').select(columns).where('order_id', '=', order).executeTakeFirst()
  if (row) return row
  throw new BulkheadError('NOT_FOUND', `There is no order ${order}.`, { remedy: 'See: bulkhead order list' })
}

export async function approvalsOf(db: Database, order: string): Promise<{ member_id: string; approval: Approval }[]> {
  return db
    .selectFrom('console.approval')
    .select(['member_id', 'approval'])
    .where('order_id', '=', order)
    .orderBy('at')
    .execute()
}

/** Newest first, without bodies and targets. `work`: how much has still to reach a device. */
export async function listOrders(
  db: Database,
  kind: OrderRow['kind'] | undefined,
  before: Date | undefined,
  limit: number,
) {
  let query = db
    .selectFrom('console.orders as o')
    .select(['o.order_id', 'o.kind', 'o.statement', 'o.class', 'o.state', 'o.created_at'])
    .select(sql<number>`cardinality(o.targets)`.as('devices'))
    .select(
      sql<string[]>`array(select a.member_id from console.approval a where a.order_id = o.order_id order by a.at)`.as(
        'members',
      ),
    )
    .select(sql<boolean>`exists (select from edge.pending p where p.order_id = o.order_id)`.as('open'))
    .orderBy('o.created_at', 'desc')
    .limit(limit)
  if (kind !== undefined) query = query.where('o.kind', '=', kind)
  if (before !== undefined) query = query.where('o.created_at', '<', before)
  return query.execute()
}

export async function storeApproval(db: Database, order: string, member: string, approval: Approval) {
  await db
    .insertInto('console.approval')
    .values({ order_id: order, member_id: member, approval: JSON.stringify(approval) })
    .onConflict(conflict => conflict.doNothing())
    .execute()
}

/** False where somebody else changed it first. */
export async function changeState(
  db: Database,
  order: string,
  from: OrderRow['state'],
  to: OrderRow['state'],
  now: Date,
) {
  const changed = await db
    .updateTable('console.orders')
    .set(to === 'approved' ? { state: to, approved_at: now } : { state: to })
    .where('order_id', '=', order)
    .where('state', '=', from)
    .executeTakeFirst()
  return changed.numUpdatedRows === 1n
}

export async function enqueue(db: Database, order: string, userChannel: boolean, expires: Date) {
  await sql`select console.enqueue(${order}::uuid, ${userChannel}, ${expires}::timestamptz)`.execute(db)
}

export async function enqueueStanding(db: Database, order: string, serial: number, expires: Date) {
  await sql`select console.enqueue_standing(${order}::uuid, ${serial}, ${expires}::timestamptz)`.execute(db)
}

export async function dequeue(db: Database, order: string, state: 'cancelled' | 'expired') {
  await sql`select console.dequeue(${order}::uuid, ${state})`.execute(db)
}

/** Orders of both kinds that may still reach a device. */
export async function livingOrders(db: Database): Promise<{ id: string; state: 'draft' | 'approved' }[]> {
  const rows = await db
    .selectFrom('console.orders')
    .select(['order_id', 'state'])
    .where('state', 'in', ['draft', 'approved'])
    .where('expires_at', '>', sql<Date>`now()`)
    .execute()
  return rows.map(row => ({ id: row.order_id, state: row.state as 'draft' | 'approved' }))
}

/** Drops drafts of more than a month that nobody approved. */
export async function sweepDrafts(db: Database): Promise<number> {
  const { rows } = await sql<{ gone: number }>`select console.sweep_drafts() as gone`.execute(db)
  return rows[0]!.gone
}

/** How many this member drafted since then that are not approved; discarded ones count. */
export async function countDrafts(db: Database, member: string, since: Date): Promise<number> {
  const { count } = await db
    .selectFrom('console.orders')
    .select(db.fn.countAll<string>().as('count'))
    .where('created_by', '=', member)
    .where('approved_at', 'is', null)
    .where('created_at', '>', since)
    .executeTakeFirstOrThrow()
  return Number(count)
}

/** Orders of which something is still pending beyond its time. */
export async function overdueOrders(db: Database): Promise<string[]> {
  const rows = await db
    .selectFrom('edge.pending')
    .select('order_id')
    .distinct()
    .where('expires_at', '<=', sql<Date>`now()`)
    .limit(200)
    .execute()
  return rows.map(row => row.order_id)
}

type Delivery = {
  order_id: string
  device_id: string
  state: DeliveryState
  attempts: number
  code: number | null
  domain: string | null
  at: Date
}

/** The newest delivery of each pair of order and device: what is pending before what was answered. */
const newest = (where: RawBuilder<unknown>) => sql<Delivery>`
  select distinct on (order_id, device_id) * from (
    select order_id, device_id, serial, case when expires_at <= now() then 'expired' else state end as state,
      attempts, null::int as code, null::text as domain, changed_at as at, 0 as rank from edge.pending where ${where}
    union all
    select order_id, device_id, serial, state, 0, code, domain, at, 1 from edge.result where ${where}
  ) as said order by order_id, device_id, serial desc, rank, at desc`

export async function deliveriesOfOrder(db: Database, order: string): Promise<Delivery[]> {
  return (await newest(sql`order_id = ${order}::uuid`).execute(db)).rows
}

const RECENT = 100
export async function deliveriesOfDevice(db: Database, device: string): Promise<Delivery[]> {
  const recent = sql<Delivery>`select * from (${newest(sql`device_id = ${device}::uuid`)}) as d order by at desc limit ${RECENT}`
  return (await recent.execute(db)).rows
}

/** A delivery as it is shown: nothing in it is personal. */
export function shownResult({ state, attempts, code, domain, at }: Delivery): Result | null {
  if (state === 'pending' || state === 'sent') return null
  const result = { code, domain, at: at.toISOString() }
  if (state !== 'not-now') return result
  const said = attempts === 1 ? 'once' : `${attempts} times`
  return { ...result, reason: `The device said NotNow ${said}; it is asked again when it comes.` }
}

/** Every target with what became of it. Of one that was never queued: what became of the order. */
export function devicesOf(row: OrderRow, deliveries: Delivery[]): OrderDevice[] {
  const said = new Map(deliveries.map(delivery => [delivery.device_id, delivery]))
  const waiting = row.state === 'draft' ? 'pending' : 'cancelled' // a device that left before the order was approved
  return [...new Set([...row.targets, ...said.keys()])].sort().map(device => {
    const delivery = said.get(device)
    const alias = deviceAlias(device)
    if (!delivery) return { device, alias, state: waiting, result: null }
    return { device, alias, state: delivery.state, result: shownResult(delivery) }
  })
}

/** `open`: something has still to reach a device. */
export function shownState(row: Pick<OrderRow, 'state' | 'kind'>, open: boolean, expired: boolean): OrderState {
  if (row.state === 'draft' && expired) return 'expired'
  if (row.state !== 'approved' || (row.kind === 'standing' && !expired)) return row.state
  if (open && !expired) return 'approved'
  return row.kind === 'standing' ? 'expired' : 'done'
}
