import { openReading } from '../../src/cli/people/reading.ts'
import type { Unlocked } from '../../src/cli/people/unlock.ts'
import type { Person } from '../../src/people/person.ts'
import type { Opened } from '../../src/people/read.ts'

// What an operator's client shows of people.

export type Client = Unlocked

/** Asks for one person in one version, as a page would; undefined where nothing is shown. `most`: people of the grant. */
export async function openShown(
  client: Client,
  most: number,
): Promise<(id: string, version: number) => Promise<Opened | undefined>> {
  const reading = await openReading(client, most, 'support')
  return async (id, version) => (await reading.read([{ id, version }]).catch(() => undefined))?.people[0]
}

/** One line of what a person reads on the screen. */
export const asShown = ({ givenName, familyName, email, mobile, office }: Omit<Person, 'fields' | 'language'>) =>
  [givenName, familyName, email, mobile, office].join(' | ')
