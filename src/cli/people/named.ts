import { BulkheadError } from '../../base/errors.ts'
import type { People, Person } from '../../console/people/api.ts'
import { personAlias } from '../../people/alias.ts'
import type { ConsoleClient } from '../client.ts'

/** People of a unit by id or alias. Throws NOT_FOUND, AMBIGUOUS or UNPROVEN. */
export const named = (console: ConsoleClient, unit: string, names: string[]): Promise<Person[]> =>
  Promise.all(names.map(name => oneNamed(console, unit, name)))

async function oneNamed(console: ConsoleClient, unit: string, name: string): Promise<Person> {
  const { people } = await console.get<People>(`/api/people?unit=${unit}&name=${encodeURIComponent(name)}`)
  // An alias follows from the id, so nobody hands out somebody else under it.
  if (people.some(({ id }) => id !== name && personAlias(id) !== name))
    throw new BulkheadError('UNPROVEN', `The console shows another person for ${name}.`)
  if (people.length === 1) return people[0]!
  throw new BulkheadError(
    people.length === 0 ? 'NOT_FOUND' : 'AMBIGUOUS',
    people.length === 0 ? `There is nobody called ${name} in this unit.` : `${name} is ${people.length} people.`,
    { remedy: 'See: bulkhead people list' },
  )
}
