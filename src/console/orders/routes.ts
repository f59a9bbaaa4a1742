import { createRoute, z } from '@hono/zod-openapi'
import type { Member } from '../../trust/roster.ts'
import { approvedOut, approveIn, draftOut, orderIn, orderOut, ordersOut, standingDraftOut, standingIn } from '../api.ts'
import { type Desk, seconds } from '../desk.ts'
import { type Api, answers, byId, takes } from '../routing.ts'
import { approveOrder } from './approve.ts'
import { discardDraft } from './cancel.ts'
import { draftOrder, draftStanding } from './draft.ts'
import { readable, readStatement } from './statement.ts'
import { approvalsOf, deliveriesOfOrder, devicesOf, findOrder, listOrders, type OrderRow, shownState } from './store.ts'

const PAGE = 200
const listQuery = z.object({ before: z.iso.datetime().optional(), kind: z.enum(['order', 'standing']).optional() })

const create = createRoute({
  method: 'post',
  path: '/api/orders',
  request: takes(orderIn),
  responses: answers(draftOut),
})
const stand = createRoute({
  method: 'post',
  path: '/api/standing',
  request: takes(standingIn),
  responses: answers(standingDraftOut),
})
const list = createRoute({
  method: 'get',
  path: '/api/orders',
  request: { query: listQuery },
  responses: answers(ordersOut),
})
const show = createRoute({ method: 'get', path: '/api/orders/{id}', request: byId, responses: answers(orderOut) })
const approve = createRoute({
  method: 'post',
  path: '/api/orders/{id}/approvals',
  request: { ...byId, ...takes(approveIn) },
  responses: answers(approvedOut),
})
const discard = createRoute({
  method: 'post',
  path: '/api/orders/{id}/discard',
  request: byId,
  responses: answers(approvedOut),
})

/** Standing orders are orders of another kind: drafted apart, then listed, shown and approved alike. What ends one that was approved is a statement of the control log. */
export function orderRoutes(api: Api, desk: Desk) {
  api.openapi(create, async context =>
    context.json(await draftOrder(desk, context.get('caller'), context.req.valid('json')), 200),
  )
  api.openapi(stand, async context =>
    context.json(await draftStanding(desk, context.get('caller'), context.req.valid('json')), 200),
  )
  api.openapi(list, async context => {
    const { kind, before } = context.req.valid('query')
    return context.json(await orderLines(desk, kind, before), 200)
  })
  api.openapi(show, async context => context.json(await orderPage(desk, context.req.valid('param').id), 200))
  api.openapi(approve, async context => {
    const { id } = context.req.valid('param')
    await approveOrder(desk, id, context.req.valid('json').approval)
    return context.json(await progress(desk, id), 200)
  })
  api.openapi(discard, async context => {
    const { id } = context.req.valid('param')
    await discardDraft(desk, id, context.get('caller'))
    return context.json(await progress(desk, id), 200)
  })
}

async function orderPage(desk: Desk, id: string) {
  const row = await findOrder(desk.db, id)
  const { statement, digest } = readStatement(row, desk.trusted)
  const devices = devicesOf(row, await deliveriesOfOrder(desk.db, id))
  const open = devices.some(({ state }) => state === 'pending' || state === 'sent' || state === 'not-now')
  const approvals = approversOf(
    desk,
    row,
    (await approvalsOf(desk.db, id)).map(({ member_id }) => member_id),
  )
  return {
    ...common(desk, row, statement),
    state: shownState(row, open, statement.expiresAt <= seconds(desk.now())),
    approvals,
    statement: row.statement,
    digest: digest.toString('hex'),
    secret: row.secret,
    body: row.secret ? null : row.body.toString('base64'),
    devices,
  }
}

async function orderLines(desk: Desk, kind: 'order' | 'standing' | undefined, before: string | undefined) {
  const rows = await listOrders(desk.db, kind, before === undefined ? undefined : new Date(before), PAGE)
  const orders = rows.flatMap(row => {
    const read = readable(desk, row)
    if (!read) return []
    const { statement } = read
    const state = shownState(row, row.open, statement.expiresAt <= seconds(desk.now()))
    const approvals = approversOf(desk, row, row.members)
    return [{ ...common(desk, row, statement), state, approvals, devices: row.devices }]
  })
  return { orders, next: rows.length === PAGE ? rows.at(-1)!.created_at.toISOString() : null }
}

type Row = Pick<Awaited<ReturnType<typeof findOrder>>, 'order_id' | 'kind' | 'class' | 'created_at'>
const common = (desk: Desk, row: Row, { action, expiresAt }: { action: string; expiresAt: number }) => ({
  order: row.order_id,
  kind: row.kind,
  action,
  class: row.class,
  quorum: desk.trusted.rules.quorum[row.class],
  createdAt: row.created_at.toISOString(),
  expiresAt: new Date(expiresAt * 1000).toISOString(),
})

async function progress(desk: Desk, id: string) {
  const { order, state, approvals, quorum } = await orderPage(desk, id)
  return { order, state, approvals, quorum }
}

/** Of a draft, those whose approvals may still count; of an order that was approved, those who did it, members still or not. */
function approversOf(desk: Desk, { state, class: orderClass }: Pick<OrderRow, 'state' | 'class'>, ids: string[]) {
  const { roster, rules } = desk.trusted
  const of = (members: Member[], id: string) => members.find(member => member.id === id)
  if (state === 'draft')
    return ids.flatMap(id => {
      const member = of(roster.members, id)
      return member?.roles.some(role => rules.roles[orderClass].includes(role)) ? [member.alias] : []
    })
  const versions = desk.control.control.versions.toReversed()
  return ids.map(id => versions.map(({ roster: { members } }) => of(members, id)).find(Boolean)?.alias ?? id)
}
