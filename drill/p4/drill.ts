import type { Result } from '../report.ts'
import type { Say } from '../world.ts'
import { insider } from './insider.ts'
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
  const alone = await insider({ say })
  const wipe = await massWipe({ say, devices: short ? 60 : devices, hours: short ? 3 : 72 })
  return {
    drill: 'P4',
    position: 'a malicious member with a passkey, then with an accomplice',
    seconds: (performance.now() - began) / 1000,
    figures: [...alone.figures, ...wipe.figures],
    tried: [...alone.tried, ...wipe.tried],
    skipped: [{ what: '200 reveals', why: 'there is no directory yet' }],
  }
}
