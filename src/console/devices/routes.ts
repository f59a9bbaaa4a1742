import { createRoute, z } from '@hono/zod-openapi'
import { devicePageOut, deviceState, devicesOut, uuid } from '../api.ts'
import type { Desk } from '../desk.ts'
import { type GroupRow, newestGroups, verifyGroupRow } from '../groups/store.ts'
import { deliveriesOfDevice, shownResult } from '../orders/store.ts'
import { type Api, answers, named } from '../routing.ts'
import { certificates, findDevice, listDevices, resolveDevices } from './store.ts'

const PAGE = 500
const listQuery = z.object({ state: deviceState.optional(), cursor: uuid.optional() })
const list = createRoute({
  method: 'get',
  path: '/api/devices',
  request: { query: listQuery },
  responses: answers(devicesOut),
})
const show = createRoute({
  method: 'get',
  path: '/api/devices/{name}',
  request: named,
  responses: answers(devicePageOut),
})

export function deviceRoutes(api: Api, desk: Desk) {
  api.openapi(list, async context => {
    const wanted = context.req.valid('query')
    return context.json(await listDevices(desk.db, desk.now(), { ...wanted, limit: PAGE }), 200)
  })
  api.openapi(show, async context => {
    const [device] = await resolveDevices(desk.db, [context.req.valid('param').name])
    return context.json(await devicePage(desk, device!), 200)
  })
}

async function devicePage(desk: Desk, id: string) {
  const device = (await findDevice(desk.db, desk.now(), id))!
  const [certificate] = await certificates(desk.db, { devices: [id] })
  const voucher = certificate && desk.vouchers(certificate)
  return {
    ...device,
    tier: voucher?.tier ?? device.tier,
    enrolledAt: device.enrolledAt.toISOString(),
    factsAt: device.factsAt?.toISOString() ?? null,
    certificateExpires: certificate?.not_after.toISOString() ?? null,
    proven: voucher !== undefined,
    groups: await groupsOf(desk, id, voucher?.groups ?? []),
    orders: await ordersOf(desk, id),
  }
}

/** Groups of the device's voucher, and those whose newest version names it. */
async function groupsOf(desk: Desk, device: string, vouched: string[]) {
  const rows = await newestGroups(desk.db)
  const named = rows.filter(row => isMember(desk, row, device)).map(row => row.group_id)
  const aliases = new Map(rows.map(row => [row.group_id, row.alias]))
  return [...new Set([...vouched, ...named])].map(group => ({ group, alias: aliases.get(group) ?? null }))
}

function isMember(desk: Desk, row: GroupRow, device: string): boolean {
  if (!row.statement.includes(device)) return false // spares most groups the signature
  try {
    return verifyGroupRow(row, desk.trusted).members.includes(device)
  } catch {
    return false
  }
}

/** A renewal is an order of the genesis, so no row stands for it. */
async function ordersOf(desk: Desk, device: string) {
  const deliveries = await deliveriesOfDevice(desk.db, device)
  const ids = deliveries.map(({ order_id }) => order_id)
  const rows =
    ids.length === 0
      ? []
      : await desk.db.selectFrom('console.orders').select(['order_id', 'action']).where('order_id', 'in', ids).execute()
  const actions = new Map(rows.map(row => [row.order_id, row.action]))
  return deliveries.map(delivery => ({
    order: delivery.order_id,
    action: actions.get(delivery.order_id) ?? 'InstallProfile',
    state: delivery.state,
    result: shownResult(delivery),
  }))
}
