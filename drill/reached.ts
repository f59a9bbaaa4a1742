import { accessSync, constants, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Pool } from 'pg'

// What a compartment's user and database role reach, tried out by a script in its place.

/** Every column that the role may read, as text. */
export async function columnsRead(database: Pool): Promise<string[]> {
  const { rows } = await database.query(
    `select table_schema as schema, table_name as table, column_name as column from information_schema.columns
     where table_schema in ('console', 'edge', 'vault', 'watch')`,
  )
  const found: string[] = []
  for (const { schema, table, column } of rows as { schema: string; table: string; column: string }[]) {
    const from = `${quoted(schema)}.${quoted(table)}`
    const read = await database
      .query(`select ${quoted(column)}::text as text from ${from}`)
      .catch(() => ({ rows: [] as { text: string }[] }))
    for (const { text } of read.rows) found.push(`${schema}.${table}.${column}: ${text}`)
  }
  return found
}
const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`

/** Files that this user reads or writes, and sockets and folders that it could put its own in, in a folder. */
export function filesReached(folder: string, mode: 'read' | 'write'): string[] {
  const found = statSync(folder, { throwIfNoEntry: false })
  if (!found) return []
  const wanted = mode === 'write' || found.isSocket() ? constants.W_OK : constants.R_OK
  const mine = mode === 'read' && found.isDirectory() ? [] : allowed(folder, wanted) ? [folder] : []
  if (!found.isDirectory() || !allowed(folder, constants.R_OK | constants.X_OK)) return mine
  return [...mine, ...readdirSync(folder).flatMap(name => filesReached(join(folder, name), mode))]
}

function allowed(path: string, mode: number): boolean {
  try {
    accessSync(path, mode)
    return true
  } catch {
    return false
  }
}
