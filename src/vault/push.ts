import type { KeyObject } from 'node:crypto'
import type { Log } from '../base/log.ts'
import { sealAad } from '../intake/api.ts'
import { hpkeOpen } from '../wire/hpke.ts'
import type { Apns, PushOutcome } from './apns.ts'
import type { DueRow, Settled, Store } from './store.ts'

/** Wakes devices that have something to fetch, at once and then less and less often, until they come. */
type Needs = {
  store: Pick<Store, 'findDue' | 'settle' | 'wakeWaiting'>
  seal: KeyObject
  apns: Apns
  topic: () => string
  /** False before a push certificate is there. */
  ready: () => boolean
  /** While deliveries are frozen, or nobody knows whether they are, nobody is woken: there would be nothing to fetch. */
  held: () => boolean
  clock: () => number // seconds
  log: Log
}

const BACK_OFF = [30, 120, 600, 3_600, 21_600, 86_400] // seconds
const WEEK = 7 * 86_400
const STREAMS = 100
const BATCH = 500
const TICK = 1_000
const SLOW = 30
const REFUSED = 600

/** What a due row asks for, before anything is sent: `push`, or to be forgotten. */
export function decideWake(row: Pick<DueRow, 'push' | 'came' | 'waiting' | 'attempts'>): 'push' | 'forget' {
  if (row.push === null) return 'forget' // it left, or never said how to be woken
  if (row.waiting) return 'push'
  return row.came || row.attempts >= BACK_OFF.length ? 'forget' : 'push'
}

/** What becomes of the row after the attempt; undefined: it stays due. */
export function settleWake(row: DueRow, outcome: PushOutcome): Settled | undefined {
  const { device, channel, due, at, attempts } = row
  const next = (afterSeconds: number, pushed: boolean, gone = false) => ({
    ...{ device, channel, due },
    next: { afterSeconds, pushedAt: pushed ? at : null, gone },
  })
  if (outcome === 'sent') return next(BACK_OFF[Math.min(attempts, BACK_OFF.length - 1)]!, true)
  if (outcome === 'gone') return next(0, false, true)
  if (outcome === 'slow') return next(SLOW, false)
  if (outcome === 'refused') return next(REFUSED, false)
  return undefined
}

export function startPush(needs: Needs): { wake(): void; close(): Promise<void> } {
  const { store, log } = needs
  let closed = false
  let wakened = false
  let held = false
  let rest: (() => void) | undefined

  async function pass(): Promise<boolean> {
    if (needs.held()) {
      held = true
      return false
    }
    if (held) {
      await store.wakeWaiting() // those who came meanwhile went with nothing
      held = false
    }
    if (!needs.ready()) return false
    const rows = await store.findDue(BATCH)
    if (rows.length === 0) return false
    const settled = await inParallel(rows, STREAMS, row => attempt(row, needs))
    const done = settled.filter(one => one !== undefined)
    if (done.length > 0) await store.settle(done)
    log.info('push.pass', { due: rows.length, settled: done.length })
    return rows.length === BATCH && done.length === rows.length
  }

  async function run() {
    while (!closed) {
      const more = await pass().catch(error => {
        log.error('push.failed', {}, error)
        return false
      })
      if (!more && !wakened && !closed) await pausing()
      wakened = false
    }
  }

  const pausing = () =>
    new Promise<void>(resolve => {
      const timer = setTimeout(resolve, TICK)
      rest = () => {
        clearTimeout(timer)
        resolve()
      }
    })

  const running = run()
  return {
    wake() {
      wakened = true
      rest?.()
    },
    async close() {
      closed = true
      rest?.()
      needs.apns.close()
      await running
    },
  }
}

async function attempt(row: DueRow, needs: Needs): Promise<Settled | undefined> {
  if (needs.held()) return undefined // since a moment ago: it stays due
  const { device, channel, due } = row
  if (decideWake(row) === 'forget') return { device, channel, due }
  const address = openAddress(row, needs)
  if (!address) return settleWake(row, 'gone') // sealed for another place, or to an older key: only a TokenUpdate brings a new one
  const notification = { ...address, topic: needs.topic(), expiresAt: needs.clock() + WEEK }
  const outcome = await needs.apns.push(notification)
  return settleWake(row, outcome)
}

function openAddress(
  { device, channel, push }: DueRow,
  { seal, log }: Needs,
): { token: Buffer; magic: string } | undefined {
  try {
    const plain = hpkeOpen(seal, push!, sealAad(channel === '' ? 'device.push' : 'user.push', device))
    const { token, magic } = JSON.parse(plain.toString('utf8')) as { token: string; magic: string }
    return { token: Buffer.from(token, 'base64'), magic }
  } catch (error) {
    log.error('push.address', { device }, error)
    return undefined
  }
}

/** Runs over all items, at most `most` at a time; results in the order of the items. */
async function inParallel<In, Out>(
  items: readonly In[],
  most: number,
  run: (item: In) => Promise<Out>,
): Promise<Out[]> {
  const results: Out[] = new Array(items.length)
  let next = 0
  const worker = async () => {
    while (next < items.length) {
      const at = next++
      results[at] = await run(items[at]!)
    }
  }
  await Promise.all(Array.from({ length: Math.min(most, items.length) }, worker))
  return results
}
