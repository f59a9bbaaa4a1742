/** How soon something that died is started again: at once after a long life, later and later after short ones. */
export type Deaths = { fast: number; delayMs: number }

export const noDeaths: Deaths = { fast: 0, delayMs: 0 }
const SHORTEST = 100
const LONGEST = 5000
const LONG_LIFE = 10_000

export function afterDeath(before: Deaths, livedMs: number): Deaths {
  if (livedMs >= LONG_LIFE) return { fast: 0, delayMs: SHORTEST }
  return { fast: before.fast + 1, delayMs: Math.min(LONGEST, Math.max(SHORTEST, before.delayMs * 2)) }
}
