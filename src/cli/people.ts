import { BulkheadError } from '../base/errors.ts'
import type { Person as Line, People } from '../console/people/api.ts'
import type { Person } from '../people/person.ts'
import type { Opened } from '../people/read.ts'
import { makeErasure, type Purpose } from '../people/session.ts'
import { matches, openIndex } from '../people/tokens.ts'
import { PURPOSES } from '../trust/directory.ts'
import { type Args, text, whole } from './args.ts'
import { consoleClient } from './client.ts'
import { openRoster } from './follow.ts'
import { say, show, table } from './output.ts'
import { assign } from './people/assign.ts'
import { importPeople } from './people/import.ts'
import { named } from './people/named.ts'
import { openReading, PAGE } from './people/reading.ts'
import { type Unlocked, unitOf, unlock } from './people/unlock.ts'

/** The sealed directory. Listing shows aliases; names are shown one page at a time, under a grant, and each such release is in the ledger. */
export async function run(args: Args): Promise<number> {
  const verb = args.command.split(' ')[1]
  if (verb === 'import') return importPeople(args)
  if (verb === 'find') return find(args)
  if (verb === 'show') return reveal(args)
  if (verb === 'erase') return erase(args)
  if (verb === 'assign') return assign(args)
  return list(args)
}

async function list(args: Args): Promise<number> {
  const unit = unitOf(args, await openRoster(args.home))
  const limit = whole(args, 'limit', 1, 500) ?? 100
  const page = await consoleClient(args.home).get<People>(`/api/people?unit=${unit.id}&limit=${limit}`)
  return show(
    args,
    page,
    () =>
      `${table(
        ['alias', 'devices', 'version', 'id'],
        page.people.map(({ alias, devices, version, id }) => [alias, devices.length, version, id]),
      )}${page.people.length} of ${page.total} people. Names: bulkhead people show ALIAS … --passkey FILE\n`,
  )
}

/** What was looked for, opened and compared here: tokens alone also find others. */
async function find(args: Args): Promise<number> {
  const [wanted] = args.words as [string]
  const unlocked = await unlock(args)
  const { unit, key, trusted, console } = unlocked
  const queries = openIndex(key.privateKey, unit.id, trusted.genesisDigest).queryTokens(wanted)
  if (queries.length === 0)
    throw new BulkheadError('BAD_REQUEST', `"${wanted}" is too short to look for.`, {
      remedy: 'Write three letters or digits at least.',
    })
  const found = new Map<string, Line>()
  let more = false
  for (const tokens of queries) {
    const answer = await console.post<{ people: Line[]; more: boolean }>('/api/people/find', { unit: unit.id, tokens })
    more ||= answer.more
    for (const line of answer.people) found.set(line.id, line)
  }
  const lines = [...found.values()].slice(0, PAGE)
  if (more || found.size > PAGE) say(`More than ${PAGE} fit: write more of the name.`)
  if (lines.length === 0) return show(args, { people: [] }, () => 'Nobody.\n')
  return showOpened(args, unlocked, lines, ({ person }) => matches(person, wanted))
}

async function reveal(args: Args): Promise<number> {
  const unlocked = await unlock(args)
  return showOpened(args, unlocked, await named(unlocked.console, unlocked.unit.id, args.words), () => true)
}

async function showOpened(
  args: Args,
  unlocked: Unlocked,
  lines: Line[],
  fits: (one: Opened) => boolean,
): Promise<number> {
  const reading = await openReading(unlocked, lines.length, purposeOf(args))
  const { people, left } = await reading.read(lines)
  const shown = people.filter(fits)
  const said = left.budgets.map(({ left: of, seconds }) => `${of} in ${seconds / 3600} h`).join(', ')
  say(
    `${people.length} ${people.length === 1 ? 'person' : 'people'} released, as the ledger now says. Left for you in ${unlocked.unit.alias}: ${said}.`,
  )
  return show(args, { people: shown.map(asJson), left }, () =>
    table(
      ['alias', 'name', 'e-mail', 'mobile', 'office', ''],
      shown.map(({ alias, person, unproven }) => [
        alias,
        nameOf(person),
        person.email,
        person.mobile,
        person.office,
        unproven === undefined ? '' : `unproven: ${unproven}`,
      ]),
    ),
  )
}

const asJson = ({ id, version, alias, person, unproven }: Opened) => ({
  id,
  version,
  alias,
  ...person,
  proven: unproven === undefined,
})
const nameOf = ({ givenName, familyName }: Person) => `${givenName} ${familyName}`.trim()

function purposeOf(args: Args): Purpose {
  const purpose = text(args, 'purpose') ?? 'support'
  const known = PURPOSES.find(one => one === purpose)
  if (known) return known
  throw new BulkheadError('USAGE', `There is no purpose "${purpose}".`, {
    remedy: `Write one of: ${PURPOSES.join(', ')}`,
  })
}

async function erase(args: Args): Promise<number> {
  const unlocked = await unlock(args)
  const { console, unit, making } = unlocked
  const people = await named(console, unit.id, args.words)
  const records = people.map(({ id }) => ({ kind: 'person' as const, id }))
  const erasure = await makeErasure({ unit: unit.id, records }, making())
  const started = performance.now()
  const done = await console.post<{ records: number; epoch: number }>('/api/people/erase', { erasure })
  const seconds = Math.round((performance.now() - started) / 100) / 10
  return show(
    args,
    { ...done, seconds, people: records.map(({ id }) => id) },
    () =>
      `${done.records} erased in ${seconds} s: their keys are gone, and with epoch ${done.epoch} the keys that old copies were sealed with. ` +
      'A disk that keeps old blocks (copy on write, snapshots, flash) may keep traces of the keyring until it reuses them.\n',
  )
}
