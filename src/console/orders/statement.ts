import {
  decodeOrder,
  decodeStanding,
  type Order,
  orderDigest,
  type StandingOrder,
  standingDigest,
} from '../../trust/order.ts'
import type { Trusted } from '../../trust/roster.ts'
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
