import type { Canary } from '../loot.ts'
import { assign } from '../people/assign.ts'
import { type Colleague, importStaff, openClient, staffCanaries, staffOf } from '../people/staff.ts'
import { atMost, type Figure, none } from '../report.ts'
import type { Planted, Say, World } from '../world.ts'
import { gain, guessNumbers } from './guess.ts'
import { attackPeople, UNTOUCHED } from './people.ts'

/** The same against plain columns: people shown as somebody else, numbers found by guessing. */
export type PlainDirectory = { shown: number; guessed: number }
export type Directory = {
  staff: Colleague[]
  canaries: Canary[]
  /** What stands for a person beside a device's id. */
  links: { id: string; texts: string[] }[]
  tried: string[]
  figures(plain: PlainDirectory): Figure[]
}

/** A staff in the sealed directory, some with a device; then every attack on its rows, and its search tokens guessed at. */
export async function attackDirectory(
  world: World,
  planted: readonly Planted[],
  { short, say }: { short: boolean; say: Say },
): Promise<Directory> {
  const { installation } = world
  const imported = await importStaff(world, staffOf('P2', short ? 100 : 500))
  const { staff, ids } = imported
  const client = await openClient(world)
  await assign(
    client,
    planted.map(({ id }) => id),
    ids,
  )
  const line = ['people', 'find', staff.at(-1)!.familyName, '--passkey', installation.passkey]
  const found = await installation.cli<{ people: { id: string }[] }>(...line)
  say(`${ids.length} people are in the directory; their operator finds ${found.people.length} by name.`)

  const { rows } = await installation.database.query('select record_id, tokens from console.record')
  const held = rows.map(row => ({ id: row.record_id as string, tokens: new Set<number>(row.tokens) }))
  const guessed = await guessNumbers(held, imported, client, short ? 20_000 : 1_000_000)
  say(`${guessed.random.guesses} telephone numbers were tried against the search tokens.`)
  const before = staffCanaries(staff)
  const { tried, wrong, alone } = await attackPeople(world, imported)
  say(`${tried.length} attacks on the directory’s rows were made.`)
  const { random, derived, withKey } = guessed
  const confirmed = [random, derived].reduce((sum, one) => sum + one.confirmed + one.chance, 0)
  const gains = [random, derived].map(one => Math.abs(gain(one, ids.length)))
  return {
    staff,
    canaries: [...before, ...staffCanaries(staff)],
    links: planted.map(({ id }, at) => ({ id, texts: [staff[at]!.familyName, staff[at]!.mobile] })),
    tried: [...tried, 'telephone numbers against the search tokens, with keys at random and from what is public'],
    figures: plain => [
      none('effect', 'people shown as another, or as they were', wrong, { plain: plain.shown }),
      {
        ...{ kind: 'effect', what: 'people left alone were shown', found: alone, limit: `= ${UNTOUCHED}` },
        holds: alone === UNTOUCHED,
      },
      atMost('loot', `numbers confirmed by search tokens, of ${random.guesses} guessed`, confirmed, 0, {
        plain: plain.guessed,
      }),
      atMost('loot', 'standard errors by which the right record looks more like a guess', Math.max(...gains), 5),
      {
        kind: 'loot',
        what: 'the same guesses with the unit’s key find',
        found: withKey.confirmed,
        limit: `= ${staff.length}`,
        holds: withKey.confirmed === staff.length && found.people.length === 1,
      },
    ],
  }
}
