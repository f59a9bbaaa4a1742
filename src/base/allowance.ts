/** Whether `who` may once more: `most` times in each span of `seconds`, which begin for all at the same time. `clock`: seconds. */
export function createAllowance(most: number, seconds: number, clock: () => number): (who: string) => boolean {
  const counts = new Map<string, number>()
  let span = 0
  return who => {
    const now = Math.floor(clock() / seconds)
    if (now !== span) counts.clear()
    span = now
    const count = counts.get(who) ?? 0
    if (count >= most) return false
    counts.set(who, count + 1)
    return true
  }
}
