import type { ClientBase } from 'pg'
import type { Grants } from './grants.ts'

/** One statement that a role tries, and whether what is written allows it. */
export type Try = { sql: string; allowed: boolean }

const DENIED = '42501'
const NOT_IN_TRANSACTION = '25001'

/** Whether PostgreSQL lets this role do it, were it only to find a constraint or a value in the way. Nothing of it stays. */
export async function mayDo(client: ClientBase, sql: string): Promise<boolean> {
  await client.query('begin')
  const error = await failure(client, sql)
  await client.query('rollback')
  const code = error?.code === NOT_IN_TRANSACTION ? (await failure(client, sql))?.code : error?.code
  if (code?.startsWith('42') && code !== DENIED) throw new Error(`This tries nothing: ${sql}`, { cause: error })
  return code !== DENIED
}

const failure = (client: ClientBase, sql: string): Promise<{ code?: string } | undefined> =>
  client.query(sql).then(
    () => undefined,
    error => error,
  )

/** Every verb on every table, column, sequence and function of ours. */
export async function triesOf(owner: ClientBase, role: string, written: Grants): Promise<Try[]> {
  const has = (line: string) => written.has(`${role}: ${line}`)
  const tries: Try[] = []
  for (const { table, columns } of await tablesOf(owner)) {
    const may = (verb: string, column: string) => has(`${verb} on ${table}`) || has(`${verb} on ${table} (${column})`)
    const each = (verb: string) => columns.every(column => may(verb, column))
    tries.push({ sql: `select * from ${table} limit 0`, allowed: each('select') })
    tries.push({ sql: `delete from ${table} where false`, allowed: has(`delete on ${table}`) })
    tries.push({ sql: `truncate ${table}`, allowed: has(`truncate on ${table}`) })
    for (const column of columns) {
      tries.push({ sql: `select ${column} from ${table} limit 0`, allowed: may('select', column) })
      tries.push({ sql: `insert into ${table} (${column}) values (default)`, allowed: may('insert', column) })
      tries.push({ sql: `update ${table} set ${column} = default where false`, allowed: may('update', column) })
    }
  }
  return [...tries, ...(await callsOf(owner, has))]
}

async function tablesOf(owner: ClientBase): Promise<{ table: string; columns: string[] }[]> {
  const { rows } = await owner.query(`
    select attrelid::regclass::text as table, array_agg(attname::text order by attnum) as columns
    from pg_attribute join pg_class c on c.oid = attrelid join pg_namespace n on n.oid = relnamespace
    where relkind in ('r', 'p', 'v', 'm') and attnum > 0 and not attisdropped and nspname !~ '^(pg_|information_schema)'
    group by attrelid`)
  return rows
}

/** Calls are tried with nothing but nulls, and only those that are to be refused: the others would run. */
async function callsOf(owner: ClientBase, has: (line: string) => boolean): Promise<Try[]> {
  const functions = await owner.query(`
    select p.oid::regprocedure::text as name, format('%I.%I', nspname, proname) as call,
      array(select format('null::%s', t::regtype) from unnest(proargtypes::oid[]) as t) as nulls
    from pg_proc p join pg_namespace n on n.oid = pronamespace where nspname !~ '^(pg_|information_schema)'`)
  const sequences = await owner.query(`select oid::regclass::text as name from pg_class where relkind = 'S'`)
  return [
    ...functions.rows
      .filter(({ name }) => !has(`execute on function ${name}`))
      .map(({ call, nulls }) => ({ sql: `select ${call}(${nulls.join(', ')})`, allowed: false })),
    ...sequences.rows.flatMap(({ name }) =>
      [`select nextval('${name}')`, `select last_value from ${name}`].map(sql => ({ sql, allowed: false })),
    ),
  ]
}

/** What no role of ours may do, whatever it was granted. The migrator, which owns the tables, is spared the last part. */
export function forbidden({ role, owner, pid }: { role: string; owner: string; pid: number }): string[] {
  const others = ['bulkhead_edge', 'bulkhead_console', 'bulkhead_vault', 'bulkhead_watch', 'bulkhead_migrator', owner]
  const everybody = [
    ...others
      .filter(other => other !== role)
      .flatMap(other => [`set role ${other}`, `set session authorization ${other}`]),
    `grant ${owner} to ${role}`,
    `alter role ${role} superuser`,
    'create role planted login',
    'create database planted',
    "copy (select 1) to program 'true'",
    "copy (select 1) to '/tmp/planted'",
    "select pg_read_file('/etc/passwd')",
    "select pg_read_binary_file('/etc/passwd')",
    "select pg_ls_dir('/')",
    "select pg_stat_file('/etc/passwd')",
    "select lo_import('/etc/passwd')",
    "select lo_export(4711, '/tmp/planted')",
    'select lo_get(4711)',
    "select lo_put(4711, 0, 'x')",
    'select lo_unlink(4711)',
    'select rolpassword from pg_authid',
    'select passwd from pg_shadow',
    'select * from pg_largeobject limit 0',
    'select * from pg_user_mapping',
    'copy pg_authid to stdout',
    'select * from pg_hba_file_rules',
    'select * from pg_file_settings',
    'set session_replication_role = replica',
    "set log_statement = 'none'",
    'checkpoint',
    "alter system set log_statement = 'none'",
    'select pg_reload_conf()',
    'select pg_switch_wal()',
    `select pg_terminate_backend(${pid})`,
    `select pg_cancel_backend(${pid})`,
    "select pg_create_physical_replication_slot('planted')",
    'create event trigger planted on ddl_command_start execute function pg_catalog.suppress_redundant_updates_trigger()',
    "create subscription planted connection '' publication planted with (connect = false)",
    'create foreign data wrapper planted',
    'create language planted handler plpgsql_call_handler',
    "create function public.planted() returns int language c as 'libc', 'getpid'",
    "create function public.planted() returns int language internal as 'pg_backend_pid'",
    'create tablespace planted location $$/tmp$$',
  ]
  if (role === 'bulkhead_migrator') return everybody
  const schemas = ['edge', 'console', 'vault', 'watch', 'public', 'bulkhead_meta', 'pg_catalog']
  return [
    ...everybody,
    ...schemas.flatMap(schema => [
      `create table ${schema}.planted (a int)`,
      `create view ${schema}.planted as select 1`,
      `create function ${schema}.planted() returns int language sql as 'select 1'`,
    ]),
    'create schema planted',
    'create temporary table planted (a int)',
    'create domain pg_temp.uuid as pg_catalog.uuid',
    'create publication planted for all tables',
    'alter table edge.device add column planted int',
    'alter table vault.certificate owner to bulkhead_edge',
    'alter table console.orders disable trigger all',
    'create index planted on edge.device (state)',
    'create rule planted as on insert to edge.device do nothing',
    'drop table edge.history',
    'drop schema edge cascade',
    'comment on table edge.device is $$planted$$',
    'lock table vault.certificate in access exclusive mode',
    "alter function edge.touch(uuid[], timestamptz) set search_path = ''",
    "create or replace function edge.touch(devices uuid[], at timestamptz) returns void language sql as 'select'",
    'alter default privileges for role bulkhead_migrator grant select on tables to public',
    `grant select on bulkhead_meta.migration to ${role}`,
  ]
}
