import { BulkheadError } from '../base/errors.ts'
import { canonical } from '../trust/canonical.ts'
import type { Control } from '../trust/control.ts'
import { type Delivery, PERMITS_PREFIX, type Permits } from './api.ts'
import type { Deliveries } from './deliveries.ts'
import type { Sequence } from './sequence.ts'

/** Where edges ask before a command goes out, and tell when it was answered. `clock`: milliseconds. */
export type DeliveryDesk = ReturnType<typeof openDesk>

export function openDesk({
  main,
  deliveries,
  control,
  clock,
}: {
  main: Sequence
  deliveries: Deliveries
  control: Control
  clock: () => number
}) {
  const now = () => Math.floor(clock() / 1000)
  return {
    /** Judged and given their places in one turn, on disk before anybody is told: killed at any step, no grant is made twice. */
    async deliver(asked: Delivery[], answered: string[]): Promise<Permits> {
      if (asked.length > 0 && control.freezes.length > 0)
        throw new BulkheadError('UNAVAILABLE', 'Deliveries are frozen.')
      const time = now()
      const answers = deliveries.answer(answered, time)
      const noted = main.appendOwn(answers.entries)
      const { verdicts, entries } = deliveries.judge(asked, time, control.trustedAt(time).rules)
      await Promise.all([noted, main.appendOwn(entries)])
      const granted = asked.filter((_, at) => verdicts[at] === 'granted' || verdicts[at] === 'again')
      const statement = canonical({ commands: granted.map(({ command }) => command), time })
      const signature = granted.length === 0 ? '' : main.signStatement(PERMITS_PREFIX, statement).toString('base64')
      return { verdicts, unknown: answers.unknown, statement, signature }
    },
  }
}
