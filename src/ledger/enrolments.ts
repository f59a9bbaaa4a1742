import { BulkheadError } from '../base/errors.ts'
import { MOST_ENROLMENTS, type Rate } from '../trust/policy.ts'

/**
 * How fast devices may enrol: the uses of invitations within each window, counted from their leaves, so that no restart begins anew. Without
 * it whoever steals an invitation of many uses makes a fleet of their own within minutes, and a budget's percentage is of the fleet. The
 * vault says when, and is held to this clock. Times in seconds.
 */
const SKEW = 60

export class Enrolments {
  #times: number[] = [] // oldest first; no more than any rate could allow

  /** Throws LIMIT for the one too many. */
  check(bytes: Buffer, now: number, rates: readonly Rate[]): void {
    const { at } = JSON.parse(bytes.toString()) as { at?: unknown }
    if (!Number.isSafeInteger(at) || Math.abs((at as number) - now) > SKEW)
      throw new BulkheadError('BAD_REQUEST', 'The time of the entry is not now.')
    const full = rates.find(({ devices, seconds }) => this.#since(now - seconds) >= devices)
    if (full)
      throw new BulkheadError(
        'LIMIT',
        `The roster lets ${full.devices} devices enrol within ${full.seconds} seconds, and as many have.`,
      )
  }

  /** Leaves from before there was a rate name no time, and do not count. */
  added(bytes: Buffer): void {
    const { at } = JSON.parse(bytes.toString()) as { at?: unknown }
    if (typeof at !== 'number') return
    this.#times.push(Math.max(at, this.#times.at(-1) ?? 0)) // what comes later in the log is not earlier
    if (this.#times.length > 2 * MOST_ENROLMENTS) this.#times = this.#times.slice(-MOST_ENROLMENTS)
  }

  #since(then: number): number {
    let [low, high] = [0, this.#times.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#times[middle]! > then) high = middle
      else low = middle + 1
    }
    return this.#times.length - low
  }
}
