import type { Pool } from 'pg'
import { Pool as PgPool } from 'pg'
import { lootSearch } from '../loot.ts'
import { type Colleague, staffCanaries } from '../people/staff.ts'
import { openPlain } from '../plain/office.ts'

/** A dump of the plain baseline, and the people in it after they were deleted. `admin`: the server's superuser. */
export async function plainP7(admin: Pool, staff: readonly Colleague[], count: number) {
  const plain = await openPlain(admin, [], staff)
  const { host, port, user, password } = admin.options as unknown as Record<string, string>
  const database = new PgPool({ host, port: Number(port), user, password, database: 'plain', max: 2 })
  try {
    const { rows } = await database.query('select id, t::text as row from plain.person t')
    const cookie = `session=${plain.cookie}`
    for (const id of plain.staff.slice(0, count)) await plain.ask('POST', '/api/people/erase', { id }, { cookie })
    const loot = lootSearch(staffCanaries(staff))
    loot.search(Buffer.from(rows.map(({ row }) => String(row)).join('\n')))
    const read = (some: readonly Colleague[]) =>
      some.filter(({ familyName }) => rows.some(({ row }) => String(row).includes(familyName))).length
    return { loot: loot.found.length, people: read(staff), erased: read(staff.slice(0, count)) }
  } finally {
    await plain.close()
    await database.end()
  }
}
