import { setTimeout as sleep } from 'node:timers/promises'
import { dataPath } from '../../src/cli/home.ts'
import { writeAll } from '../../src/cli/people/import.ts'
import { compartments } from '../../src/supervisor/compartments.ts'
import { bytesOf } from '../files.ts'
import { type Canary, createNeedles, lootSearch } from '../loot.ts'
import { mayRead, memoryOf, type Secret, secretForms } from '../memory.ts'
import { tablesOf } from '../p2/dump.ts'
import { type Held, keyringPath, readKeyring } from '../people/keyring.ts'
import { openInner, openOuter, type Sealed } from '../people/opening.ts'
import { type Client, openShown } from '../people/shown.ts'
import { importStaff, openClient, staffCanaries, staffOf } from '../people/staff.ts'
import { atMost, type Figure, none, type Result, type Skipped } from '../report.ts'
import { openWorld, type Say, type World } from '../world.ts'
import { plainErase } from './plain.ts'

// Somebody is erased. Whoever kept every row of theirs from before, and then gets the whole machine (disk, memory, every key that there is,
// and the operator's own as well), reads nothing of them.

const ERASED = 3

export async function drillErase({ say, short = false }: { say: Say; short?: boolean }): Promise<Result> {
  const began = performance.now()
  const world = await openWorld()
  try {
    const { installation } = world
    const imported = await importStaff(world, staffOf('erase', short ? 60 : 500))
    const client = await openClient(world)
    const { ids, staff } = imported
    const gone = ids.slice(0, ERASED)
    const rowsOf = async () => (await installation.database.query('select * from console.record')).rows as Sealed[]
    const lastWeek = await rowsOf()
    const shown = await openShown(client, ERASED + 1)
    for (const id of gone) await shown(id, 1) // keys that were used lately
    await writeAll(
      [{ id: gone[0]!, version: 2, person: { ...staff[0]!, office: 'Elsewhere', fields: {} } }],
      client,
      () => {},
    )
    await shown(gone[0]!, 2)
    say(`${ids.length} people are in the directory, ${ERASED} of them were shown.`)

    const rows = [...lastWeek, ...(await rowsOf())]
    const before = readKeyring(keyringPath(installation.home))
    const keyOf = (id: string) => Buffer.from(before.find(id)!.key)
    const secrets = [
      ...secretForms('the epoch’s key', Buffer.from(before.key)),
      ...gone.flatMap((id, at) => secretForms(`release key ${at}`, keyOf(id))),
    ]
    const found = sweep(world, secrets, [], keyringPath(installation.home))
    const started = performance.now()
    await installation.cli('people', 'erase', ...gone, '--passkey', installation.passkey)
    const seconds = (performance.now() - started) / 1000
    say('They are erased.')

    const after = readKeyring(keyringPath(installation.home))
    const canaries = staffCanaries(staff.slice(0, ERASED))
    const left = sweep(world, secrets, canaries, installation.home)
    await sleep(50) // connections that ended meanwhile are noticed
    say('Every byte was searched.')
    const names = await namesOf(world, gone)
    const openable = tryAll(rows, gone, after, client)
    const plain = await plainErase(installation.database, staff, ERASED)
    const unread = serverOf(world).some(([, pid]) => !mayRead(pid))
    const figures: Figure[] = [
      none('loot', 'erased people whom anything opens, by every key there is', openable.erased, { plain: plain.rows }),
      {
        ...{ kind: 'loot', what: 'the same keys open of those who were not erased', found: openable.living },
        ...{ limit: `= ${ids.length - ERASED}`, holds: openable.living === ids.length - ERASED },
      },
      none('loot', 'their keys, or the epoch’s, in files of the home', left.files),
      none('loot', 'and in the memory of the server’s processes', left.memory),
      none('loot', 'names, numbers, e-mails, offices of theirs in files and memory', left.loot, { plain: plain.loot }),
      none('loot', 'tables and ledger entries that name their ids', names),
      {
        ...{
          kind: 'loot',
          what: 'before, the keys were found in files, and in memory',
          found: `${found.files.length}, ${found.memory.length}`,
        },
        ...{ limit: '≥ 1 each', holds: found.files.length > 0 && (unread || found.memory.length > 0) },
      },
      atMost('contain', 'seconds to erase them, the command’s start included', Math.round(seconds * 100) / 100, 5),
    ]
    const skipped: Skipped[] = [
      {
        what: 'ids in PostgreSQL’s statistics of columns',
        why: 'they stay until it takes them again, and mean nothing by themselves',
      },
      { what: 'blocks that a disk keeps (copy on write, snapshots, flash)', why: 'no program reaches them' },
    ]
    if (unread) skipped.push({ what: 'memory', why: 'this user may not read another process’s' })
    return {
      drill: 'erase',
      position: 'everything, once somebody has been erased',
      seconds: (performance.now() - began) / 1000,
      figures,
      tried: [
        'every row of before with every key of after, the unit’s own among them',
        'every file of the home, write-ahead log and keyring included',
        'the memory of every process',
        'every table, and the ledger, for their ids',
      ],
      skipped,
    }
  } finally {
    await world.stop()
  }
}

