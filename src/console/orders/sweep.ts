import { setTimeout as sleep } from 'node:timers/promises'
import { sweepProposals } from '../control/store.ts'
import { type Desk, seconds } from '../desk.ts'
import { sweepSessions } from '../sessions/store.ts'
import { stopCancelled } from './cancel.ts'
import { readable } from './statement.ts'
import { dequeue, enqueueStanding, listOrders, overdueOrders, sweepDrafts } from './store.ts'

const EVERY_MS = 5000
const DAY = 86_400

/** Ends what is over and queues what is daily, until `signal`. A database that is away is asked again the next time. */
export async function sweepUntil(desk: Desk, signal: AbortSignal): Promise<void> {
  const queuedOn = new Map<string, number>()
  let read = 0 // of the control log: what it cancels while this console is away is taken out of the queue when it is back
  while (!signal.aborted) {
    try {
      await sweep(desk, queuedOn)
      const { size } = desk.control.head
      if (size > read) await stopCancelled(desk)
      read = size
    } catch (error) {
      desk.log.error('sweep.failed', {}, error)
    }
    await sleep(EVERY_MS, undefined, { signal }).catch(() => {})
  }
}

/** `queuedOn`: the day on which each daily order was last queued here. After a restart one finds that it was queued already. */
export async function sweep(desk: Desk, queuedOn: Map<string, number>): Promise<void> {
  for (const order of await overdueOrders(desk.db)) await dequeue(desk.db, order, 'expired')
  await queueDaily(desk, queuedOn)
  const gone = await sweepDrafts(desk.db)
  if (gone > 0) desk.log.info('drafts.swept', { count: gone })
  await sweepSessions(desk.db, desk.now())
  await sweepProposals(desk.db, desk.now())
}

async function queueDaily(desk: Desk, queuedOn: Map<string, number>) {
  const now = seconds(desk.now())
  const day = Math.floor(now / DAY)
  for (const row of await listOrders(desk.db, 'standing', undefined, 1000)) {
    if (row.state !== 'approved' || queuedOn.get(row.order_id) === day) continue
    const read = readable(desk, row)
    if (read?.trigger === 'daily' && read.statement.expiresAt > now)
      await enqueueStanding(desk.db, row.order_id, day, new Date((day + 1) * DAY * 1000))
    queuedOn.set(row.order_id, day)
  }
}
