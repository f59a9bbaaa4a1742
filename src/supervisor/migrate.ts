import { createHash, randomBytes } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import type { DatabaseConfig } from '../base/config.ts'
import { BulkheadError } from '../base/errors.ts'
import { scramVerifier } from './scram.ts'

/**
 * Roles, database and schema. The bootstrap role makes the others and is not used again; the migrator owns every object and
 * its password is in the supervisor's folder alone; the compartments' roles own nothing and get what `db/roles.sql` grants.
 */
export const migratorRole = 'bulkhead_migrator'
export const roleOf = (compartment: string) => `bulkhead_${compartment}`

export type Migration = { number: number; name: string; sql: string; sha256: string }

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')

/** `NNNN_name.sql` of a folder in order of their numbers. Throws BAD_REQUEST for a name that does not fit and for a number used twice. */
export function readMigrations(folder: string): Migration[] {
  if (!existsSync(folder)) return []
  const found = readdirSync(folder)
    .filter(file => file.endsWith('.sql'))
    .sort()
    .map(file => {
      const parts = /^(\d{4})_([a-z0-9_]+)\.sql$/.exec(file)
      if (!parts) throw new BulkheadError('BAD_REQUEST', `The migration ${file} has no name like 0001_devices.sql.`)
      const sql = readFileSync(join(folder, file), 'utf8')
      return { number: Number(parts[1]), name: parts[2]!, sql, sha256: sha256(sql) }
    })
  const twice = found.find((migration, at) => found[at - 1]?.number === migration.number)
  if (twice)
    throw new BulkheadError('BAD_REQUEST', `Two migrations have the number ${twice.number}.`, {
      remedy: 'Give one of them the next free number.',
    })
  return found
}

export type Applied = { number: number; name: string; sha256: string }

/** What is still to be run. Throws CONFLICT where the past was edited, or is newer than this program. */
export function pendingMigrations(files: readonly Migration[], applied: readonly Applied[]): Migration[] {
  for (const past of applied) {
    const file = files.find(migration => migration.number === past.number)
    const label = `${String(past.number).padStart(4, '0')}_${past.name}.sql`
    if (!file)
      throw new BulkheadError('CONFLICT', `The database has migration ${label}, this program has not.`, {
        remedy: 'Run the newer program that made it.',
      })
    if (file.sha256 !== past.sha256)
      throw new BulkheadError('CONFLICT', `The migration ${label} was changed after it was applied.`, {
        remedy: 'Put the file back as it was, and write what you want to change as a new migration.',
      })
  }
  const last = Math.max(0, ...applied.map(past => past.number))
  const late = files.find(file => file.number < last && !applied.some(past => past.number === file.number))
  if (late)
    throw new BulkheadError('CONFLICT', `Migration ${late.number} is new but comes before ${last}, which is applied.`, {
      remedy: 'Give it a higher number.',
    })
  return files.filter(file => file.number > last)
}

const NO_SUCH_DATABASE = '3D000'

export async function connect(config: DatabaseConfig): Promise<pg.Client> {
  const client = new pg.Client({ ...config, application_name: 'bulkhead supervisor', connectionTimeoutMillis: 10_000 })
  client.on('error', () => {}) // a lost connection fails the query under way; nothing more is to be done about it
  await client.connect()
  return client
}

/** Makes roles and database, or gives them the passwords of this home. `passwords`: role to password. */
export async function bootstrap(admin: DatabaseConfig, database: string, passwords: Record<string, string>) {
  // A database that is not there yet is made from the one that every server has.
  const client = await connect(admin).catch(error => {
    if ((error as { code?: string }).code === NO_SUCH_DATABASE) return connect({ ...admin, database: 'postgres' })
    throw error
  })
  try {
    for (const [role, password] of Object.entries(passwords)) await ensureRole(client, role, password)
    const { rowCount } = await client.query('select from pg_database where datname = $1', [database])
    if (rowCount === 0) {
      // Membership lets the owner be somebody else where the administrator is no superuser.
      await client.query(`grant ${migratorRole} to current_user`)
      await client.query(
        `create database ${client.escapeIdentifier(database)} owner ${migratorRole} template template0`,
      )
      await client.query(`revoke ${migratorRole} from current_user`)
    } else {
      await client.query(`grant create, connect on database ${client.escapeIdentifier(database)} to ${migratorRole}`)
      // As roles.sql does where the migrator is the owner: nobody makes objects of their own, not even for a session.
      await client.query(`revoke temporary on database ${client.escapeIdentifier(database)} from public`)
    }
    for (const role of Object.keys(passwords)) await forgetSettings(client, role, database)
  } finally {
    await client.end()
  }
}