type Swept = { files: string[]; memory: string[]; loot: string[] }

/** Every byte of the home and of the server's memory, for these secrets and for these people. */
function sweep(
  { installation }: World,
  secrets: readonly Secret[],
  canaries: readonly Canary[],
  folder: string,
): Swept {
  const needles = createNeedles(secrets)
  const loot = lootSearch(canaries)
  const [files, memory] = [new Set<string>(), new Set<string>()]
  const see = (bytes: Buffer, where: string, found: Set<string>) => {
    for (const { what } of needles.in(bytes)) found.add(`${what}: ${where}`)
    if (canaries.length > 0) loot.search(bytes, where, Infinity)
  }
  for (const { path, bytes } of bytesOf(folder)) see(bytes, path, files)
  for (const [name, pid] of serverOf({ installation }))
    if (mayRead(pid)) for (const bytes of memoryOf(pid)) see(bytes, `memory of ${name}`, memory)
  return {
    ...{ files: [...files], memory: [...memory] },
    loot: loot.found.map(({ what, text, how }) => `${what} ${text}: ${how}`),
  }
}

export const serverOf = ({ installation }: Pick<World, 'installation'>): [string, number][] =>
  [...Object.keys(compartments), 'intake'].flatMap(name =>
    installation.pids(name).map(pid => [name, pid] as [string, number]),
  )

/** Rows of before, opened with what is left: those of the erased with every key, by whoever also has the unit's private half. */
function tryAll(rows: readonly Sealed[], gone: readonly string[], after: Held, client: Client) {
  const erased = new Set<string>()
  const living = new Set<string>()
  for (const row of rows) {
    const own = after.find(row.record_id)?.key
    const inner = openOuter(row, gone.includes(row.record_id) ? after.keys : own ? [own] : [], client)
    const person = inner && openInner(row, inner, [client.key.privateKey], client)
    if (person) (gone.includes(row.record_id) ? erased : living).add(row.record_id)
  }
  return { erased: [...erased], living: living.size }
}

/** Live rows and the ledger: ids mean nothing by themselves, but whoever has an older list knows what they were. */
async function namesOf({ installation }: World, gone: readonly string[]): Promise<string[]> {
  const found: string[] = []
  for (const table of await tablesOf(installation.database)) {
    if (table.startsWith('pg_catalog.')) continue // statistics of columns: until they are taken again
    const { rows } = await installation.database
      .query(`select t::text as row from ${table} t`)
      .catch(() => ({ rows: [] }))
    if (rows.some(({ row }) => gone.some(id => String(row).includes(id)))) found.push(table)
  }
  const ids = gone.flatMap(id => [Buffer.from(id), Buffer.from(id.replaceAll('-', ''), 'hex')])
  for (const { path, bytes } of bytesOf(dataPath(installation.home, 'ledger')))
    if (ids.some(id => bytes.includes(id))) found.push(path)
  return found
}
