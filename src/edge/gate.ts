import type { ControlView } from '../trust/follow.ts'
import type { Gate } from './turnstile.ts'

/** What the control log says at this moment. Where it was not heard of for half a minute, everything is as if frozen. */
export function createGate(view: ControlView, clock: () => number) {
  const isCancelled = view.control.isCancelled
  const now = (): Gate => ({
    now: clock(),
    fresh: view.isFresh(clock()),
    frozen: view.frozen() !== undefined,
    isCancelled,
  })
  return {
    now,
    isOpen(): boolean {
      const { fresh, frozen } = now()
      return fresh && !frozen
    },
  }
}
