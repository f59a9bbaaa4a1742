import assert from 'node:assert/strict'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { createDevice, type Device } from '../../simulator/device.ts'
import { dataPath } from '../../src/cli/home.ts'
import type { People } from '../../src/console/people/api.ts'
import { type Installation, idOf, startInstallation } from '../support/installation.ts'
import { createOperator } from '../support/operator.ts'
import { refusal } from '../support/refusal.ts'

/** The server knows who has which device under opaque ids, and nobody's name; an operator reads one logged release at a time. */
let installation: Installation
let phone: Device
const names = ['Zsófia Quillfeather', 'Ødegård Vantongeren', 'Kwabena Ixchelson', 'Zsofie Quillon'] as const
const table = (rows: string[]) => ['mobile,familyName,email,givenName', ...rows, ''].join('\r\n')
const rowOf = (name: string, at: number) => {
  const [given, family] = name.split(' ')
  return `+32 470 99 88 ${at}${at},${family},${family}.${at}@staff.example,${given}`
}
before(async () => {
  installation = await startInstallation()
  phone = createDevice({ seed: 'people', model: 'iphone', keyType: 'ec' })
  await phone.enrol((await createOperator(installation).invite({ tier: 'full' })).profileUrl)
})
after(async () => {
  phone?.close()
  await installation?.stop()
})

const file = (name: string, text: string) => {
  const path = join(installation.home, name)
  writeFileSync(path, text)
  return path
}
const own = () => ['--passkey', installation.passkey]
const list = async () => (await installation.cli<People>('people', 'list')).people
type Shown = {
  people: { alias: string; givenName: string; familyName: string; mobile: string; proven: boolean }[]
  left: { budgets: { left: number }[] }
}
const show = (...aliases: string[]) => installation.cli<Shown>('people', 'show', ...aliases, ...own())
const find = (wanted: string) => installation.cli<Shown>('people', 'find', wanted, ...own())

test('a table is imported in any order of its columns, under aliases of two words', async () => {
  const done = await installation.cli<{ imported: number }>(
    'people',
    'import',
    file('staff.csv', table(names.map(rowOf))),
    ...own(),
  )
  assert.equal(done.imported, names.length)
  const people = await list()
  assert.equal(people.length, names.length)
  for (const { alias } of people) assert.match(alias, /^[a-z]+-[a-z]+$/)
})

test('a table with one wrong line is imported not at all, and every wrong line is told', async () => {
  const rows = [rowOf('Ada Lovelace', 4), 'not a number,,,', rowOf('Grace Hopper', 5), 'neither,,,']
  const { code, message } = await refusal(installation, 'people', 'import', file('wrong.csv', table(rows)), ...own())
  assert.equal(code, 'BAD_REQUEST')
  assert.match(message, /4 mistakes/)
  assert.equal((await list()).length, names.length)
})

test('names are shown for those who are asked for, and each is counted', async () => {
  const [one, two] = await list()
  const before = (await show(one!.alias)).left.budgets[0]!.left
  const shown = await show(one!.alias, two!.alias)
  assert.deepEqual(shown.people.map(({ alias }) => alias).sort(), [one!.alias, two!.alias].sort())
  for (const { givenName, familyName, proven } of shown.people) {
    assert.ok(names.includes(`${givenName} ${familyName}` as (typeof names)[number]))
    assert.ok(proven)
  }
  assert.equal(shown.left.budgets[0]!.left, before - 1, 'who was shown before in this hour is counted once')
})

test('people are found by the beginning of a name, without its marks, and by a number in either form', async () => {
  const found = async (wanted: string) => (await find(wanted)).people.map(({ familyName }) => familyName).sort()
  assert.deepEqual(await found('quil'), ['Quillfeather', 'Quillon'])
  assert.deepEqual(await found('zsofia'), ['Quillfeather'])
  assert.deepEqual(await found('odegard vantong'), ['Vantongeren'])
  assert.deepEqual(await found('+3247099882'), ['Ixchelson'])
  assert.deepEqual(await found('ixchelson.2@staff.example'), ['Ixchelson'])
  assert.deepEqual(await found('nobody'), [])
  assert.equal((await refusal(installation, 'people', 'find', '. .', ...own())).code, 'BAD_REQUEST')
})

test('who is no operator of the unit reads nobody, whatever roles they have', async () => {
  const [{ alias } = { alias: '' }] = await list()
  const other = ['--passkey', installation.passkeys[1]!]
  assert.equal((await refusal(installation, 'people', 'show', alias, ...other)).code, 'FORBIDDEN')
})

