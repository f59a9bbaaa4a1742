import type { Pool } from 'pg'
import { Pool as PgPool } from 'pg'
import { dump } from '../p2/dump.ts'
import { type Colleague, staffCanaries } from '../people/staff.ts'
import { openPlain } from '../plain/office.ts'

/** The same people deleted from the plain baseline, whose server's files are then read. `admin`: the server's superuser. */
export async function plainErase(admin: Pool, staff: readonly Colleague[], count: number) {
  const plain = await openPlain(admin, [], staff)
  const { host, port, user, password } = admin.options as unknown as Record<string, string>
  const database = new PgPool({ host, port: Number(port), user, password, database: 'plain', max: 2 })
  try {
    const cookie = `session=${plain.cookie}`
    for (const id of plain.staff.slice(0, count)) await plain.ask('POST', '/api/people/erase', { id }, { cookie })
    const erased = staff.slice(0, count)
    const { found } = await dump(database, staffCanaries(erased), [], { files: true })
    const texts = new Set(found.map(({ text }) => text))
    return { loot: found.length, rows: erased.filter(({ familyName }) => texts.has(familyName)).length }
  } finally {
    await plain.close()
    await database.end()
  }
}
