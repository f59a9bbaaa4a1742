import type { Result } from '../report.ts'
import type { Say } from '../world.ts'
import { massWipe } from './masswipe.ts'

/** P4: one malicious member with a passkey, then two who collude. */
export async function drillP4({
  say,
  devices,
  short = false,
}: {
  say: Say
  devices: number
  short?: boolean
}): Promise<Result> {
  const began = performance.now()
  const wipe = await massWipe({ say, devices: short ? 60 : devices, hours: short ? 3 : 72 })
  return {
    drill: 'P4',
    position: 'a malicious member with a passkey, then with an accomplice',
    seconds: (performance.now() - began) / 1000,
    figures: wipe.figures,
    tried: wipe.tried,
    skipped: [],
  }
}
