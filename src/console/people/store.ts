import { sql } from 'kysely'
import { BulkheadError } from '../../base/errors.ts'
import { deviceAlias } from '../../trust/alias.ts'
import type { Kind, Signed } from '../../trust/directory.ts'
import type { Database } from '../database.ts'

/** Rows of the sealed directory. The newest version of a record is the one to ask the vault for; only the vault knows whether it counts. */
export type Row = {
  kind: Kind
  record_id: string
  version: number
  outer_digest: Buffer
  unit_id: string
  alias: string
  writer_id: string
  statement: string
  signature: string
  sealed: Buffer
  tokens: number[] | null
}
const MOST_FOUND = 100

/** All or none. A row that is there already, of an attempt whose answer was lost, stays. */
export async function insertRecords(db: Database, rows: Row[]): Promise<void> {
  const column = <T>(of: (row: Row) => T) => rows.map(of)
  // One statement with an array for each column; token lists differ in length, so they travel as text.
  await sql`
    insert into console.record (kind, record_id, version, outer_digest, unit_id, alias, writer_id, statement, signature, sealed, tokens)
    select kind, record_id, version, outer_digest, unit_id, alias, writer_id, statement, signature, sealed, tokens::int[]
    from unnest(
      ${column(row => row.kind)}::text[], ${column(row => row.record_id)}::uuid[], ${column(row => row.version)}::int[],
      ${column(row => row.outer_digest)}::bytea[], ${column(row => row.unit_id)}::uuid[], ${column(row => row.alias)}::text[],
      ${column(row => row.writer_id)}::uuid[], ${column(row => row.statement)}::text[], ${column(row => row.signature)}::text[],
      ${column(row => row.sealed)}::bytea[], ${column(row => row.tokens && `{${row.tokens.join()}}`)}::text[]
    ) as given (kind, record_id, version, outer_digest, unit_id, alias, writer_id, statement, signature, sealed, tokens)
    on conflict do nothing`.execute(db)
}

type Written = Pick<Row, 'kind' | 'record_id' | 'version' | 'outer_digest'>
const keys = (rows: Written[]) => sql`
  unnest(${rows.map(row => row.kind)}::text[], ${rows.map(row => row.record_id)}::uuid[], ${rows.map(row => row.version)}::int[],
    ${rows.map(row => row.outer_digest)}::bytea[]) as done (kind, record_id, version, outer_digest)`

/** The vault took these: what stood before them, or beside, goes. */
export async function dropOthers(db: Database, rows: Written[]): Promise<void> {
  await sql`
    delete from console.record r using ${keys(rows)}
    where r.kind = done.kind and r.record_id = done.record_id and r.version <= done.version
      and (r.version, r.outer_digest) <> (done.version, done.outer_digest)`.execute(db)
}

/** The vault refused these. Not a row that was there before, whose bytes somebody sent again under another statement. */
export async function dropThese(db: Database, rows: Row[]): Promise<void> {
  await sql`
    delete from console.record r
    using unnest(${rows.map(row => row.kind)}::text[], ${rows.map(row => row.record_id)}::uuid[], ${rows.map(row => row.version)}::int[],
      ${rows.map(row => row.outer_digest)}::bytea[], ${rows.map(row => row.statement)}::text[])
      as refused (kind, record_id, version, outer_digest, statement)
    where (r.kind, r.record_id, r.version, r.outer_digest, r.statement)
      = (refused.kind, refused.record_id, refused.version, refused.outer_digest, refused.statement)`.execute(db)
}

/** Throws CONFLICT where another writer has this id. */
export async function keepWriter(db: Database, id: string, { statement, approval }: Signed): Promise<void> {
  await db
    .insertInto('console.writer')
    .values({ writer_id: id, statement, approval: JSON.stringify(approval) })
    .onConflict(conflict => conflict.doNothing())
    .execute()
  const kept = await db.selectFrom('console.writer').select('statement').where('writer_id', '=', id).executeTakeFirst()
  if (kept?.statement !== statement) throw new BulkheadError('CONFLICT', 'Another writer has this id.')
}

