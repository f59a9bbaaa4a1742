import type { Budget } from '../trust/policy.ts'

/** Which devices a class has reached lately, and when each order began. Rebuilt from the delivery entries. Times in whole seconds. */
const LONGEST = 31 * 86_400 // the longest window that a policy can name

type Reach = { kind: string; order: string; device: string; at: number }

export class Budgets {
  readonly #reached = new Map<string, Map<string, Reach>>() // by class, then by order and device; oldest first
  readonly #began = new Map<string, number>() // by order
  /** What the windows hold at this second. One too many, of an order that may reach all, is put right in the next. */
  #counted = { at: -1, windows: new Map<string, Set<string>>() }

  /** Reaches one more device, if that is within every budget. `fleet`: how many devices there are. */
  take(reach: Reach, budgets: readonly Budget[], fleet: number): boolean {
    if (!budgets.every(budget => this.#allows(budget, reach, fleet))) return false
    this.add(reach)
    return true
  }

  /** May be repeated: the entry that says what `take` took comes here as well. */
  add(reach: Reach): void {
    const { kind, order, device, at } = reach
    const known = this.#reached.get(kind) ?? new Map<string, Reach>()
    this.#reached.set(kind, known)
    const key = `${order}/${device}`
    if (known.has(key)) return
    known.set(key, reach)
    if (!this.#began.has(order)) this.#began.set(order, at)
    for (const [window, lately] of this.#counted.windows) if (window.startsWith(`${kind}/`)) lately.add(device)
    for (const [old, { at: then }] of known) {
      if (then > at - LONGEST) break
      known.delete(old)
    }
  }

  #allows(budget: Budget, { kind, order, device, at }: Reach, fleet: number): boolean {
    const { devices, percent, seconds, after } = budget
    if (after === 'all' && this.#hasBegun(order, at - seconds)) return true
    const lately = this.#window(budget, kind, at)
    return lately.has(device) || lately.size < Math.max(devices, Math.floor((fleet * percent) / 100))
  }

  /** Counted once a second, since a fleet asks many times in it. */
  #window({ seconds, after }: Budget, kind: string, at: number): Set<string> {
    if (this.#counted.at !== at) this.#counted = { at, windows: new Map() }
    const key = `${kind}/${seconds}/${after}`
    const found = this.#counted.windows.get(key)
    if (found) return found
    const lately = new Set<string>()
    for (const reach of this.#reached.get(kind)?.values() ?? [])
      if (reach.at > at - seconds && !(after === 'all' && this.#hasBegun(reach.order, at - seconds)))
        lately.add(reach.device)
    this.#counted.windows.set(key, lately)
    return lately
  }

  #hasBegun = (order: string, before: number) => (this.#began.get(order) ?? Infinity) <= before
}
