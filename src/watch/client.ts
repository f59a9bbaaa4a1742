import type { Log } from '../base/log.ts'
import { rpcClient } from '../base/rpc.ts'
import type { Trace } from './api.ts'

const MOST_WAITING = 1_000

/** Tells watch, never waits for it and never fails: what cannot be sent at once is counted and told later. */
export function createTracer(path: string, log: Log): (code: string, fields?: Omit<Trace, 'code'>) => void {
  const client = rpcClient({ path, name: 'watch', timeoutMs: 5_000 })
  let waiting = 0
  const lost = new Map<string, number>()
  const send = (trace: Trace) => {
    waiting++
    client
      .call('trace', trace)
      .catch(() => lost.set(trace.code, (lost.get(trace.code) ?? 0) + (trace.count ?? 1)))
      .finally(() => waiting--)
  }
  setInterval(() => {
    for (const [code, count] of lost) {
      lost.delete(code)
      send({ code, count })
    }
  }, 1_000).unref()
  return (code, fields = {}) => {
    log.info('trace', { code, ...fields })
    if (waiting < MOST_WAITING) send({ code, ...fields })
    else lost.set(code, (lost.get(code) ?? 0) + 1)
  }
}
