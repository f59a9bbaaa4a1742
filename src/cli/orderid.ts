import { BulkheadError } from '../base/errors.ts'
import type { OrderLine } from '../console/api.ts'
import { type Args, text } from './args.ts'
import type { ConsoleClient } from './client.ts'

const WHOLE = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
const BEGINNING = /^[0-9a-f-]{6,35}$/
const SEE = { remedy: 'See: bulkhead order list' }

/** The id of an order, whole or by its first six or more characters. Throws NOT_FOUND or AMBIGUOUS. */
export async function orderId(console: ConsoleClient, given: string): Promise<string> {
  if (WHOLE.test(given)) return given
  if (!BEGINNING.test(given))
    throw new BulkheadError('NOT_FOUND', `"${given.slice(0, 40)}" is not the id of an order.`, SEE)
  const found = new Set<string>()
  for await (const { order } of allOrders(console)) if (order.startsWith(given)) found.add(order)
  const [only, second] = found
  if (only === undefined) throw new BulkheadError('NOT_FOUND', `No order begins with ${given}.`, SEE)
  if (second === undefined) return only
  throw new BulkheadError('AMBIGUOUS', `${found.size} orders begin with ${given}.`, { remedy: 'Write more of the id.' })
}

/** To sign, a beginning is enough only for who sees the order and says yes, or names its digest: the console could make up another id. */
export function requireWhole(args: Args, id: string): void {
  if (args.words[0] === id || text(args, 'digest') !== undefined) return
  if (process.stdin.isTTY && process.stderr.isTTY) return
  throw new BulkheadError('USAGE', 'Without a terminal, the beginning of an id is not enough to sign.', {
    remedy: `Give the whole id, or the digest that you saw: --digest HEX`,
  })
}

/** Newest first, page after page. */
export async function* allOrders(console: ConsoleClient, query = ''): AsyncGenerator<OrderLine> {
  for (let before: string | null = ''; before !== null; ) {
    const more = before === '' ? '' : `&before=${encodeURIComponent(before)}`
    const page: { orders: OrderLine[]; next: string | null } = await console.get(`/api/orders?${query}${more}`)
    yield* page.orders
    before = page.next
  }
}
