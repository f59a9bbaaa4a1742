import { setTimeout as sleep } from 'node:timers/promises'
import { rpcClient } from '../base/rpc.ts'
import type { ControlView } from '../trust/follow.ts'
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
    answered: method('answered'),
    close: () => rpc.close(),
  }
}

const ASK_MS = 250 // a freeze holds on every edge within a second
const PATIENCE_MS = 5_000

export type Following = { view: ControlView; close(): Promise<void> }

/** Follows the control log for as long as the process runs. `failed` hears of each new reason why it does not go on; `grown` of each new size. */
export function followControl(options: {
  ledger: Pick<Ledger, 'control'>
  view: ControlView
  failed: (error: unknown) => void
  grown?: (size: number) => void
}): Following {
  const { ledger, view, failed, grown } = options
  const stopping = new AbortController()
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
    async close() {
      stopping.abort()
      await Promise.race([running, sleep(PATIENCE_MS, undefined, { ref: false })])
    },
  }
}
