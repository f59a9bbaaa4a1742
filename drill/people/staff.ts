import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Unlocked } from '../../src/cli/people/unlock.ts'
import { unlock } from '../../src/cli/people/unlock.ts'
import { COLUMNS, type Person } from '../../src/people/person.ts'
import { capital, digitsOf, personOf, syllablesOf } from '../canaries.ts'
import type { Canary } from '../loot.ts'
import type { World } from '../world.ts'

// A staff that does not exist, imported as an operator would: through the command line, from a table.

export type Colleague = Pick<Person, (typeof COLUMNS)[number]>
/** `ids[n]` is `staff[n]` in the sealed directory. */
export type Imported = { staff: Colleague[]; ids: string[] }

/** Texts that stand nowhere else; the same seed gives the same people. */
export function staffOf(seed: string, count: number): Colleague[] {
  return Array.from({ length: count }, (_, at) => {
    const { owner, email, phone } = personOf(`${seed} colleague ${at}`)
    const [givenName = '', familyName = ''] = owner.split(' ')
    const office = `${capital(syllablesOf(`${seed} office ${at}`, 5))} ${digitsOf(`${seed} room ${at}`, 3)}`
    return { givenName, familyName, email, mobile: phone.replaceAll(' ', ''), office, language: 'nl' }
  })
}

export const staffCanaries = (staff: readonly Colleague[]): Canary[] =>
  staff.flatMap(({ givenName, familyName, email, mobile, office }) =>
    Object.entries({ name: `${givenName} ${familyName}`, givenName, familyName, email, mobile, office }).map(
      ([what, text]) => ({ what, text }),
    ),
  )

/** By `bulkhead people import`; the table itself is written outside of what any attacker of a drill holds, and removed. */
export async function importStaff(
  { installation }: Pick<World, 'installation'>,
  staff: Colleague[],
): Promise<Imported> {
  const file = join(installation.desk, 'staff.csv')
  const lines = staff.map(one => COLUMNS.map(column => one[column]).join(','))
  writeFileSync(file, [COLUMNS.join(','), ...lines, ''].join('\n'))
  const { people } = await installation.cli<{ people: string[] }>(
    'people',
    'import',
    file,
    '--passkey',
    installation.passkey,
  )
  return { staff, ids: people }
}

/** The operator's own client, in this process: what `bulkhead people` does once it is unlocked. */
export const openClient = ({ installation }: Pick<World, 'installation'>): Promise<Unlocked> =>
  unlock({ command: 'people', home: installation.home, words: [], values: { passkey: installation.passkey } })
