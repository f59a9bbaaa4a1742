import { spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { DatabaseConfig } from '../base/config.ts'
import { BulkheadError } from '../base/errors.ts'
import { postgresData, postgresSocket, secretsPath, writeWhole } from '../cli/home.ts'
import { type Account, type Binaries, versionOf } from './binaries.ts'
import { commandLine } from './strays.ts'

export { type Account, type Binaries, findBinaries, postgresAccount } from './binaries.ts'

export const bootstrapRole = 'bulkhead_bootstrap'

/** A password that is made once and kept in the supervisor's folder. */
export function secret(home: string, name: string): string {
  const path = join(secretsPath(home), name)
  if (!existsSync(path)) writeWhole(path, randomBytes(32).toString('base64url'), 0o600)
  return readFileSync(path, 'utf8')
}

/** Makes the data folder where there is none. It gets its name only when it is whole. */
export function initialise(home: string, binaries: Binaries, who: Account | undefined) {
  const data = postgresData(home)
  if (existsSync(join(data, 'PG_VERSION'))) return checkVersion(data, binaries)
  const fresh = `${data}.new`
  const passwordFile = join(home, 'pg-password.new')
  for (const path of [fresh, passwordFile]) rmSync(path, { recursive: true, force: true })
  mkdirSync(fresh, { mode: 0o700 })
  writeFileSync(passwordFile, secret(home, 'bootstrap'), { mode: 0o600 })
  if (who) for (const path of [fresh, passwordFile]) chownSync(path, who.uid, who.gid)
  const made = spawnSync(
    join(binaries.folder, 'initdb'),
    [
      '-D',
      fresh,
      '-U',
      bootstrapRole,
      '--auth=scram-sha-256',
      `--pwfile=${passwordFile}`,
      '--encoding=UTF8',
      '--locale=C',
      '--no-instructions',
    ],
    { encoding: 'utf8', cwd: '/', env: {}, ...(who ? { uid: who.uid, gid: who.gid } : {}) },
  )
  rmSync(passwordFile, { force: true })
  if (made.status !== 0) throw initdbFailed(`${made.stderr ?? ''}${made.error?.message ?? ''}`)
  renameSync(fresh, data)
}

function checkVersion(data: string, { folder }: Binaries) {
  const kept = Number(readFileSync(join(data, 'PG_VERSION'), 'utf8'))
  const have = versionOf(folder)
  if (kept !== have)
    throw new BulkheadError('HOME_UNUSABLE', `The data in ${data} is of PostgreSQL ${kept}, the program is ${have}.`, {
      remedy: `Install PostgreSQL ${kept}, or move the data with pg_upgrade.`,
    })
}

function initdbFailed(words: string) {
  const nameless = words.includes('could not look up effective user')
  return new BulkheadError('MISSING_PART', `initdb failed: ${words.trim().slice(-500)}`, {
    remedy: nameless ? 'Run as a user that /etc/passwd names, or set DATABASE_URL.' : 'Look at what initdb says.',
  })
}

/** Settings for a machine of two cores. They are the supervisor's file: the server reads, and cannot change, it. */
export function settings(home: string): string {
  const folder = join(home, 'pg-conf')
  return `${[
    `data_directory = '${postgresData(home)}'`,
    `hba_file = '${join(folder, 'pg_hba.conf')}'`,
    `ident_file = '${join(folder, 'pg_ident.conf')}'`,
    `unix_socket_directories = '${postgresSocket(home)}'`,
    "listen_addresses = ''",
    'max_connections = 40',
    'shared_buffers = 64MB',
    'work_mem = 4MB',
    'maintenance_work_mem = 64MB',
    'synchronous_commit = on',
    'wal_compression = on',
    'max_wal_size = 512MB',
    'min_wal_size = 64MB',
    'checkpoint_timeout = 10min',
    'random_page_cost = 1.1',
    'autovacuum_naptime = 15s',
    'max_parallel_workers_per_gather = 0',
    'jit = off',
    'password_encryption = scram-sha-256',
    'log_connections = on',
    "log_line_prefix = '%m [%p] %u '",
    "log_timezone = 'UTC'",
    "timezone = 'UTC'",
  ].join('\n')}\n`
}

function writeSettings(home: string) {
  const folder = join(home, 'pg-conf')
  mkdirSync(folder, { recursive: true })
  chmodSync(folder, 0o755)
  writeWhole(join(folder, 'postgresql.conf'), settings(home), 0o644)
  writeWhole(join(folder, 'pg_hba.conf'), 'local all all scram-sha-256\n', 0o644)
  writeWhole(join(folder, 'pg_ident.conf'), '', 0o644)
}

/** Starts the server below its keeper, after ending one that an earlier supervisor left on the same data. */
export async function startPostgres(home: string, program: string, binaries: Binaries, who: Account | undefined) {
  await takeOver(home)
  writeSettings(home)
  const socket = postgresSocket(home)
  mkdirSync(socket, { recursive: true })
  if (who) chownSync(socket, who.uid, who.gid)
  chmodSync(socket, who ? 0o755 : 0o700) // with separate users, passwords decide who gets in
  const keeper = join(program, 'src/supervisor/keeper.sh')
  const config = join(home, 'pg-conf/postgresql.conf')
  return spawn('/bin/sh', [keeper, join(binaries.folder, 'postgres'), postgresData(home), config, '--home', home], {
    cwd: '/',
    env: {},
    detached: true, // a terminal's Ctrl-C is for the supervisor, which stops the database last
    stdio: ['pipe', 'ignore', 'pipe'],
    ...(who ? { uid: who.uid, gid: who.gid } : {}),
  })
}

/** The process that serves our data folder now, be it ours or an earlier supervisor's. */
export function postmaster(home: string): number | undefined {
  try {
    const pid = Number(readFileSync(join(postgresData(home), 'postmaster.pid'), 'utf8').split('\n')[0])
    const argv = commandLine(pid) ?? []
    return argv[0]?.endsWith('/postgres') && argv.includes(postgresData(home)) ? pid : undefined
  } catch {
    return undefined
  }
}

/** Fast shutdown, and after ten seconds an immediate one: both keep every commit. */
async function takeOver(home: string) {
  for (let tries = 0; ; tries++) {
    const pid = postmaster(home)
    if (pid === undefined) break
    try {
      if (tries % 100 === 0) process.kill(pid, tries === 0 ? 'SIGINT' : 'SIGQUIT')
    } catch {}
    if (tries > 250)
      throw new BulkheadError('CONFLICT', `PostgreSQL (process ${pid}) does not let go of ${home}.`, {
        remedy: `End it: kill -QUIT ${pid}`,
      })
    await sleep(100)
  }
  // A file left by a crash whose number is another program's by now would stop the start. In all other cases the server judges it itself.
  const left = join(postgresData(home), 'postmaster.pid')
  const pid = existsSync(left) ? Number(readFileSync(left, 'utf8').split('\n')[0]) : undefined
  const argv = pid === undefined ? undefined : commandLine(pid)
  if (argv && !argv.some(word => word.includes('postgres'))) rmSync(left)
}

export function embeddedDatabase(home: string, user: string, password: string, database = 'bulkhead'): DatabaseConfig {
  return { host: postgresSocket(home), port: 5432, user, password, database, ssl: false }
}

/** The operator's own server, from `postgres://user:password@host:port/database?sslmode=…`. Throws BAD_REQUEST. */
export function databaseFromUrl(text: string): DatabaseConfig {
  const remedy = 'Write postgres://user:password@host:port/database.'
  if (!URL.canParse(text)) throw new BulkheadError('BAD_REQUEST', 'DATABASE_URL is not a URL.', { remedy })
  const url = new URL(text)
  if (!/^postgres(ql)?:$/.test(url.protocol))
    throw new BulkheadError('BAD_REQUEST', 'DATABASE_URL is not a postgres:// URL.', { remedy })
  const mode = url.searchParams.get('sslmode') ?? 'disable'
  return {
    host: url.searchParams.get('host') ?? decodeURIComponent(url.hostname || 'localhost'),
    port: Number(url.port || 5432),
    user: decodeURIComponent(url.username || 'postgres'),
    password: decodeURIComponent(url.password),
    database: decodeURIComponent(url.pathname.slice(1)) || 'bulkhead',
    ssl: mode !== 'disable' && mode !== 'allow' && mode !== 'prefer',
  }
}
