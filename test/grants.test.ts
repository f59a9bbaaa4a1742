import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import pg from 'pg'
import { bootstrap, migrate, migratorRole, roleOf } from '../src/supervisor/migrate.ts'
import { type TestDatabase, testDatabase } from './support/database.ts'
import { differences, type Grants, liveGrants, writtenGrants } from './support/grants.ts'
import { forbidden, mayDo, triesOf } from './support/verbs.ts'

// The database as the supervisor makes it (bootstrap, migrate) beside the tests' own, which every other test takes for it.

const db = join(import.meta.dirname, '../db')
const COMPARTMENTS = ['edge', 'console', 'vault', 'watch'] as const
const LIVE = `test_${process.pid}_live`
let place: TestDatabase
let owner: pg.Client
let written: Grants
const open: pg.Client[] = []

async function connect(user: string, database = LIVE) {
  const client = new pg.Client({ ...place.config('owner'), user, database })
  await client.connect()
  open.push(client)
  return client
}

/** As at every start of the supervisor. */
function start() {
  const roles = [migratorRole, ...COMPARTMENTS.map(roleOf)]
  const passwords = Object.fromEntries(roles.map(role => [role, 'a password']))
  return bootstrap({ ...place.config('owner'), database: 'postgres' }, LIVE, passwords)
}

before(async () => {
  place = await testDatabase()
  const admin = place.config('owner')
  await start()
  await migrate({ ...admin, user: migratorRole, database: LIVE }, db)
  owner = await connect(admin.user)
  written = await writtenGrants(readFileSync(join(db, 'roles.sql'), 'utf8'), owner)
})
after(async () => {
  await Promise.all(open.map(client => client.end()))
  await place.connect('owner').query(`drop database ${LIVE} with (force)`)
  await place.drop()
})

test('the live grants are those of db/roles.sql, no more and no fewer', async () => {
  assert.ok(written.size > 100)
  assert.deepEqual(differences(written, await liveGrants(owner)), [])
})

test('the database that other tests use has the same grants', async () => {
  const client = await connect(place.config('owner').user, place.config('owner').database)
  assert.deepEqual(differences(written, await liveGrants(client)), [])
})

test('the supervisor’s roles are no more than what they were granted: no attribute, no membership, nothing owned but by the migrator', async () => {
  const { rows } = await owner.query(
    `select rolname from pg_roles where rolname = any ($1) and (rolsuper or rolcreaterole or rolcreatedb or rolreplication or rolbypassrls)`,
    [[migratorRole, ...COMPARTMENTS.map(roleOf)]],
  )
  assert.deepEqual(rows, [])
  const members = await owner.query(
    `select pg_get_userbyid(member) from pg_auth_members where pg_get_userbyid(member) like 'bulkhead%' or pg_get_userbyid(roleid) like 'bulkhead%'`,
  )
  assert.deepEqual(members.rows, [])
  const owned = await owner.query(
    `select classid::regclass, objid from pg_shdepend
    where deptype = 'o' and refclassid = 'pg_authid'::regclass and pg_get_userbyid(refobjid) = any ($1)`,
    [COMPARTMENTS.map(roleOf)],
  )
  assert.deepEqual(owned.rows, [])
})

test('what runs as its owner looks for names in no schema that its caller could fill', async () => {
  const { rows } = await owner.query(
    `select oid::regprocedure::text as name, proconfig from pg_proc where prosecdef or pronamespace in ('edge'::regnamespace, 'console'::regnamespace)`,
  )
  assert.ok(rows.length > 10)
  for (const { name, proconfig } of rows) assert.ok(proconfig.includes('search_path=pg_catalog, pg_temp'), name)
})

test('a type of the caller’s own making is not what a function of the edge takes for uuid', async () => {
  const { user, database } = place.config('owner')
  const admin = await connect(user, database)
  await admin.query(`grant temporary on database ${database} to bulkhead_edge`) // the first wall is broken: the second must hold
  const edge = await connect('bulkhead_edge', database)
  await edge.query(`create function pg_temp.taken(pg_catalog.uuid) returns boolean language plpgsql as
    $$ begin execute 'grant usage on schema vault to public'; return true; end $$`)
  await edge.query('create domain pg_temp.uuid as pg_catalog.uuid check (pg_temp.taken(value))')
  const id = `'72656e65-7769-8000-8000-6964656e7469'::pg_catalog.uuid`
  await edge.query(`select edge.enqueue_renewal(${id}, ${id}, 1)`)
  await admin.query(`revoke temporary on database ${database} from bulkhead_edge`)
  assert.deepEqual(differences(written, await liveGrants(admin)), [])
})

test('what a role set for its own sessions is forgotten at the next start', async () => {
  const edge = await connect('bulkhead_edge')
  await edge.query(
    `alter role bulkhead_edge set statement_timeout = 1; alter role bulkhead_edge in database ${LIVE} set work_mem = '64kB'`,
  )
  assert.equal((await owner.query('select from pg_db_role_setting')).rowCount, 2)
  await start()
  assert.equal((await owner.query('select from pg_db_role_setting')).rowCount, 0)
})

