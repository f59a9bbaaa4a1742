import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Pool } from 'pg'
import { writeAll } from '../../src/cli/people/import.ts'
import { bytesOf } from '../files.ts'
import { lootSearch } from '../loot.ts'
import { tablesOf } from '../p2/dump.ts'
import { keyringPath, readKeyring } from '../people/keyring.ts'
import { keysIn } from '../people/keys.ts'
import { openInner, openOuter, type Sealed } from '../people/opening.ts'
import type { Client } from '../people/shown.ts'
import { importStaff, openClient, staffCanaries, staffOf } from '../people/staff.ts'
import { type Figure, none, type Result } from '../report.ts'
import { openWorld, type Say } from '../world.ts'
import { plainP7 } from './plain.ts'

// P7: whatever was copied away. The whole home, with and without the keyring's folder, and a dump; then people are erased, and every copy
// from before is tried with every key that there still is, the operator's own among them.

const ERASED = 3

export async function drillP7({ say, short = false }: { say: Say; short?: boolean }): Promise<Result> {
  const began = performance.now()
  const world = await openWorld()
  const copy = mkdtempSync(join(tmpdir(), 'bh-backup-'))
  try {
    const { installation } = world
    const { staff, ids } = await importStaff(world, staffOf('P7', short ? 60 : 500))
    const client = await openClient(world)
    const gone = ids.slice(0, ERASED)
    const lastWeek = await dumpOf(installation.database)
    await writeAll(
      [{ id: gone[0]!, version: 2, person: { ...staff[0]!, office: 'Elsewhere', fields: {} } }],
      client,
      () => {},
    )
    const yesterday = await dumpOf(installation.database)
    await installation.stopUp()
    cpSync(installation.home, copy, { recursive: true, filter: path => !path.endsWith('/s') })
    await installation.startUp()
    say('Everything was copied: dumps, and the home with its database, ledger, logs, keys and keyring.')

    const loot = lootSearch(staffCanaries(staff))
    let size = 0
    for (const { path, bytes } of bytesOf(copy)) {
      size += bytes.length
      loot.search(bytes, path.slice(copy.length), /\/pg\//.test(path) ? Infinity : 0)
    }
    for (const { text } of [lastWeek, yesterday]) loot.search(Buffer.from(text), 'dump')
    say(`${(size / 1e6).toFixed(0)} MB were searched.`)
    const rows = [...lastWeek.rows, ...yesterday.rows]
    const held = readKeyring(keyringPath(copy))
    const without = keysIn(copy)
    const stolen = tried(
      rows,
      { outer: id => [held.find(id)!.key], inner: [...without, ...held.keys.slice(0, 50)] },
      client,
    )
    const bare = tried(rows.slice(0, 100), { outer: () => without, inner: without }, client)
    await sleep(50) // connections that ended meanwhile are noticed
    say(`${without.length} keys of the copy, and the keyring’s, were tried on ${rows.length} rows.`)

    await installation.cli('people', 'erase', ...gone, '--passkey', installation.passkey)
    const after = readKeyring(keyringPath(installation.home))
    const left = [...after.keys, ...keysIn(installation.home), ...without, client.key.privateKey]
    const isGone = ({ record_id }: Sealed) => gone.includes(record_id)
    const own = { inner: [client.key.privateKey] }
    const erased = tried(rows.filter(isGone), { outer: () => left, ...own }, client)
    const living = tried(
      rows.filter(row => !isGone(row)),
      { outer: id => [after.find(id)!.key], ...own },
      client,
    )
    const kept = tried(rows.filter(isGone), { outer: id => [held.find(id)!.key], ...own }, client)
    const plain = await plainP7(installation.database, staff, ERASED)
    const count = ids.length - ERASED
    const figures: Figure[] = [
      none(
        'loot',
        'names, numbers, e-mails, offices in every byte of the copy',
        loot.found.map(({ what, text, how }) => `${what} ${text}: ${how}`),
        { plain: plain.loot },
      ),
      none('loot', 'people read with every key of the copy, the keyring’s too', [...stolen.people], {
        plain: plain.people,
      }),
      none('loot', 'and without the keyring, so much as an outer half', [...bare.outer]),
      none('loot', 'erased people whom any copy gives back, by every key there still is', [...erased.people], {
        plain: plain.erased,
      }),
      {
        ...{ kind: 'loot', what: 'the same keys read, of those who were not erased', found: living.people.size },
        ...{ limit: `= ${count}`, holds: living.people.size === count },
      },
    ]
    return {
      drill: 'P7',
      position: 'stolen backups: dumps, and copies of the whole home',
      seconds: (performance.now() - began) / 1000,
      figures,
      tried: [
        'every byte of the home and of two dumps, in every encoding',
        'every key of the home on both halves of every row',
        'every key of the keyring on both halves of every row',
        'after an erasure: every key that is left, and the unit’s own, on every older row of the erased',
      ],
      skipped: [
        {
          what: 'a copy that holds the keyring’s folder of before the erasure',
          why: `with it and the unit’s private key ${kept.people.size} of ${ERASED} erased people can be read: keep that folder out of every backup`,
        },
        {
          what: 'what devices reported that enrolled before vouchers named a release key',
          why: 'sealed to vault/keys/seal.key, which a copy of the whole home holds, until they renew',
        },
        { what: 'restoring on another machine, and the raw disk', why: 'they hold no byte that these copies do not' },
      ],
    }
  } finally {
    await world.stop()
    rmSync(copy, { recursive: true, force: true })
  }
}

/** All rows of all tables as text, and the sealed ones. */
async function dumpOf(database: Pool): Promise<{ text: string; rows: Sealed[] }> {
  const parts: string[] = []
  for (const table of await tablesOf(database)) {
    const { rows } = await database.query(`select t::text as row from ${table} t`).catch(() => ({ rows: [] }))
    parts.push(...rows.map(({ row }) => String(row)))
  }
  return { text: parts.join('\n'), rows: (await database.query('select * from console.record')).rows as Sealed[] }
}

type Keys = { outer: (id: string) => Iterable<Uint8Array>; inner: readonly Uint8Array[] }

/** Whose outer half opens, and who is read. */
function tried(rows: readonly Sealed[], keys: Keys, client: Client) {
  const [outer, people] = [new Set<string>(), new Set<string>()]
  for (const row of rows) {
    const inner = openOuter(row, keys.outer(row.record_id), client)
    if (inner) outer.add(row.record_id)
    if (openInner(row, inner ?? row.sealed, keys.inner, client)) people.add(row.record_id)
  }
  return { outer, people }
}
