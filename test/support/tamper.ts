import type { Pool } from 'pg'

/**
 * What an intruder who owns the database can do to two rows, generated from the columns that the table has now: a column that is
 * added is covered by itself, and one of a type that is unknown here fails until somebody says what to try on it.
 */
export type Row = Record<string, unknown>
export type Pair = [mine: Row, other: Row]
/** The rows as they shall be; undefined: there is nothing to change. */
export type Change = { name: string; column: string | null; apply(pair: Pair): Row[] | undefined }
type Column = { name: string; type: string; words: string[] }

export async function columnsOf(database: Pool, table: string): Promise<Column[]> {
  const { rows } = await database.query<{ name: string; type: string; checks: string | null }>(
    `select a.attname as name, format_type(a.atttypid, null) as type,
       (select string_agg(pg_get_constraintdef(c.oid), ' ') from pg_constraint c where c.conrelid = a.attrelid and c.contype = 'c' and a.attnum = any (c.conkey)) as checks
     from pg_attribute a where a.attrelid = $1::regclass and a.attnum > 0 and not a.attisdropped order by a.attnum`,
    [table],
  )
  return rows.map(({ name, type, checks }) => ({
    name,
    type,
    words: [...(checks ?? '').matchAll(/'([a-z-]+)'::text/g)].map(([, word]) => word!),
  }))
}

/** Every change to a table: each column swapped, copied and edited, each key of a statement in it too, and the row deleted. */
export async function changesOf(database: Pool, table: string, pair: Pair): Promise<Change[]> {
  const columns = await columnsOf(database, table)
  return [
    { name: 'the row is deleted', column: null, apply: ([, other]) => [other] },
    ...columns.flatMap(column => changesOfColumn(column, pair)),
  ]
}

function changesOfColumn(column: Column, [mine]: Pair): Change[] {
  const { name } = column
  const put = (how: string, value: (mine: unknown, other: unknown) => unknown): Change => ({
    name: `${name} is ${how}`,
    column: name,
    apply: ([mine, other]) => {
      const next = value(mine[name], other[name])
      return JSON.stringify(next) === JSON.stringify(mine[name]) ? undefined : [{ ...mine, [name]: next }, other]
    },
  })
  const swap: Change = {
    name: `${name} is swapped`,
    column: name,
    apply: ([mine, other]) =>
      JSON.stringify(mine[name]) === JSON.stringify(other[name])
        ? undefined
        : [
            { ...mine, [name]: other[name] },
            { ...other, [name]: mine[name] },
          ],
  }
  const edits = editsOf(column).map((edit, at) => put(`edited (${at + 1})`, edit))
  return [swap, put('copied from another row', (_, other) => other), ...edits, ...keysIn(mine[name], put)]
}

type Edit = (mine: unknown, other: unknown) => unknown
function editsOf({ name, type, words }: Column): Edit[] {
  if (words.length > 0) return words.map(word => () => word)
  if (type === 'uuid') return [() => crypto.randomUUID()]
  if (type === 'text') return [mine => `${mine}x`]
  if (type === 'boolean') return [mine => !mine]
  if (type === 'integer' || type === 'bigint') return [mine => Number(mine) + 1]
  if (type === 'timestamp with time zone') return [() => '2020-01-01T00:00:00Z', () => '2090-01-01T00:00:00Z']
  if (type === 'uuid[]')
    return [() => [], (mine, other) => [...new Set([...(mine as string[]), ...(other as string[])])]]
  if (type === 'bytea') return [flipped, () => '\\x']
  if (type === 'jsonb') return [() => ({})]
  throw new Error(`What an intruder would write into ${name} of type ${type} is not said here.`)
}

const flipped: Edit = mine => {
  const bytes = Buffer.from(String(mine).slice(2), 'hex')
  if (bytes.length > 0) bytes[bytes.length >> 1]! ^= 1
  return `\\x${bytes.toString('hex')}`
}

/** Keys of a JSON object that stands in the column, as text or as jsonb: each gets the other row's value, or one of its own making. */
function keysIn(value: unknown, put: (how: string, edit: Edit) => Change): Change[] {
  const object = parsed(value)
  const back = (changed: Row) => (typeof value === 'string' ? JSON.stringify(changed) : changed)
  return Object.keys(object).flatMap(key => [
    put(`given another's ${key}`, (mine, other) => back({ ...parsed(mine), [key]: parsed(other)[key] })),
    put(`given a ${key} of the intruder's making`, mine => back({ ...parsed(mine), [key]: made(parsed(mine)[key]) })),
  ])
}

function parsed(value: unknown): Row {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Row
  if (typeof value !== 'string' || !value.startsWith('{')) return {}
  return JSON.parse(value) as Row
}

const TIERS = ['private', 'no-wipe', 'full']
function made(value: unknown): unknown {
  if (typeof value === 'number') return value + 1
  if (typeof value === 'boolean') return !value
  if (Array.isArray(value)) return []
  if (TIERS.includes(String(value))) return 'full'
  return typeof value === 'string' ? `${value.slice(0, -1)}${value.endsWith('0') ? '1' : '0'}` : null
}

/** Puts the changed rows in place of the pair. False where the table itself refuses them. */
export async function tamper(database: Pool, table: string, key: string, pair: Pair, change: Change): Promise<boolean> {
  const next = change.apply(pair)
  if (!next) return false
  const client = await database.connect()
  try {
    await client.query("begin; set local session_replication_role = 'replica'") // no foreign keys for who owns the database
    for (const row of pair) await client.query(`delete from ${table} where ${key}::text = $1`, [String(row[key])])
    for (const row of next)
      await client.query(
        `insert into ${table} overriding system value select * from jsonb_populate_record(null::${table}, $1)`,
        [JSON.stringify(row)],
      )
    await client.query('commit')
    return true
  } catch {
    await client.query('rollback')
    return false
  } finally {
    client.release()
  }
}

/** The row of a table whose `key` is this, as JSON. */
export async function rowOf(database: Pool, table: string, key: string, value: string): Promise<Row> {
  const { rows } = await database.query(`select to_jsonb(t) as row from ${table} t where ${key}::text = $1`, [value])
  if (rows.length !== 1) throw new Error(`${rows.length} rows of ${table} with ${key} ${value}.`)
  return rows[0].row as Row
}