/** A role may change its own settings for ever: what a captured compartment left behind ends with the next start. */
async function forgetSettings(client: pg.Client, role: string, database: string) {
  const name = client.escapeIdentifier(role)
  await client.query(`alter role ${name} reset all`)
  await client.query(`alter role ${name} in database ${client.escapeIdentifier(database)} reset all`)
}

async function ensureRole(client: pg.Client, role: string, password: string) {
  const { rowCount } = await client.query('select from pg_roles where rolname = $1', [role])
  const name = client.escapeIdentifier(role)
  const verifier = client.escapeLiteral(scramVerifier(password, randomBytes(16)))
  await client.query(
    `${rowCount === 0 ? 'create' : 'alter'} role ${name} login nocreatedb nocreaterole password ${verifier}`,
  )
}

/** Brings the schema to what `folder` (the program's `db`) says, as the migrator. Returns the numbers that were run. */
export async function migrate(config: DatabaseConfig, folder: string): Promise<number[]> {
  const client = await connect(config)
  try {
    await client.query("select pg_advisory_lock(hashtext('bulkhead_meta.migration'))")
    await client.query('create schema if not exists bulkhead_meta')
    await client.query(
      'create table if not exists bulkhead_meta.migration (number int primary key, name text not null, sha256 text not null, at timestamptz not null default now())',
    )
    await client.query(
      'create table if not exists bulkhead_meta.grants (sha256 text not null, at timestamptz not null default now())',
    )
    const applied = await client.query<Applied>(
      'select number, name, sha256 from bulkhead_meta.migration order by number',
    )
    const pending = pendingMigrations(readMigrations(join(folder, 'migrations')), applied.rows)
    for (const migration of pending) await apply(client, migration)
    await grant(client, join(folder, 'roles.sql'), pending.length > 0)
    return pending.map(migration => migration.number)
  } finally {
    await client.end()
  }
}

async function apply(client: pg.Client, { number, name, sql, sha256 }: Migration) {
  await inTransaction(client, `The migration ${number} (${name})`, async () => {
    await client.query(sql)
    await client.query('insert into bulkhead_meta.migration (number, name, sha256) values ($1, $2, $3)', [
      number,
      name,
      sha256,
    ])
  })
}

/** Grants are applied again when the file has changed, and after every migration: new objects have none yet. */
async function grant(client: pg.Client, path: string, always: boolean) {
  if (!existsSync(path)) return
  const sql = readFileSync(path, 'utf8')
  const { rows } = await client.query<{ sha256: string }>('select sha256 from bulkhead_meta.grants')
  if (!always && rows[0]?.sha256 === sha256(sql)) return
  await inTransaction(client, 'db/roles.sql', async () => {
    await client.query(sql)
    await client.query('delete from bulkhead_meta.grants')
    await client.query('insert into bulkhead_meta.grants (sha256) values ($1)', [sha256(sql)])
  })
}

async function inTransaction(client: pg.Client, what: string, run: () => Promise<void>) {
  await client.query('begin')
  try {
    await run()
    await client.query('commit')
  } catch (cause) {
    await client.query('rollback')
    throw new BulkheadError('INTERNAL', `${what} failed: ${cause instanceof Error ? cause.message : String(cause)}`, {
      remedy: 'Nothing of it was kept. Mend the file and start again.',
      cause,
    })
  }
}
