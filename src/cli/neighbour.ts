import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { openSync } from 'node:fs'
import { join } from 'node:path'
import { BulkheadError } from '../base/errors.ts'
import { commonFlags } from '../supervisor/flags.ts'
import { programRoot } from '../supervisor/program.ts'
import { openHome } from './client.ts'

/**
 * The demo's witness, as anybody runs one: a process that has nothing of the installation but its ledger's public keys. Beside the
 * ledger it only shows how; it proves something in other hands alone.
 */
export type Neighbour = {
  /** What `up --witness` takes: URL#VKEY. */
  address: string
  stop(): void
}

export async function startNeighbour(home: string, folder: string): Promise<Neighbour> {
  const { ledgerMain, ledgerControl } = openHome(home).roster.keys
  const line = ['--dir', join(folder, 'witness'), '--port', '0', '--log', ledgerMain, '--log', ledgerControl]
  const child = spawn(process.execPath, [...commonFlags, join(programRoot, 'src/cli/main.ts'), 'witness', ...line], {
    stdio: ['ignore', 'pipe', openSync(join(folder, 'witness.log'), 'a', 0o600), 'ipc'],
  })
  const ended = once(child, 'exit').then(() => {
    throw new BulkheadError('INTERNAL', 'The demo’s witness did not start.', {
      remedy: `Look at ${join(folder, 'witness.log')}.`,
    })
  })
  ended.catch(() => {}) // it ends one day; who waits for its first line is told
  const [said] = (await Promise.race([once(child.stdout!, 'data'), ended])) as [Buffer]
  const { witness, vkey } = JSON.parse(said.toString()) as { witness: string; vkey: string }
  return { address: `${witness}#${vkey}`, stop: () => child.connected && child.disconnect() }
}
