import { BulkheadError } from '../base/errors.ts'
import type { Leaves } from './leaves.ts'

/**
 * How often an invitation was used. The ledger's unique leaves `consumed:<invitation>:<n>` are the only authority: n is from 1 to the
 * invitation's uses, and each n exists once, however many ask at the same time. What is in memory only saves asking.
 */
export type Uses = {
  used(invitation: string): Promise<number>
  /** Uses it up once for this request (SHA-256, hex). The same request gets the same use until it is `done`. Throws CONFLICT when all are used up, LIMIT when the roster lets no more enrol now. */
  take(invitation: string, uses: number, request: string): Promise<void>
  /** The request has its certificate. */
  done(invitation: string, request: string): void
}

type Count = { next: number; open: Map<string, number> }
/** After a crash: how many of the newest uses may be without their certificate. */
const LOOK_BACK = 16

/** `clock`: seconds. */
export function createUses(leaves: Leaves, clock: () => number): Uses {
  const counts = new Map<string, Promise<Count>>()
  const keyOf = (invitation: string, n: number) => `consumed:${invitation}:${n}`

  function countOf(invitation: string): Promise<Count> {
    let count = counts.get(invitation)
    if (!count) {
      count = learn(invitation)
      counts.set(invitation, count)
      count.catch(() => counts.delete(invitation))
    }
    return count
  }

  async function learn(invitation: string): Promise<Count> {
    const taken = (n: number) => leaves.find(keyOf(invitation, n))
    let above = 1 // gallop, then halve: 17 questions for 100,000 uses
    while (await taken(above)) above *= 2
    let below = above >> 1
    while (above - below > 1) {
      const middle = (above + below) >> 1
      if (await taken(middle)) below = middle
      else above = middle
    }
    const open = new Map<string, number>()
    for (let n = Math.max(1, above - LOOK_BACK); n < above; n++) {
      const leaf = await taken(n)
      if (typeof leaf?.request === 'string') open.set(leaf.request, n)
    }
    return { next: above, open }
  }

  async function take(invitation: string, uses: number, request: string): Promise<void> {
    const count = await countOf(invitation)
    while (!count.open.has(request)) {
      if (count.next > uses) throw new BulkheadError('CONFLICT', 'The invitation is used up.')
      const n = count.next++
      const unique = keyOf(invitation, n)
      const leaf = { type: 'consumed', at: clock(), unique, invitation, n, request } as const
      try {
        if (await leaves.append(leaf)) count.open.set(request, n)
      } catch (error) {
        if (codeOf(error) === 'LIMIT') count.next = Math.min(count.next, n) // the ledger has it not, for certain
        throw error
      }
    }
  }

  return {
    used: async invitation => (await countOf(invitation)).next - 1,
    async take(invitation, uses, request) {
      try {
        await take(invitation, uses, request)
      } catch (error) {
        // Whether the ledger has that leaf is not known now: ask it again the next time.
        const code = codeOf(error)
        if (code !== 'CONFLICT' && code !== 'LIMIT') counts.delete(invitation)
        throw error
      }
    },
    done: (invitation, request) => void counts.get(invitation)?.then(count => count.open.delete(request)),
  }
}

const codeOf = (error: unknown) => (error instanceof BulkheadError ? error.code : undefined)
