import { setTimeout as sleep } from 'node:timers/promises'
import { appendLeaves, type Desk } from './desk.ts'

const RETRY_MS = 2_000

/** The control log begins with the roster's first version. Asked for at each start: the same entry has one place. Goes on until the ledger has it. */
export async function logGenesis(desk: Desk, stopped: AbortSignal): Promise<void> {
  const leaf = { type: 'roster', unique: 'roster:0', version: 0, digest: desk.pinned.genesisDigest.toString('hex') }
  while (!stopped.aborted) {
    try {
      await appendLeaves(desk, 'control', [leaf])
      return
    } catch (error) {
      desk.log.error('genesis.unlogged', {}, error)
      await sleep(RETRY_MS, undefined, { signal: stopped }).catch(() => {})
    }
  }
}
