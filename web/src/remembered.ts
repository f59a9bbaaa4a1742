import type { Remembered } from '../../src/trust/follow.ts'
import type { Heads } from './judge.ts'

/** How far this browser has seen both logs of an installation: public, and kept so that nobody shows it less, or others, later. */
const KEPT = 'bulkhead.ledger'

export function recallHeads(genesisDigest: string): Partial<Heads> {
  try {
    const kept = JSON.parse(localStorage.getItem(KEPT) ?? '{}') as Partial<Heads> & { genesis?: string }
    return kept.genesis === genesisDigest ? kept : {}
  } catch {
    return {}
  }
}

/** Never less than another tab has seen meanwhile. */
export function rememberHeads(genesisDigest: string, seen: Heads): void {
  const other = recallHeads(genesisDigest)
  const further = (mine: Remembered, theirs: Remembered | undefined) =>
    theirs && theirs.size > mine.size ? theirs : mine
  const heads = { control: further(seen.control, other.control), main: further(seen.main, other.main) }
  localStorage.setItem(KEPT, JSON.stringify({ genesis: genesisDigest, ...heads }))
}

export const forgetHeads = () => localStorage.removeItem(KEPT)
