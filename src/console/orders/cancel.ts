import { BulkheadError } from '../../base/errors.ts'
import type { Desk } from '../desk.ts'
import { approvalsOf, approvedOrders, changeState, dequeue, findOrder } from './store.ts'

/**
 * What the control log has cancelled is taken out of the queue as well. That is a convenience: the edge asks the control log, whatever the
 * rows say. May be repeated. `all`: how many entries of the main log are meant.
 */
export async function stopCancelled(desk: Desk, { order, all }: { order?: string; all?: number }): Promise<void> {
  if (order !== undefined) return stopOrder(desk, order)
  for (const id of await approvedOrders(desk.db)) {
    const leaf = await desk.ledger.find({ log: 'main', unique: `order:${id}` })
    if (leaf && leaf.index < all!) await stopOrder(desk, id)
  }
}

async function stopOrder(desk: Desk, id: string) {
  const row = await findOrder(desk.db, id)
  await desk.db.transaction().execute(async tx => {
    if (row.state !== 'cancelled') await changeState(tx, id, row.state, 'cancelled', desk.now())
    await dequeue(tx, id, 'cancelled')
  })
  desk.log.info('order.cancelled', { order: id })
}

/** A draft that nobody approved yet reaches no device: whoever is signed in may throw it away. Anything else takes a passkey. */
export async function discardDraft(desk: Desk, id: string, caller: string): Promise<void> {
  const row = await findOrder(desk.db, id)
  if (row.state === 'cancelled') return
  if (row.state !== 'draft' || (await approvalsOf(desk.db, id)).length > 0)
    throw new BulkheadError('REFUSED', 'Members approved this order, so ending it takes a passkey.', {
      remedy: `Write: bulkhead order cancel ${id} --passkey FILE`,
    })
  await changeState(desk.db, id, 'draft', 'cancelled', desk.now())
  desk.log.info('order.discarded', { order: id, by: caller })
}
