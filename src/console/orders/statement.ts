import {
  decodeOrder,
  decodeStanding,
  type Order,
  orderDigest,
  type StandingOrder,
  standingDigest,
} from '../../trust/order.ts'
import type { Trusted } from '../../trust/roster.ts'
import type { Desk } from '../desk.ts'
import type { OrderRow } from './store.ts'

export type Read = {
  statement: Order | StandingOrder
  digest: Buffer
  channel: 'device' | 'user'
  trigger?: 'enrolment' | 'daily'
}

/** The statement of a row of either kind. Throws MALFORMED. */
export function readStatement(row: Pick<OrderRow, 'kind' | 'statement'>, trusted: Trusted): Read {
  if (row.kind === 'standing') {
    const statement = decodeStanding(row.statement)
    return { statement, digest: standingDigest(row.statement, trusted), channel: 'device', trigger: statement.trigger }
  }
  const statement = decodeOrder(row.statement)
  return { statement, digest: orderDigest(row.statement, trusted), channel: statement.channel }
}

/** The same among others: a row that was tampered with is logged and passed over, so that it holds up no other. */
export function readable(desk: Desk, row: Pick<OrderRow, 'order_id' | 'kind' | 'statement'>): Read | undefined {
  try {
    return readStatement(row, desk.trusted)
  } catch (error) {
    desk.log.error('order.unreadable', { order: row.order_id }, error)
    return undefined
  }
}
