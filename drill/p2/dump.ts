import type { Pool } from 'pg'
import { type Canary, type Loot, lootSearch } from '../loot.ts'

// What the database's superuser can read: every table as text, and every file of the server as bytes, the write-ahead log among them.

const FILE_PIECE = 32 * 1024 * 1024
const OVERLAP = 256

/** `links`: rows in which a device's id and something of its person stand together. */
export type Dumped = { found: Loot[]; links: string[]; bytes: number }

export async function dump(
  database: Pool,
  canaries: readonly Canary[],
  people: readonly { id: string; texts: string[] }[],
  { files = true }: { files?: boolean } = {},
): Promise<Dumped> {
  const loot = lootSearch(canaries)
  const links: string[] = []
  let bytes = 0
  for (const table of await tablesOf(database)) {
    const { rows } = await database.query(`select t::text as row from ${table} t`).catch(() => ({ rows: [] }))
    const text = rows.map(({ row }) => String(row)).join('\n')
    bytes += text.length
    loot.search(Buffer.from(text), table)
    for (const { row } of rows)
      for (const { id, texts } of people)
        if (row.includes(id) && texts.some(one => row.includes(one))) links.push(`${id} in ${table}`)
  }
  if (files)
    for await (const piece of filesOf(database)) {
      bytes += piece.bytes.length
      loot.search(piece.bytes, piece.path, Infinity)
    }
  return { found: loot.found, links: [...new Set(links)], bytes }
}

export async function tablesOf(database: Pool): Promise<string[]> {
  const { rows } = await database.query(
    `select format('%I.%I', n.nspname, c.relname) as name from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where c.relkind in ('r', 'p', 'm', 'v') and n.nspname !~ '^pg_toast' order by 1`,
  )
  return rows.map(({ name }) => name as string)
}

async function* filesOf(database: Pool): AsyncGenerator<{ path: string; bytes: Buffer }> {
  const folders = ['.']
  for (const folder of folders) {
    const { rows } = await database.query(
      `select name, (pg_stat_file($1 || '/' || name, true)).* from pg_ls_dir($1, true, false) as name`,
      [folder],
    )
    for (const { name, isdir, size } of rows) {
      const path = `${folder}/${name}`
      if (isdir) folders.push(path)
      else
        for (let at = 0; at < Number(size); at += FILE_PIECE - OVERLAP) {
          const read = await database
            .query('select pg_read_binary_file($1, $2, $3, true) as bytes', [path, at, FILE_PIECE])
            .catch(() => ({ rows: [] }))
          if (read.rows[0]?.bytes) yield { path, bytes: read.rows[0].bytes as Buffer }
        }
    }
  }
}