test('what a phone says of itself is shown to an operator, one logged release at a time', async () => {
  const said = await installation.cli<Record<string, string>>('device', 'reveal', idOf(phone), ...own())
  assert.ok(said.SerialNumber || said.DeviceName, JSON.stringify(said))
  const { rows } = await installation.database.query('select sealed from edge.device where sealed is not null')
  assert.ok(rows.length > 0)
})

/** All that the database holds, and every file of the server's but the passkeys' own. */
async function everything(): Promise<Buffer> {
  const { database, home } = installation
  const { rows: tables } = await database.query<{ name: string }>(
    `select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname in ('console', 'edge', 'vault', 'watch')`,
  )
  const parts: Buffer[] = []
  for (const { name } of tables) {
    // A name of PostgreSQL's own, which it has quoted.
    const { rows } = await database.query(`select convert_to(t::text, 'UTF8') as row from ${name} t`)
    parts.push(...rows.map(({ row }) => row as Buffer))
  }
  for (const part of ['vault', 'ledger', 'console', 'edge', 'watch'] as const)
    parts.push(...filesBelow(dataPath(home, part)))
  parts.push(...filesBelow(join(home, 'logs')))
  return Buffer.concat(parts)
}

function filesBelow(folder: string): Buffer[] {
  try {
    return readdirSync(folder, { recursive: true, withFileTypes: true }).flatMap(entry =>
      entry.isFile() ? [readFileSync(join(entry.parentPath, entry.name))] : [],
    )
  } catch {
    return []
  }
}

test('no byte of the database, the keyring, the ledger or the logs says who anybody is', async () => {
  const all = await everything()
  const [{ alias, id } = { alias: '', id: '' }] = await list()
  for (const known of [alias, id, '"type":"release"', idOf(phone)])
    assert.ok(all.includes(known), `${known} would be found`)
  const words = names.flatMap((name, at) => [...name.split(' '), `9988${at}${at}`, `${at}@staff.example`])
  for (const word of words)
    for (const form of ['utf8', 'utf16le', 'latin1'] as const) {
      const bytes = Buffer.from(word, form)
      assert.ok(!all.includes(bytes), `${word} as ${form}`)
      if (bytes.length < 6) continue
      for (const text of [bytes.toString('hex'), bytes.toString('base64').slice(0, -3)])
        assert.ok(!all.includes(text), text)
    }
  assert.ok(!all.includes(gzipSync(names[0])))
})

test('a version that was rolled back, or swapped with another person’s, opens for nobody', async () => {
  const { database } = installation
  const [one, two] = await list()
  const { rows } = await database.query(
    'select record_id, sealed, outer_digest from console.record where record_id = any($1)',
    [[one!.id, two!.id]],
  )
  const [first, second] = rows
  const put = (id: string, { sealed, outer_digest }: (typeof rows)[number]) =>
    database.query('update console.record set sealed = $2, outer_digest = $3 where record_id = $1', [
      id,
      sealed,
      outer_digest,
    ])
  await put(first.record_id, second)
  const swapped = await show(one!.alias, two!.alias)
  assert.equal(swapped.people.length, 1)
  await put(first.record_id, first)
  assert.equal((await show(one!.alias, two!.alias)).people.length, 2)
})

test('an erased person is gone: their row put back from a backup opens for nobody, also after a restart', async () => {
  const { database } = installation
  const [leaver, stays] = await list()
  const { rows } = await database.query('select * from console.record where record_id = $1', [leaver!.id])
  const done = await installation.cli<{ records: number; epoch: number }>('people', 'erase', leaver!.alias, ...own())
  assert.equal(done.records, 1)
  assert.ok(done.epoch > 1)
  const [row] = rows
  await database.query(
    `insert into console.record select * from jsonb_populate_record(null::console.record, $1::jsonb)`,
    [
      JSON.stringify({
        ...row,
        sealed: `\\x${row.sealed.toString('hex')}`,
        outer_digest: `\\x${row.outer_digest.toString('hex')}`,
      }),
    ],
  )
  assert.deepEqual((await show(leaver!.alias)).people, [])
  await installation.renew('vault')
  assert.deepEqual((await show(leaver!.alias)).people, [])
  assert.equal((await show(stays!.alias)).people.length, 1)
})

test('after fifty people in an hour the next one has to wait', async () => {
  const rows = Array.from({ length: 60 }, (_, at) => `+3247011${1000 + at},Many${at},m${at}@staff.example,Person`)
  await installation.cli('people', 'import', file('many.csv', table(rows)), ...own())
  const aliases = (await list()).map(({ alias }) => alias)
  await show(...aliases.slice(0, 25))
  assert.equal((await refusal(installation, 'people', 'show', ...aliases.slice(25, 50), ...own())).code, 'LIMIT')
})
