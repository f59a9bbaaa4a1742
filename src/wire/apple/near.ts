/** Names near to one that somebody mistyped, nearest first. */
export function nearest(name: string, names: readonly string[], most = 4): string[] {
  const wanted = clip(name).toLowerCase()
  return names
    .map(one => ({ one, far: distance(wanted, one.toLowerCase()) }))
    .sort((a, b) => a.far - b.far)
    .slice(0, most)
    .map(({ one }) => one)
}

/** The one that was most likely meant: a third of it may be written otherwise. Undefined where nothing is near. */
export function likely(name: string, names: readonly string[]): string | undefined {
  const [best = ''] = nearest(name, names, 1)
  return distance(clip(name).toLowerCase(), best.toLowerCase()) <= Math.max(1, best.length / 3) ? best : undefined
}

/** Edit distance, where a name within the other counts as near. Both are short: cost is their product. */
function distance(a: string, b: string): number {
  if (a.length >= LEAST_WITHIN && (b.includes(a) || a.includes(b))) return 1
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++)
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1)))
    row = next
  }
  return row[b.length]!
}

const LEAST_WITHIN = 3 // letters: fewer stand in any name

export function clip(text: string): string {
  return text.length > 64 ? `${text.slice(0, 64)}…` : text
}
