import { setTimeout as sleep } from 'node:timers/promises'
import { BulkheadError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { recall, remember } from '../base/remember.ts'
import { rpcClient } from '../base/rpc.ts'
import { type ControlView, createFollower, FRESH, type Remembered } from '../trust/follow.ts'
import type { Trusted } from '../trust/roster.ts'
import type { Ledger } from './api.ts'

/** The ledger over a caller's own socket. Throws BulkheadError: the ledger's own, or UNAVAILABLE where it is away. */
export function ledgerClient(options: { path: string }): Ledger & { close(): void } {
  const rpc = rpcClient({ path: options.path, name: 'ledger' })
  const method =
    <Name extends keyof Ledger>(name: Name) =>
    (params: Parameters<Ledger[Name]>[0]) =>
      rpc.call(name, params) as ReturnType<Ledger[Name]>
  return {
    append: method('append'),
    checkpoint: method('checkpoint'),
    prove: method('prove'),
    consistency: method('consistency'),
    entry: method('entry'),
    find: method('find'),
    proofs: method('proofs'),
    control: method('control'),
    deliver: method('deliver'),
    close: () => rpc.close(),
  }
}

const ASK_MS = 250 // a freeze holds on every edge within a second
const PATIENCE_MS = 5_000
const FIRST_MS = 10_000

/** `heard`: after the first answer, or after a while without: whoever waits for it starts also where the ledger is away. */
export type Following = { view: ControlView; heard: Promise<void>; close(): Promise<void> }

/** Follows the control log for as long as the process runs. `failed` hears of each new reason why it does not go on; `grown` of each new size. */
export function followControl(options: {
  ledger: Pick<Ledger, 'control'>
  view: ControlView
  failed: (error: unknown) => void
  grown?: (size: number) => void
  /** How long `heard` waits at most. */
  firstMs?: number
}): Following {
  const { ledger, view, failed, grown, firstMs = FIRST_MS } = options
  const stopping = new AbortController()
  const first = Promise.withResolvers<void>()
  let said = ''

  async function ask() {
    const before = view.head.size
    let from: number
    do {
      from = view.next
      const { checkpoint, entries } = await ledger.control({ from })
      view.take(checkpoint, entries)
    } while (view.next > from && view.next !== view.head.size)
    if (view.head.size > before) grown?.(view.head.size)
    said = ''
    first.resolve()
  }

  async function run() {
    while (!stopping.signal.aborted) {
      await ask().catch(error => {
        const reason = error instanceof Error ? error.message : String(error)
        if (reason !== said) failed(error)
        said = reason
      })
      await sleep(ASK_MS, undefined, { signal: stopping.signal }).catch(() => {})
    }
  }
  const running = run()
  return {
    view,
    heard: Promise.race([first.promise, sleep(firstMs, undefined, { ref: false })]),
    async close() {
      stopping.abort()
      await Promise.race([running, sleep(PATIENCE_MS, undefined, { ref: false })])
    },
  }
}

/**
 * The same for a compartment with a folder of its own: what it has seen is remembered in `file`, so that nobody shows it a shorter or another
 * log after a restart, and each entry that does not count is told.
 */
export function followFrom(options: {
  ledger: Pick<Ledger, 'control'>
  genesis: string
  pinned: Trusted
  file: string
  log: Log
  trace: (code: string) => void
}): Following {
  const { ledger, genesis, pinned, file, log, trace } = options
  const view = createFollower(genesis, pinned, recall<Remembered>(file))
  let told = 0
  const failed = (error: unknown) => {
    log.error('control.unfollowed', {}, error)
    if (error instanceof BulkheadError && error.code === 'UNPROVEN') trace('control-unproven')
  }
  const grown = (size: number) => {
    log.info('control.grown', { size })
    for (const { index, why } of view.passedOver.slice(told)) {
      log.error('control.passed-over', { index, why })
      trace('control-passed-over')
    }
    told = view.passedOver.length
    remember(file, view.head)
  }
  return followControl({ ledger, view, failed, grown })
}

/** The roster as it is now. Throws UNAVAILABLE before the control log was read for the first time. */
export function trustedNow(view: Pick<ControlView, 'time' | 'trusted'>): Trusted {
  if (view.time > 0) return view.trusted()
  throw new BulkheadError('UNAVAILABLE', 'The roster is not known yet: the control log has not been read.', {
    remedy: 'Try again in a moment.',
  })
}

/** Throws UNAVAILABLE while deliveries are frozen, or while nobody knows whether they are. `now`: seconds. */
export function requireThawed(view: Pick<ControlView, 'frozen' | 'isFresh'>, now: number): void {
  if (!view.isFresh(now))
    throw new BulkheadError('UNAVAILABLE', `The control log has said nothing for more than ${FRESH} seconds.`, {
      remedy: 'See whether the ledger runs; everything waits until it does.',
    })
  const freeze = view.frozen()
  if (!freeze) return
  const since = new Date(freeze.at * 1000).toISOString()
  throw new BulkheadError('UNAVAILABLE', `Everything is frozen since ${since}, by ${freeze.by}.`, {
    remedy: 'See who has to agree to a thaw: bulkhead unfreeze --passkey FILE',
  })
}
