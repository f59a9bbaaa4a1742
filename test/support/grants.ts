import type { ClientBase } from 'pg'

/** A right as one line: "bulkhead_edge: execute on function edge.touch(uuid[],timestamp with time zone)". Columns stand in brackets. */
export type Grants = ReadonlySet<string>

/** What `db/roles.sql` gives, and what PostgreSQL gives everybody anyway. Throws where a statement is of a form that nobody taught this parser. */
export async function writtenGrants(sql: string, db: ClientBase): Promise<Grants> {
  const found = new Set(['PUBLIC: connect on database'])
  for (const statement of statementsOf(sql)) {
    if (/^(revoke|alter default privileges revoke) .+ from public$/.test(statement)) continue // read from what is left
    const grant = /^grant (.+) on (schema|function|)\s*(\S.*) to (bulkhead_[a-z]+)$/.exec(statement)
    if (!grant) throw new Error(`What does this statement of roles.sql give? ${statement}`)
    const [, rights, kind, objects, role] = grant as unknown as string[]
    for (const name of split(objects!))
      for (const right of split(rights!))
        for (const line of await linesOf(right, kind!, name, db)) found.add(`${role}: ${line}`)
  }
  return found
}

/** Statements without comments, on one line each; a `do` block that executes one formatted statement is that statement. */
function statementsOf(sql: string): string[] {
  return sql
    .replaceAll(/--.*$/gm, '')
    .replaceAll(/do \$\$ begin execute format\('([^']+)', current_database\(\)\); end \$\$/g, '$1')
    .split(';')
    .map(statement => statement.replaceAll(/\s+/g, ' ').trim())
    .filter(statement => statement !== '')
}

const split = (list: string) => list.split(/,(?![^(]*\))/).map(item => item.trim())

async function linesOf(right: string, kind: string, name: string, db: ClientBase): Promise<string[]> {
  if (kind === 'schema') return [`${right} on schema ${name}`]
  if (kind === 'function') {
    const { rows } = await db.query('select $1::regprocedure::text as name', [name])
    return [`${right} on function ${rows[0].name}`]
  }
  const [, verb, columns] = /^([a-z]+)(?: \((.+)\))?$/.exec(right)!
  return columns === undefined ? [`${verb} on ${name}`] : split(columns).map(column => `${verb} on ${name} (${column})`)
}

/**
 * Every right in this database that is not its owner's: on our objects all of them, PUBLIC's too; on PostgreSQL's own objects what
 * differs from how they were made.
 */
export async function liveGrants(db: ClientBase): Promise<Grants> {
  const { rows } = await db.query(LIVE)
  return new Set(rows.map(row => row.line as string))
}

const LIVE = `
with object (kind, name, class, id, sub, acl, owner) as (
  select 'schema ', nspname::text, 'pg_namespace'::regclass, oid, 0, coalesce(nspacl, acldefault('n', nspowner)), nspowner from pg_namespace
  union all
  select case relkind when 'S' then 'sequence ' else '' end, oid::regclass::text, 'pg_class'::regclass, oid, 0,
    coalesce(relacl, acldefault(case relkind when 'S' then 's' else 'r' end::"char", relowner)), relowner
    from pg_class where relkind in ('r', 'p', 'v', 'm', 'f', 'S')
  union all
  select '', format('%s (%s)', attrelid::regclass, attname), 'pg_class'::regclass, attrelid, attnum, attacl, relowner
    from pg_attribute join pg_class c on c.oid = attrelid where attacl is not null
  union all
  select 'function ', oid::regprocedure::text, 'pg_proc'::regclass, oid, 0, coalesce(proacl, acldefault('f', proowner)), proowner from pg_proc
  union all
  select 'type ', oid::regtype::text, 'pg_type'::regclass, oid, 0, typacl, typowner from pg_type where typacl is not null
  union all
  select 'language ', lanname::text, 'pg_language'::regclass, oid, 0, coalesce(lanacl, acldefault('l', lanowner)), lanowner from pg_language
  union all
  select 'database', '', 'pg_database'::regclass, oid, 0, coalesce(datacl, acldefault('d', datdba)), datdba
    from pg_database where datname = current_database()
  union all
  select 'large object ', oid::text, 'pg_largeobject_metadata'::regclass, oid, 0, lomacl, lomowner from pg_largeobject_metadata
  union all
  select 'foreign server ', srvname::text, 'pg_foreign_server'::regclass, oid, 0, srvacl, srvowner from pg_foreign_server
  union all
  select 'parameter ', parname, 'pg_parameter_acl'::regclass, oid, 0, paracl, 10 from pg_parameter_acl
  union all
  select 'whatever is made later: ', concat_ws(' ', defaclobjtype::text, defaclnamespace::regnamespace::text), 'pg_default_acl'::regclass, oid, 0,
    defaclacl, defaclrole from pg_default_acl
), granted as (
  select kind, name, class, id, sub, owner, x.grantee, x.privilege_type as verb, x.is_grantable from object, aclexplode(acl) x where x.grantee <> owner
), made as ( -- how PostgreSQL's own objects were made
  select objoid as id, classoid as class, objsubid as sub, x.grantee, x.privilege_type as verb from pg_init_privs, aclexplode(initprivs) x
  union all
  select oid, 'pg_proc'::regclass, 0, 0, 'EXECUTE' from pg_proc where oid < 16384 and not exists (
    select from pg_init_privs where objoid = pg_proc.oid and classoid = 'pg_proc'::regclass)
  union all
  select oid, 'pg_language'::regclass, 0, 0, 'USAGE' from pg_language where oid < 16384
)
select format('%s: %s on %s%s', case grantee when 0 then 'PUBLIC' else pg_get_userbyid(grantee) end, lower(verb),
  rtrim(kind || name), case when is_grantable then ' with grant option' end) as line
from granted left join made using (id, class, sub, grantee, verb)
where (made.id is null or granted.id >= 16384 or kind = 'database')
  and name !~ '^pg_temp_' and not (grantee = 0 and name ~ '^information_schema' and verb in ('SELECT', 'USAGE'))`

/** Both ways: what is there and not written, and what is written and not there. */
export function differences(written: Grants, live: Grants): string[] {
  return [
    ...[...live].filter(line => !written.has(line)).map(line => `not in roles.sql: ${line}`),
    ...[...written].filter(line => !live.has(line)).map(line => `not in the database: ${line}`),
  ].sort()
}
