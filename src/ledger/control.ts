import { BulkheadError } from '../base/errors.ts'
import { type Control, createControl } from '../trust/control.ts'
import type { Trusted } from '../trust/roster.ts'
import type { Caller } from './api.ts'
import type { Entry } from './entry.ts'
import type { LogState } from './sequence.ts'

/**
 * The control log takes only what its readers will not pass over: nobody can use up the place of the next roster version with an entry that
 * does not count, or log what never happened. Readers judge for themselves all the same.
 */
const SKEW = 60 // seconds between the caller's clock and ours

export function createControlState(
  genesis: string,
  pinned: Trusted,
  clock: () => number,
): LogState & { control: Control } {
  const control = createControl(genesis, pinned)
  return {
    control,
    check(caller: Caller, { bytes }: Entry) {
      const entry = JSON.parse(bytes.toString()) as { at?: number; watch?: unknown }
      if (entry.at !== undefined && Math.abs(entry.at - clock() / 1000) > SKEW)
        throw new BulkheadError('BAD_REQUEST', 'The time of the entry is not now.', { remedy: 'Set the clocks.' })
      if ((entry.watch !== undefined) !== (caller === 'watch'))
        throw new BulkheadError('FORBIDDEN', 'Only watch freezes in its own name, and only so.')
      control.check(bytes.toString())
    },
    added: bytes => void control.apply(bytes.toString()),
  }
}
