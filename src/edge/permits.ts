import { batcher } from '../base/batch.ts'
import { BulkheadError } from '../base/errors.ts'
import type { Delivery, Ledger, Verdict } from '../ledger/api.ts'
import type { Trusted } from '../trust/roster.ts'
import { openPermits, type Permits } from './turnstile.ts'

/** The ledger's word on each delivery, asked for many devices at once; the edge itself keeps no state that matters. */
export type Granted = { verdict: Verdict; permits: Permits }
export type PermitDesk = ReturnType<typeof createPermits>

const MOST = 500
const PARALLEL = 2

export function createPermits(
  ledger: Pick<Ledger, 'deliver' | 'answered'>,
  clock: () => number,
  trusted: () => Trusted,
) {
  return {
    /** On the ledger's disk when it resolves. Throws UNAVAILABLE, or a Refusal for permits that nobody signed. */
    ask: batcher<Delivery, Granted>({
      most: MOST,
      parallel: PARALLEL,
      async run(deliveries) {
        const { verdicts, statement, signature } = await ledger.deliver({ deliveries })
        const permits = openPermits(statement, signature, clock(), trusted())
        return deliveries.map((_, at) => ({ verdict: verdicts[at]!, permits }))
      },
    }),

    /** That a device answered a command: it is never granted again. False: nobody had granted it. */
    answered: batcher<string, boolean>({
      most: MOST,
      parallel: PARALLEL,
      async run(commands) {
        const { unknown } = await ledger.answered({ commands }).catch(cause => {
          throw new BulkheadError('UNAVAILABLE', 'The ledger could not note the answers.', { cause })
        })
        const strangers = new Set(unknown)
        return commands.map(command => !strangers.has(command))
      },
    }),
  }
}