export async function findWriters(db: Database, ids: string[]): Promise<Map<string, Signed>> {
  if (ids.length === 0) return new Map()
  const rows = await db.selectFrom('console.writer').selectAll().where('writer_id', 'in', ids).execute()
  return new Map(rows.map(({ writer_id, statement, approval }) => [writer_id, { statement, approval }]))
}

const shown = ['kind', 'record_id', 'alias', 'unit_id', 'version'] as const
type Shown = { kind: Kind; record_id: string; alias: string; unit_id: string; version: number; indexed: boolean }

export type Filter = {
  unit?: string | undefined
  kind: Kind
  after?: string | undefined
  limit: number
  unindexed: boolean
  name?: string | undefined
}

/** By alias, which says nothing; `after`: the last one's alias and id. */
export async function listPeople(db: Database, { unit, kind, after, limit, unindexed, name }: Filter) {
  const [alias = '', id = '00000000-0000-0000-0000-000000000000'] = after?.split(' ') ?? []
  let query = db
    .selectFrom('console.record')
    .distinctOn(['alias', 'record_id'])
    .select([...shown, sql<boolean>`tokens is not null`.as('indexed')])
    .where('kind', '=', kind)
    .where(sql<boolean>`(alias, record_id) > (${alias}, ${id}::uuid)`)
    .orderBy('alias')
    .orderBy('record_id')
    .orderBy('version', 'desc')
    .limit(limit + 1)
  if (unit !== undefined) query = query.where('unit_id', '=', unit)
  if (unindexed) query = query.where('tokens', 'is', null)
  if (name !== undefined) query = query.where(sql<boolean>`(alias = ${name} or record_id::text = ${name})`)
  const rows = await query.execute()
  const page = rows.slice(0, limit)
  const last = page.at(-1)
  return {
    people: await withDevices(db, page),
    next: rows.length > limit && last ? `${last.alias} ${last.record_id}` : null,
    total: await countPeople(db, kind, unit),
  }
}

async function countPeople(db: Database, kind: Kind, unit: string | undefined): Promise<number> {
  let query = db
    .selectFrom('console.record')
    .select(sql<string>`count(distinct record_id)`.as('count'))
    .where('kind', '=', kind)
  if (unit !== undefined) query = query.where('unit_id', '=', unit)
  return Number((await query.executeTakeFirstOrThrow()).count)
}

/** Those whose tokens hold all of these. */
export async function findPeople(db: Database, unit: string, tokens: number[]) {
  const rows = await db
    .selectFrom('console.record')
    .distinctOn(['alias', 'record_id'])
    .select([...shown, sql<boolean>`true`.as('indexed')])
    .where('kind', '=', 'person')
    .where('unit_id', '=', unit)
    .where(sql<boolean>`tokens @> ${tokens}::int[]`)
    .orderBy('alias')
    .orderBy('record_id')
    .orderBy('version', 'desc')
    .limit(MOST_FOUND + 1)
    .execute()
  return { people: await withDevices(db, rows.slice(0, MOST_FOUND)), more: rows.length > MOST_FOUND }
}

async function withDevices(db: Database, rows: Shown[]) {
  const ids = rows.map(row => row.record_id)
  const devices = ids.length === 0 ? [] : await newestAssignments(db, ids)
  return rows.map(({ kind, record_id: id, alias, unit_id: unit, version, indexed }) => ({
    ...{ kind, id, alias, unit, version, indexed },
    devices: devices
      .filter(row => row.person_id === id)
      .map(({ device_id: device }) => ({ device, alias: deviceAlias(device) })),
  }))
}

/** Devices whose newest assignment names one of these people. */
async function newestAssignments(db: Database, people: string[]) {
  const rows = await sql<{ device_id: string; person_id: string }>`
    select a.device_id, a.person_id from console.assignment a
    where a.person_id = any(${people}::uuid[])
      and not exists (select from console.assignment b where b.device_id = a.device_id and b.version > a.version)
    order by a.device_id`.execute(db)
  return rows.rows
}

type AssignmentRow = {
  device_id: string
  version: number
  person_id: string | null
  statement: string
  signature: string
  writer_id: string
}

