import { spawn, spawnSync } from 'node:child_process'
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Pool } from 'pg'
import { type Account, findBinaries, postgresAccount } from '../../src/supervisor/postgres.ts'

/** The roles that tests connect as; `owner` is the server's superuser. */
export type TestRole = 'owner' | 'migrator' | 'edge' | 'console' | 'vault' | 'watch'

export type TestDatabase = {
  /** A pool of connections as `bulkhead_<role>`. Closed by `drop`. */
  connect(role: TestRole, connections?: number): Pool
  /** What `pg` needs to connect as this role. */
  config(role: TestRole): { host: string; port: number; user: string; password: string; database: string; ssl: boolean }
  drop(): Promise<void>
}

const root = join(import.meta.dirname, '../..')
const PORT = 5432
const TEMPLATE = 'bulkhead_template'
const ROLES = ['migrator', 'edge', 'console', 'vault', 'watch'] as const

let server: Promise<string> | undefined
let made = 0

/** A database of its own with all migrations and grants, on a real PostgreSQL that this test process starts once. About 50 ms, the first 3 s. */
export async function testDatabase(): Promise<TestDatabase> {
  server ??= startServer()
  const host = await server
  const database = `test_${process.pid}_${made++}`
  await run(host, 'postgres', `create database ${database} template ${TEMPLATE}`)
  await run(host, 'postgres', `revoke temporary on database ${database} from public`) // a template's own rights are not copied
  const pools: Pool[] = []
  const config = (role: TestRole) => ({ host, port: PORT, user: userOf(role), password: '', database, ssl: false })
  return {
    config,
    connect(role, connections = 4) {
      const pool = new Pool({ ...config(role), max: connections, allowExitOnIdle: true })
      pool.on('error', () => {}) // the server may end before a forgotten pool does
      pools.push(pool)
      return pool
    },
    async drop() {
      await Promise.all(pools.map(pool => (pool.ended ? undefined : pool.end())))
      await run(host, 'postgres', `drop database if exists ${database} with (force)`)
    },
  }
}

const userOf = (role: TestRole) => `bulkhead_${role}`

/** Ends and removes itself when its stdin closes, which is also when this process is killed. */
const KEEPER = `"$1" -D "$2/data" -k "$2" 2>"$2/log" </dev/null & server=$!
while read -r _; do :; done
kill -QUIT "$server" 2>/dev/null; wait "$server"; rm -rf "$2"`

async function startServer(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'bulkhead-pg-'))
  const { folder: binaries } = findBinaries(root, folder)
  const who = postgresAccount()
  makeData(folder, binaries, who)
  const child = spawn('/bin/sh', ['-c', KEEPER, 'keeper', join(binaries, 'postgres'), folder], {
    cwd: '/',
    env: {},
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
    ...identity(who),
  })
  child.unref()
  ;(child.stdin as unknown as { unref(): void }).unref() // open, but not what keeps a finished test alive
  await answering(folder)
  await makeTemplate(folder)
  return folder
}

const identity = (who: Account | undefined) => (who ? { uid: who.uid, gid: who.gid } : {})

function makeData(folder: string, binaries: string, who: Account | undefined) {
  const data = join(folder, 'data')
  mkdirSync(data, { mode: 0o700 })
  for (const path of [folder, data]) if (who) chownSync(path, who.uid, who.gid)
  chmodSync(folder, 0o755)
  const settings = {
    listen_addresses: '',
    fsync: 'off',
    full_page_writes: 'off',
    max_connections: '60',
    shared_buffers: '32MB',
    jit: 'off',
    max_parallel_workers_per_gather: '0',
    timezone: 'UTC',
    log_min_messages: 'fatal',
    log_min_error_statement: 'fatal',
  }
  const said = spawnSync(
    join(binaries, 'initdb'),
    [
      '-D',
      data,
      '-U',
      userOf('owner'),
      '-A',
      'trust',
      '--no-sync',
      '--encoding=UTF8',
      '--locale=C',
      '--no-instructions',
    ],
    { cwd: '/', env: {}, encoding: 'utf8', ...identity(who) },
  )
  if (said.status !== 0) throw new Error(`initdb failed: ${said.stderr}`)
  const lines = Object.entries(settings).map(([name, value]) => `echo "${name} = '${value}'"`)
  const wrote = spawnSync(
    '/bin/sh',
    ['-c', `{ ${lines.join('; ')}; } >>"$1"`, 'sh', join(data, 'postgresql.conf')],
    identity(who),
  )
  if (wrote.status !== 0) throw new Error('The settings of the test server cannot be written.')
}

async function answering(folder: string) {
  for (let tries = 0; ; tries++) {
    try {
      return await run(folder, 'postgres', 'select 1')
    } catch (cause) {
      if (tries > 200)
        throw new Error(`The test server does not start: ${readFileSync(join(folder, 'log'), 'utf8')}`, { cause })
      await sleep(50)
    }
  }
}

/** As the supervisor does it: the migrator owns what the migrations make, and roles.sql is the whole of the grants. */
async function makeTemplate(host: string) {
  for (const role of ROLES) await run(host, 'postgres', `create role ${userOf(role)} login`)
  await run(host, 'postgres', `create database ${TEMPLATE} owner ${userOf('migrator')}`)
  await run(host, TEMPLATE, `alter schema public owner to ${userOf('migrator')}`)
  const folder = join(root, 'db/migrations')
  for (const file of readdirSync(folder).sort())
    await run(host, TEMPLATE, readFileSync(join(folder, file), 'utf8'), 'migrator')
  await run(host, TEMPLATE, readFileSync(join(root, 'db/roles.sql'), 'utf8'), 'migrator')
}

async function run(host: string, database: string, text: string, role: TestRole = 'owner') {
  const pool = new Pool({ host, port: PORT, user: userOf(role), database, max: 1 })
  pool.on('error', () => {})
  try {
    await pool.query(text)
  } finally {
    await pool.end()
  }
}
