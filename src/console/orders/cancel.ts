import { BulkheadError } from '../../base/errors.ts'
import type { Desk } from '../desk.ts'
import { approvalsOf, changeState, dequeue, findOrder, livingOrders } from './store.ts'

/**
 * What the control log has cancelled is taken out of the queue as well. That is a convenience: the edge asks the control log, whatever the
 * rows say. May be repeated.
 */
export async function stopCancelled(desk: Desk): Promise<void> {
  const { isCancelled } = desk.control.control
  for (const { id, state } of await livingOrders(desk.db)) {
    const leaf = state === 'approved' ? await desk.ledger.find({ log: 'main', unique: `order:${id}` }) : null
    if (isCancelled(id, leaf?.index ?? Infinity)) await stopOrder(desk, id)
  }
}

async function stopOrder(desk: Desk, id: string) {
  const { state } = await findOrder(desk.db, id)
  await desk.db.transaction().execute(async tx => {
    if (state !== 'cancelled') await changeState(tx, id, state, 'cancelled', desk.now())
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
