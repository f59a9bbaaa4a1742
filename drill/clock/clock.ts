import { chmodSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { World } from '../world.ts'

export const clockFolder = (home: string) => join(home, 'drill-clock')

/** How `bulkhead` is started with a clock that can be set. */
export const CLOCKED = ['run', 'drill/clock/up.ts']

/** The clock of an installation that was started so. It goes forward only. */
export function clockOf({ installation }: Pick<World, 'installation'>) {
  const file = join(clockFolder(installation.home), 'shift')
  let shift = 0
  return {
    get shift() {
      return shift
    },
    now: () => Date.now() + shift,
    /** Returns when every compartment has heard the new time from the ledger. */
    async forward(seconds: number) {
      shift += seconds * 1000
      writeFileSync(`${file}.new`, String(shift))
      chmodSync(`${file}.new`, 0o644)
      renameSync(`${file}.new`, file)
      const reached = Date.now() + shift - 2_000
      for (const late = Date.now() + 30_000; Date.now() < late; await sleep(50)) {
        const { time, fresh } = await installation.console
          .get<{ time: string; fresh: boolean }>('/api/roster/standing')
          .catch(() => ({ time: 0, fresh: false }))
        if (fresh && new Date(time).getTime() >= reached) return sleep(300) // the edge asks as often
      }
      throw new Error('The installation does not follow its clock.')
    },
  }
}
export type Clock = ReturnType<typeof clockOf>
