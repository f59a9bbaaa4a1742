/** Remembers for minutes what a request got, and joins those that ask while it is being worked on. Failures are forgotten. `clock`: seconds. */
export function createRetries<Result>(clock: () => number) {
  const known = new Map<string, { until: number; result: Promise<Result> }>()
  return (key: string, run: () => Promise<Result>): Promise<Result> => {
    const before = known.get(key)
    if (before && before.until > clock()) return before.result
    const result = run()
    forgetOldest()
    known.delete(key) // so that the map stays in the order of age
    known.set(key, { until: clock() + MINUTES, result })
    result.catch(() => {
      if (known.get(key)?.result === result) known.delete(key)
    })
    return result
  }

  function forgetOldest() {
    for (const [key, { until }] of known) {
      if (known.size < MOST && until > clock()) return
      known.delete(key)
    }
  }
}

const MINUTES = 10 * 60
const MOST = 10_000
