import { batcher } from '../base/batch.ts'
import type { Delivery, Ledger, Verdict } from '../ledger/api.ts'
import type { Trusted } from '../trust/roster.ts'
import { openPermits, type Permits } from './turnstile.ts'

/** The ledger's word on each delivery, asked for many devices at once; the edge itself keeps no state that matters. */
export type Granted = { verdict: Verdict; permits: Permits }
export type PermitDesk = ReturnType<typeof createPermits>
type Item = { delivery: Delivery } | { answered: string }
type Said = Granted | { known: boolean }

const MOST = 500
const PARALLEL = 1 // what comes while the ledger writes goes together
const APART = 10 // ms: each call is a write to disk and a signature, whatever is in it

export function createPermits(ledger: Pick<Ledger, 'deliver'>, clock: () => number, trusted: () => Trusted) {
  /** Answers and deliveries of one turn travel together. Throws UNAVAILABLE, or a Refusal for permits that nobody signed. */
  const say = batcher<Item, Said>({
    most: MOST,
    parallel: PARALLEL,
    apart: APART,
    async run(items) {
      const deliveries = items.flatMap(item => ('delivery' in item ? [item.delivery] : []))
      const answered = items.flatMap(item => ('answered' in item ? [item.answered] : []))
      const said = await ledger.deliver({ deliveries, answered })
      const permits = said.signature === '' ? NONE : openPermits(said.statement, said.signature, clock(), trusted())
      const strangers = new Set(said.unknown)
      let at = 0
      return items.map(item =>
        'delivery' in item ? { verdict: said.verdicts[at++]!, permits } : { known: !strangers.has(item.answered) },
      )
    },
  })
  return {
    /** On the ledger's disk when it resolves. */
    ask: async (delivery: Delivery) => (await say({ delivery })) as Granted,
    /** That a device answered a command: it is never granted again. False: nobody had granted it. */
    answered: async (answered: string) => ((await say({ answered })) as { known: boolean }).known,
  }
}
const NONE: Permits = new Set()