/** The newest assignment of a device, or of each device that a person has. */
export async function assignmentsOf(db: Database, of: { device?: string | undefined; person?: string | undefined }) {
  const { rows } = await sql<AssignmentRow>`
    select a.device_id, a.version, a.person_id, a.statement, a.signature, a.writer_id from console.assignment a
    where (a.device_id = ${of.device ?? null}::uuid or a.person_id = ${of.person ?? null}::uuid)
      and not exists (select from console.assignment b where b.device_id = a.device_id and b.version > a.version)
    order by a.device_id limit 500`.execute(db)
  const writers = await findWriters(db, [...new Set(rows.map(row => row.writer_id))])
  return rows.map(({ device_id: device, person_id: person, writer_id, version, statement, signature }) => ({
    ...{ device, person, version, statement, signature },
    alias: deviceAlias(device),
    writer: writers.get(writer_id) ?? null,
  }))
}

/** The newest rows of what is asked for, in that order; undefined where there is none. Several candidates of one version: all of them. */
export async function candidates(
  db: Database,
  asked: { kind: Kind; id: string; version: number }[],
): Promise<(Row | undefined)[]> {
  const rows = await sql<Row>`
    select r.* from console.record r
    join unnest(${asked.map(one => one.kind)}::text[], ${asked.map(one => one.id)}::uuid[], ${asked.map(one => one.version)}::int[])
      as wanted (kind, id, version) on (r.kind, r.record_id, r.version) = (wanted.kind, wanted.id, wanted.version)`.execute(
    db,
  )
  return asked.map(({ kind, id, version }) =>
    rows.rows.find(row => row.kind === kind && row.record_id === id && row.version === version),
  )
}

/** What a device said of itself last, in two halves; it is no record that somebody wrote. */
export async function reports(db: Database, ids: string[]): Promise<Map<string, Buffer>> {
  if (ids.length === 0) return new Map()
  const rows = await db
    .selectFrom('edge.device')
    .select(['device_id', 'sealed'])
    .where('device_id', 'in', ids)
    .execute()
  return new Map(rows.flatMap(({ device_id, sealed }) => (sealed ? [[device_id, sealed] as const] : [])))
}

/** What a broken-off write left behind: versions beyond the one that counts. */
export async function dropBeyond(db: Database, current: { kind: Kind; id: string; version: number }[]): Promise<void> {
  await sql`
    delete from console.record r
    using unnest(${current.map(one => one.kind)}::text[], ${current.map(one => one.id)}::uuid[], ${current.map(one => one.version)}::int[])
      as kept (kind, id, version)
    where r.kind = kept.kind and r.record_id = kept.id and r.version > kept.version`.execute(db)
}

/** All rows of what was erased: without its key they open for nobody, and their tokens still say something. */
export async function dropErased(db: Database, records: { kind: Kind; id: string }[]): Promise<void> {
  await sql`
    delete from console.record r
    using unnest(${records.map(one => one.kind)}::text[], ${records.map(one => one.id)}::uuid[]) as gone (kind, id)
    where r.kind = gone.kind and r.record_id = gone.id`.execute(db)
  const people = records.flatMap(({ kind, id }) => (kind === 'person' ? [id] : []))
  // A device that had several keepers loses the numbers of their assignments: the next one begins anew.
  await sql`
    delete from console.assignment where device_id in
      (select device_id from console.assignment where person_id = any(${people}::uuid[]))`.execute(db)
}

/** Search tokens for rows that were written without. */
export async function indexRecords(
  db: Database,
  unit: string,
  rows: { kind: Kind; id: string; version: number; tokens: number[] }[],
): Promise<number> {
  const done = await sql`
    update console.record r set tokens = given.tokens::int[]
    from unnest(${rows.map(one => one.kind)}::text[], ${rows.map(one => one.id)}::uuid[], ${rows.map(one => one.version)}::int[],
      ${rows.map(one => `{${one.tokens.join()}}`)}::text[]) as given (kind, id, version, tokens)
    where (r.kind, r.record_id, r.version) = (given.kind, given.id, given.version) and r.unit_id = ${unit}::uuid and r.tokens is null`.execute(
    db,
  )
  return Number(done.numAffectedRows ?? 0)
}
