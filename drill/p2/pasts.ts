import type { Pool } from 'pg'
import type { Side } from './sides.ts'

// What is over is brought back: work that a device answered, that was cancelled, that somebody erased for. Each attack is for a device whose
// order has such a past; its score already knows that nothing more may come of it.

export type Past = 'answered' | 'cancelled'
export type Revival = (side: Side) => Promise<unknown>

export function revivalsOf(database: Pool): Record<string, { past: Past; revive: Revival }> {
  const query = (text: string, values: unknown[] = []) => database.query(text, values)
  const queue = (side: Side, serial = 0, uuid = 'edge.command_uuid($2, $1, $4, $3)') =>
    query(
      `insert into edge.pending (device_id, order_id, serial, channel, command_uuid, expires_at) values ($1, $2, $3, $4, ${uuid}, 'infinity')`,
      [side.id, side.order, serial, ''],
    )
  const forget = ({ order }: Side) => query('delete from edge.result where order_id = $1', [order])
  const reopen = ({ order }: Side) =>
    query("update console.orders set state = 'approved', expires_at = 'infinity' where order_id = $1", [order])

  return {
    'work that was answered is queued again, with the same CommandUUID': { past: 'answered', revive: queue },
    'work that was answered is queued again, and its result is deleted': {
      past: 'answered',
      revive: async side => {
        await forget(side)
        await queue(side)
      },
    },
    'work that was answered is queued under a new CommandUUID': {
      past: 'answered',
      revive: side => queue(side, 0, 'gen_random_uuid()'),
    },
    'work that was answered is queued under the next serial': { past: 'answered', revive: side => queue(side, 1) },
    'the answered order is marked as new, with its approval, and queued by the console’s own function': {
      past: 'answered',
      revive: async side => {
        await forget(side)
        await query("update console.orders set state = 'draft', approved_at = null where order_id = $1", [side.order])
        await reopen(side)
        await query("select console.enqueue($1, false, 'infinity')", [side.order])
      },
    },
    'a copy of the answered order gets an id of its own in its row alone': {
      past: 'answered',
      revive: async side => {
        const { rows } = await query(
          `insert into console.orders select (jsonb_populate_record(o, jsonb_build_object('order_id', gen_random_uuid()))).* from console.orders o where order_id = $1 returning order_id`,
          [side.order],
        )
        await query(
          'insert into console.approval select $1, member_id, approval, at from console.approval where order_id = $2',
          [rows[0].order_id, side.order],
        )
        await queue({ ...side, order: rows[0].order_id })
      },
    },
    'a cancelled order is marked as approved and queued again': {
      past: 'cancelled',
      revive: async side => {
        await forget(side)
        await reopen(side)
        await queue(side)
      },
    },
    'the proposal that cancelled an order is deleted, and the order revived': {
      past: 'cancelled',
      revive: async side => {
        await query('delete from console.proposal where statement like $1', [`%${side.order}%`])
        await forget(side)
        await reopen(side)
        await query("select console.enqueue($1, false, 'infinity')", [side.order])
      },
    },
  }
}
