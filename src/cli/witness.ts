import { resolve } from 'node:path'
import { createLog } from '../base/log.ts'
import { stopWith } from '../base/process.ts'
import { startWitness } from '../witness/server.ts'
import { type Args, needed, text, whole } from './args.ts'
import { keysOf } from './vkeys.ts'

/** `bulkhead witness`: in the foreground, until it is told to stop. No installation is looked at. */
export async function run(args: Args): Promise<number> {
  needed(args, 'dir')
  needed(args, 'port')
  const witness = await startWitness({
    dir: resolve(text(args, 'dir')!),
    name: text(args, 'name'),
    logs: keysOf(args, 'log', 1),
    host: text(args, 'bind') ?? '127.0.0.1',
    port: whole(args, 'port', 0, 65_535)!,
    clock: Date.now,
    log: createLog('witness'),
  })
  process.stdout.write(`${JSON.stringify({ witness: witness.url, vkey: witness.vkey })}\n`)
  stopWith([], witness.close)
  return new Promise(() => {}) // stopWith ends the process
}
