import { BulkheadError } from '../../base/errors.ts'
import type { Left } from '../api.ts'

/** One release, as the budgets remember it. `people`: salted digests of ids; times in seconds. */
export type Spend = {
  grant: string
  member: string
  unit: string
  serial: number
  at: number
  until: number // when the grant ends
  people: string[]
}
export type Budget = { people: number; seconds: number }

const LONGEST = 24 * 3600

/** Who was shown how many people lately: by member and unit, and by grant. Kept in the keyring, so that a restart forgets nothing. */
export class Spending {
  readonly #grants = new Map<string, { serial: number; until: number; people: Set<string> }>()
  readonly #lately = new Map<string, Map<string, number>>() // by member and unit: each person, and when last

  /** Throws CONFLICT for a serial that does not grow, LIMIT where it is more than the grant or a budget allows. Else what is left after it. */
  check(spend: Spend, most: number, budgets: readonly Budget[]): Left {
    const grant = this.#grants.get(spend.grant)
    if (grant && spend.serial <= grant.serial)
      throw new BulkheadError('CONFLICT', 'This request was made before.', {
        remedy: 'Count its serial up and sign it anew.',
      })
    const shown = new Set([...(grant?.people ?? []), ...spend.people]).size
    if (shown > most)
      throw new BulkheadError('LIMIT', `The grant is for ${most} people, and this would make ${shown}.`, {
        remedy: 'Ask for fewer, or sign a new grant.',
      })
    return { grant: most - shown, budgets: budgets.map(budget => this.#left(spend, budget)) }
  }

  #left({ member, unit, people, at }: Spend, budget: Budget) {
    const lately = [...(this.#lately.get(`${member}/${unit}`) ?? [])]
    const counted = new Set(lately.filter(([, when]) => when > at - budget.seconds).map(([person]) => person))
    const shown = counted.union(new Set(people)).size
    if (shown <= budget.people) return { ...budget, left: budget.people - shown }
    const hours = budget.seconds / 3600
    throw new BulkheadError('LIMIT', `${budget.people} people within ${hours} h, and this would make ${shown}.`, {
      remedy: `Ask for fewer: ${Math.max(0, budget.people - counted.size)} are left. Those shown before can be shown again.`,
    })
  }

  /** May be repeated. */
  add({ grant, member, unit, serial, at, until, people }: Spend): void {
    const known = this.#grants.get(grant) ?? { serial: 0, until, people: new Set<string>() }
    known.serial = Math.max(known.serial, serial)
    for (const person of people) known.people.add(person)
    this.#grants.set(grant, known)
    const who = `${member}/${unit}`
    const lately = this.#lately.get(who) ?? new Map<string, number>()
    for (const person of people) lately.set(person, at)
    this.#lately.set(who, lately)
  }

  /** Forgets grants that have ended, and who was shown more than a day ago. */
  prune(now: number): void {
    for (const [id, { until }] of this.#grants) if (until < now) this.#grants.delete(id)
    for (const [who, lately] of this.#lately) {
      for (const [person, at] of lately) if (at <= now - LONGEST) lately.delete(person)
      if (lately.size === 0) this.#lately.delete(who)
    }
  }

  /** What `restore` takes. */
  kept(): unknown {
    const grants = [...this.#grants].map(([id, { serial, until, people }]) => [id, serial, until, [...people]])
    return { grants, lately: [...this.#lately].map(([who, people]) => [who, [...people]]) }
  }

  restore(kept: unknown): void {
    const { grants, lately } = kept as {
      grants: [string, number, number, string[]][]
      lately: [string, [string, number][]][]
    }
    for (const [id, serial, until, people] of grants) this.#grants.set(id, { serial, until, people: new Set(people) })
    for (const [who, people] of lately) this.#lately.set(who, new Map(people))
  }
}
