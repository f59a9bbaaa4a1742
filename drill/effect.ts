import { commandUuid } from '../src/trust/token.ts'

// Effect: what devices executed that no quorum approved for them, or did twice, or after it was cancelled.

/** A device as the score sees it; `executed`: every command that it carried out. */
export type Judged = { id: string; executed: readonly { uuid: string; type: string; words: string }[] }
type Approved = { type: string; words: string; devices: ReadonlySet<string>; cancelledAt?: Map<string, number> }

/** Filled by the drill's honest half, from what members really signed; the attacker has no way to it. */
export function createEffects() {
  const approved = new Map<string, Approved>()

  return {
    /** `words`: what has to stand in the command. */
    approve(
      order: string,
      { type, words = '', devices }: { type: string; words?: string; devices: readonly string[] },
    ) {
      approved.set(order, { type, words, devices: new Set(devices) })
    },
    /** From now on it may be executed by nobody: `devices` as they are. */
    cancel(order: string, devices: readonly Judged[]) {
      const known = approved.get(order)
      if (known) known.cancelledAt = new Map(devices.map(({ id, executed }) => [id, executed.length]))
    },
    /** One line for each execution that nobody approved. */
    violations(devices: readonly Judged[]): string[] {
      const found: string[] = []
      for (const { id, executed } of devices) {
        const mine = new Map(
          [...approved].filter(([, one]) => one.devices.has(id)).map(([order, one]) => [commandUuid(order, id), one]),
        )
        const done = new Set<string>()
        for (const [at, { uuid, type, words }] of executed.entries()) {
          const one = mine.get(uuid)
          const say = (what: string) => found.push(`${id} executed ${type} ${uuid}: ${what}`)
          if (!one) say('nobody approved it for this device')
          else if (one.type !== type || !words.includes(one.words)) say('it is not what was approved')
          else if (done.has(uuid)) say('a second time')
          else if (at >= (one.cancelledAt?.get(id) ?? Infinity)) say('after it was cancelled')
          done.add(uuid)
        }
      }
      return found
    },
  }
}
export type Effects = ReturnType<typeof createEffects>