for (const name of COMPARTMENTS)
  test(`${name} can do with tables, columns, sequences and functions what is written, and is refused the rest`, async () => {
    const role = roleOf(name)
    const tries = await triesOf(owner, role, written)
    assert.ok(tries.filter(({ allowed }) => !allowed).length > 250)
    const client = await connect(role)
    const wrong: string[] = []
    for (const { sql, allowed } of tries)
      if ((await mayDo(client, sql)) !== allowed) wrong.push(`${allowed ? 'refused' : 'not refused'}: ${sql}`)
    assert.deepEqual(wrong, [])
  })

for (const name of [...COMPARTMENTS, 'migrator'])
  test(`${name} cannot leave its role, reach files or programs, or make things that last`, async () => {
    await owner.query(
      'select lo_from_bytea(4711, $1) where not exists (select from pg_largeobject_metadata where oid = 4711)',
      ['a'],
    )
    const { rows } = await owner.query('select pg_backend_pid() as pid')
    const client = await connect(roleOf(name))
    for (const sql of forbidden({ role: roleOf(name), owner: place.config('owner').user, pid: rows[0].pid }))
      assert.equal(await mayDo(client, sql), false, sql)
  })

/** Each wall broken on purpose: what the comparison then says. */
const breaks: [sql: string, said: string[]][] = [
  [
    'grant select on vault.certificate to bulkhead_edge',
    ['not in roles.sql: bulkhead_edge: select on vault.certificate'],
  ],
  ['grant usage on schema vault to bulkhead_watch', ['not in roles.sql: bulkhead_watch: usage on schema vault']],
  ['grant create on schema public to public', ['not in roles.sql: PUBLIC: create on schema public']],
  [
    'grant update (push) on edge.device to bulkhead_vault',
    ['not in roles.sql: bulkhead_vault: update on edge.device (push)'],
  ],
  [
    'grant execute on function console.dequeue(uuid, text) to public',
    ['not in roles.sql: PUBLIC: execute on function console.dequeue(uuid,text)'],
  ],
  [
    'grant select on sequence edge.pending_seq_seq to bulkhead_console',
    ['not in roles.sql: bulkhead_console: select on sequence edge.pending_seq_seq'],
  ],
  ['grant select on pg_authid to bulkhead_edge', ['not in roles.sql: bulkhead_edge: select on pg_authid']],
  [
    'grant execute on function pg_read_file(text) to public',
    ['not in roles.sql: PUBLIC: execute on function pg_read_file(text)'],
  ],
  [`grant temporary on database ${LIVE} to public`, ['not in roles.sql: PUBLIC: temporary on database']],
  [
    'grant set on parameter session_replication_role to bulkhead_edge',
    ['not in roles.sql: bulkhead_edge: set on parameter session_replication_role'],
  ],
  [
    'alter default privileges in schema edge grant select on tables to bulkhead_edge',
    ['not in roles.sql: bulkhead_edge: select on whatever is made later: r edge'],
  ],
  [
    'grant select on watch.trace to bulkhead_watch with grant option',
    [
      'not in roles.sql: bulkhead_watch: select on watch.trace with grant option',
      'not in the database: bulkhead_watch: select on watch.trace',
    ],
  ],
  [
    'revoke delete on console.session from bulkhead_console',
    ['not in the database: bulkhead_console: delete on console.session'],
  ],
  [
    'set local role bulkhead_migrator; create schema fresh; grant usage on schema fresh to bulkhead_edge',
    ['not in roles.sql: bulkhead_edge: usage on schema fresh'],
  ],
  [
    'create function public.planted() returns int language sql as $$ select 1 $$',
    ['not in roles.sql: PUBLIC: execute on function planted()'],
  ],
]
for (const [sql, said] of breaks)
  test(`the comparison turns red by: ${sql}`, async () => {
    await owner.query('begin')
    try {
      await owner.query(sql)
      assert.deepEqual(differences(written, await liveGrants(owner)), said)
    } finally {
      await owner.query('rollback')
    }
  })

test('a function that the migrator makes later is nobody’s until roles.sql gives it to somebody', async () => {
  await owner.query(
    'begin; set local role bulkhead_migrator; create function edge.later() returns int language sql as $$ select 1 $$',
  )
  const live = await liveGrants(owner)
  await owner.query('rollback')
  assert.deepEqual(differences(written, live), [])
})

test('the tries turn red when a column is readable that should not be', async () => {
  const { user, database } = place.config('owner')
  const admin = await connect(user, database)
  await admin.query(
    'grant usage on schema vault to bulkhead_watch; grant select (voucher) on vault.certificate to bulkhead_watch',
  )
  const client = await connect('bulkhead_watch', database)
  const wrong: string[] = []
  for (const { sql, allowed } of await triesOf(admin, 'bulkhead_watch', written))
    if ((await mayDo(client, sql)) !== allowed) wrong.push(sql)
  assert.deepEqual(wrong, ['select voucher from vault.certificate limit 0'])
})

test('a statement of roles.sql that the parser does not know stops the test', async () => {
  await assert.rejects(writtenGrants('grant bulkhead_migrator to bulkhead_edge;', owner), /What does this statement/)
})
