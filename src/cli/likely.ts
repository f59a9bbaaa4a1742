// What somebody probably meant who mistyped a word.

/** The word with the fewest letters to change. */
export function nearest(word: string, words: readonly string[]): string {
  return [...words].sort((a, b) => distance(word, a) - distance(word, b))[0] ?? ''
}

/** The nearest word, where at most a third of it is written otherwise: what is far was not meant. */
export function likely(word: string, words: readonly string[]): string | undefined {
  const best = nearest(word, words)
  return distance(word, best) <= Math.max(1, best.length / 3) ? best : undefined
}

/** Levenshtein distance. */
export function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, at) => at)
  for (let i = 0; i < a.length; i++) {
    const next = [i + 1]
    for (let j = 0; j < b.length; j++)
      next.push(Math.min(next[j]! + 1, row[j + 1]! + 1, row[j]! + (a[i] === b[j] ? 0 : 1)))
    row = next
  }
  return row[b.length]!
}
