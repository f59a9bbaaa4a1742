import { randomUUID } from 'node:crypto'
import type { Pool } from 'pg'
import { RENEW_IDENTITY } from '../../src/edge/turnstile.ts'
import { canonical } from '../../src/trust/canonical.ts'
import { targetsDigest } from '../../src/trust/order.ts'
import type { Voucher } from '../../src/trust/voucher.ts'
import type { Operator } from '../../test/support/operator.ts'
import { rowOf } from '../../test/support/tamper.ts'
import type { Side } from './sides.ts'

/** Attacks with a plan, beyond one column at a time. Each is for two devices of its own. */
export type Plan = (mine: Side, other: Side) => Promise<unknown>

export function plansOf(database: Pool, owner: Operator): Record<string, Plan> {
  const query = (text: string, values: unknown[] = []) => database.query(text, values)
  const queue = (order: string, device: string) =>
    query(
      `insert into edge.pending (device_id, order_id, command_uuid, expires_at)
       values ($1, $2, edge.command_uuid($2, $1, '', 0), 'infinity')`,
      [device, order],
    )
  const swapVouchers = (mine: Side, other: Side) =>
    query(
      `update vault.certificate c set voucher = o.voucher, signature = o.signature from vault.certificate o
       where c.device_id = any ($1) and o.device_id = any ($1) and o.device_id <> c.device_id`,
      [[mine.id, other.id]],
    )
  const orderRow = (side: Side) => rowOf(database, 'console.orders', 'order_id', side.order)

  return {
    'the order is given the other device as a target, in its row and in its statement, and work for it is queued':
      async (mine, other) => {
        const row = await orderRow(mine)
        const targets = [mine.id, other.id]
        const statement = JSON.parse(String(row.statement)) as { targets: object }
        statement.targets = { digest: targetsDigest(targets), count: 2 }
        await query('update console.orders set targets = $2, statement = $3 where order_id = $1', [
          mine.order,
          targets,
          canonical(statement as never),
        ])
        await queue(mine.order, other.id)
      },
    'the order is given the other device as a target in its row alone': async (mine, other) => {
      await query('update console.orders set targets = $2 where order_id = $1', [mine.order, [mine.id, other.id]])
      await queue(mine.order, other.id)
    },
    'work of an order is queued for a device that it is not for': (mine, other) => queue(mine.order, other.id),
    'the vouchers of the two devices are swapped whole': swapVouchers,
    'the work moves to the other device, and the vouchers are swapped': async (mine, other) => {
      await swapVouchers(mine, other)
      await query('update edge.pending set device_id = $2 where order_id = $1', [mine.order, other.id])
    },
    'a voucher is rewritten to say that the other device is this one': async (mine, other) => {
      const rows = await Promise.all(
        [mine, other].map(({ id }) => rowOf(database, 'vault.certificate', 'device_id', id)),
      )
      const [one, another] = rows.map(row => JSON.parse(String(row.voucher)) as Voucher)
      await query('update vault.certificate set voucher = $2, device_id = $3 where device_id = $1', [
        other.id,
        canonical({ ...another!, device: mine.id, path: another!.path, groups: one!.groups }),
        mine.id,
      ])
    },
    'an order to erase is made from the approval of another': async (mine, other) => {
      const row = await orderRow(other)
      const forged = { ...(JSON.parse(String(row.statement)) as object), id: randomUUID(), action: 'EraseDevice' } as {
        id: string
      }
      await query(
        `insert into console.orders (order_id, statement, body, targets, class, state, reason_salt, reason, created_by)
         values ($1, $2, $3, $4, 'read', 'approved', '', '', 'local')`,
        [forged.id, canonical(forged as never), eraseBody(), [mine.id]],
      )
      await query(
        'insert into console.approval select $1, member_id, approval, at from console.approval where order_id = $2',
        [forged.id, mine.order],
      )
      await queue(forged.id, mine.id)
    },
    'the body becomes an order to erase': mine =>
      query("update console.orders set body = $2, class = 'read' where order_id = $1", [mine.order, eraseBody()]),
    'the body says something else, in clear': (mine, other) =>
      query('update console.orders set body = $2, secret = false where order_id = $1', [
        mine.order,
        bodyOf('DeviceLock', `<key>Message</key><string>for ${other.id}</string>`),
      ]),
    'the body is the other order’s, with its digest in the statement': async (mine, other) => {
      const [row, another] = await Promise.all([orderRow(mine), orderRow(other)])
      const statement = JSON.parse(String(row.statement)) as Record<string, unknown>
      const taken = JSON.parse(String(another.statement)) as Record<string, unknown>
      for (const key of ['body', 'action', 'holes']) statement[key] = taken[key]
      await query('update console.orders set body = $2, secret = $3, statement = $4 where order_id = $1', [
        mine.order,
        Buffer.from(String(another.body).slice(2), 'hex'),
        another.secret,
        canonical(statement as never),
      ])
    },
    'a standing order is made of it, for every device': async (mine, other) => {
      await query("update console.orders set kind = 'standing' where order_id = $1", [mine.order])
      await queue(mine.order, other.id)
    },
    'a draft that nobody approved is marked as approved': async (mine, other) => {
      const { order } = await owner.draft({
        action: 'DeviceLock',
        set: ['Message=nobody approved this'],
        devices: [mine.id, other.id],
      })
      await query("update console.orders set state = 'approved', approved_at = now() where order_id = $1", [order])
      for (const { id } of [mine, other]) await queue(order, id)
    },
    'a draft gets the approvals of another order, all of them': async (mine, other) => {
      const { order } = await owner.draft({ action: 'ProfileList', devices: [mine.id, other.id] })
      await query(
        'insert into console.approval select $1, member_id, approval, at from console.approval where order_id = $2',
        [order, mine.order],
      )
      await query("update console.orders set state = 'approved', approved_at = now() where order_id = $1", [order])
      for (const { id } of [mine, other]) await queue(order, id)
    },
    'the order is filed under the id of another one that was approved for the other device': async (mine, other) => {
      const row = await orderRow(mine)
      await query('update console.orders set statement = $2, body = $3, targets = $4 where order_id = $1', [
        other.order,
        row.statement,
        Buffer.from(String(row.body).slice(2), 'hex'),
        [mine.id, other.id],
      ])
    },
    'the work is renamed, so that its answer ends nothing': mine =>
      query('update edge.pending set command_uuid = gen_random_uuid() where order_id = $1', [mine.order]),
    'the work is queued again, so that it is done twice': async mine => {
      await query(
        `insert into edge.pending (device_id, order_id, serial, command_uuid, expires_at) values ($1, $2, 1, gen_random_uuid(), 'infinity')`,
        [mine.id, mine.order],
      )
    },
    'the work is queued again under the same serial and another name': async mine => {
      await query(
        `insert into edge.pending (device_id, order_id, serial, command_uuid, expires_at) values ($1, $2, 0, gen_random_uuid(), 'infinity')`,
        [mine.id, mine.order],
      )
    },
    'the work is moved to the channel of a user': mine =>
      query('update edge.pending set channel = $2 where order_id = $1', [mine.order, '0'.repeat(32)]),
    'the device is told to renew its identity, again and again, long before its time': async mine => {
      for (const serial of [0, 1, 2, Math.floor(Date.now() / 86_400_000)])
        await query(
          `insert into edge.pending (device_id, order_id, serial, command_uuid, expires_at)
           values ($1, $2, $3, edge.command_uuid($2, $1, '', $3), 'infinity')`,
          [mine.id, RENEW_IDENTITY, serial],
        )
    },
  }
}

export const bodyOf = (action: string, keys = '') =>
  Buffer.from(
    `<?xml version="1.0" encoding="UTF-8"?><plist version="1.0"><dict><key>Command</key><dict><key>RequestType</key><string>${action}</string>${keys}</dict><key>CommandUUID</key><string>{{command-uuid}}</string></dict></plist>`,
  )
export const eraseBody = () => bodyOf('EraseDevice')
