import { randomInt } from 'node:crypto'
import { keepCompartment, type Nursery } from './children.ts'
import type { Plan } from './configure.ts'
import { configure } from './configure.ts'
import { readiness } from './keep.ts'

/** What the set-up page sends: the first member's alias, the passkey that was made for it, SHA-256 of the paper codes it shows, and the root unit's public key. */
export type SetupAnswer = { owner: string; credential: object; freezeCodes: string[]; unitKey: string }

const letters = 'abcdefghjkmnpqrstuvwxyz23456789' // none that look alike
const CODE_LENGTH = 12

/** Serves the set-up page alone, until somebody who has seen the code has answered it. */
export async function askForOwner(nursery: Nursery, plan: Plan, limitMs: number): Promise<SetupAnswer> {
  const { family, say } = nursery
  const code = Array.from({ length: CODE_LENGTH }, () => letters[randomInt(letters.length)]).join('')
  configure({ ...plan, setup: { code } }, 'app')
  const ready = readiness(['app'], family.log, limitMs)
  const answer = new Promise<SetupAnswer>(settle => {
    keepCompartment(nursery, 'app', ({ t, alias, credential, freezeCodes, unitKey }) => {
      if (t === 'ready') ready.ready('app')
      if (
        t === 'setup' &&
        typeof alias === 'string' &&
        typeof credential === 'object' &&
        credential !== null &&
        typeof unitKey === 'string'
      )
        settle({ owner: alias, credential, freezeCodes: Array.isArray(freezeCodes) ? freezeCodes : [], unitKey })
    })
  })
  try {
    await ready.all
    say(`Nobody owns this installation yet. Open ${plan.urls.app}/setup#${code}`)
    return await answer
  } finally {
    ready.cancel()
    await family.get('app')?.stop()
  }
}
