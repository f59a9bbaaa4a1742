import { chmodSync, renameSync } from 'node:fs'
import { serveRpc } from '../../src/base/rpc.ts'
import { socketPath } from '../../src/cli/home.ts'
import type { Ledger } from '../../src/ledger/api.ts'
import { ledgerClient } from '../../src/ledger/client.ts'

// Beyond the position: a ledger that shows one client what it showed before, and another client something else. Whoever has no key of the
// ledger has only its old heads.

export type Recorded = Pick<
  { [M in 'control' | 'checkpoint']: Awaited<ReturnType<Ledger[M]>> },
  'control' | 'checkpoint'
>
const log = { info() {}, warn() {}, error() {} }

export async function recordLedger(home: string): Promise<Recorded> {
  const ledger = ledgerClient({ path: socketPath(home, 'ledger', 'cli') })
  const [control, checkpoint] = await Promise.all([ledger.control({ from: 0 }), ledger.checkpoint({ log: 'main' })])
  ledger.close()
  return { control, checkpoint }
}

/** While `act` runs, the command line's ledger is as it was recorded. */
export async function withOldLedger<T>(home: string, recorded: Recorded, act: () => Promise<T>): Promise<T> {
  const path = socketPath(home, 'ledger', 'cli')
  renameSync(path, `${path}.real`)
  const real = ledgerClient({ path: `${path}.real` })
  const methods = Object.fromEntries(
    (['prove', 'consistency', 'entry', 'find', 'proofs'] as const).map(name => [
      name,
      (params: unknown) => real[name](params as never) as Promise<unknown>,
    ]),
  )
  const server = await serveRpc({
    ...{ path, caller: 'cli', log: log as never },
    methods: { ...methods, control: async () => recorded.control, checkpoint: async () => recorded.checkpoint },
  })
  chmodSync(path, 0o666)
  try {
    return await act()
  } finally {
    await server.close()
    real.close()
    renameSync(`${path}.real`, path)
  }
}
