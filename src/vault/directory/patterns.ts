/**
 * Releases that nobody makes whose work is one person at a time. The vault knows no names: it sees the order of ids, which is the order of lists,
 * and how much of a budget goes. In the order of names only a client could look; whoever walks through a list is seen here however it is sorted,
 * by `sweeping`. In memory only: a restart forgets the walk, not the budgets.
 */
type Seen = { who: string; ids: readonly string[]; at: number; budgets: readonly { people: number; left: number }[] }
export type Pattern = 'sequential' | 'sweeping'

const WALK = 30 // people, one after the other in the order of ids, over more than one request
const SWEPT = 0.8 // of a budget
const FORGET = 3600 // seconds
const MOST = 1_000

export function createPatterns() {
  type Walk = { last: string; people: number; requests: number; at: number; told: Map<Pattern, number> }
  const walks = new Map<string, Walk>()

  return {
    /** Each pattern once an hour for each member and unit. */
    see({ who, ids, at, budgets }: Seen): Pattern[] {
      const before = walks.get(who)
      const sorted = ids.every((id, index) => index === 0 || ids[index - 1]! < id)
      const goesOn =
        before !== undefined && sorted && ids.length > 0 && ids[0]! > before.last && at - before.at < FORGET
      const walk: Walk = {
        last: sorted ? (ids.at(-1) ?? '') : '\uffff',
        people: goesOn ? before.people + ids.length : ids.length,
        requests: goesOn ? before.requests + 1 : 1,
        at,
        told: before?.told ?? new Map(),
      }
      walks.delete(who)
      walks.set(who, walk)
      for (const [name] of walks) if (walks.size > MOST) walks.delete(name)
      const found: Pattern[] = []
      if (walk.requests > 1 && walk.people >= WALK) found.push('sequential')
      if (budgets.some(({ people, left }) => people - left >= people * SWEPT)) found.push('sweeping')
      const fresh = found.filter(pattern => (walk.told.get(pattern) ?? -Infinity) <= at - FORGET)
      for (const pattern of fresh) walk.told.set(pattern, at)
      return fresh
    },
  }
}
