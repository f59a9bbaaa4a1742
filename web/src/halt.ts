import { useSyncExternalStore } from 'react'
import type { Refusal } from './api.ts'
import type { Heads } from './judge.ts'

/** Why this page signs nothing any more, and what it was shown. It stays so until the page is loaded anew, and then judges anew. */
export type Halt = { reason: Refusal; remembered: Partial<Heads>; shown: string[] }

let halted: Halt | undefined
const listeners = new Set<() => void>()

export function halt(why: Halt): Refusal {
  halted ??= why
  for (const listener of listeners) listener()
  return why.reason
}

/** Before a gesture and after it. Throws the Refusal. */
export function requireUnhalted(): void {
  if (halted) throw halted.reason
}

const subscribe = (listener: () => void) => {
  listeners.add(listener)
  return () => listeners.delete(listener)
}
export const useHalt = () => useSyncExternalStore(subscribe, () => halted)
