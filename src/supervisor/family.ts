import { BulkheadError } from '../base/errors.ts'
import { logPath } from '../cli/home.ts'
import type { Kept } from './keep.ts'
import { type LogFile, openLog } from './logfile.ts'

/** Everything that this supervisor started. Once it stops, nothing is added any more. */
export type Family = {
  /** Keeps `start()` under `name`. Throws UNAVAILABLE after the stop has begun. */
  add(name: string, start: () => Kept): Kept
  get(name: string): Kept | undefined
  log(name: string): LogFile
  /** Who calls ends before who is called, and the database last; each has five seconds. */
  stop(): Promise<void>
}

const stopOrder = ['edge', 'intake-edge', 'console', 'app', 'watch', 'vault', 'intake-vault', 'ledger', 'postgres']
const LIMIT = 5000

export function createFamily(home: string): Family {
  const kept = new Map<string, Kept>()
  const logs = new Map<string, LogFile>()
  let stopped: Promise<void> | undefined

  async function stop() {
    for (const name of stopOrder) await kept.get(name)?.stop(LIMIT)
  }
  return {
    add(name, start) {
      if (stopped) throw new BulkheadError('UNAVAILABLE', 'Bulkhead is being stopped.')
      const one = start()
      kept.set(name, one)
      return one
    },
    get: name => kept.get(name),
    log(name) {
      const log = logs.get(name) ?? openLog(logPath(home, name))
      logs.set(name, log)
      return log
    },
    stop() {
      stopped ??= stop()
      return stopped
    },
  }
}
