import { randomUUID } from 'node:crypto'
import type { Pool } from 'pg'
import { Pool as PgPool } from 'pg'
import { changesOf, type Pair, rowOf, tamper } from '../../test/support/tamper.ts'
import { canariesOf, type Person } from '../canaries.ts'
import { createEffects } from '../effect.ts'
import { openPlain } from '../plain/office.ts'
import { dump } from './dump.ts'

/** The same position, and the same steps as far as they mean something, against the plain baseline. */
export async function plainP2(admin: Pool, people: readonly Person[]) {
  const plain = await openPlain(admin, [...people, ...people, ...people])
  const { host, port, user, password } = admin.options as unknown as Record<string, string>
  const database = new PgPool({ host, port: Number(port), user, password, database: 'plain', max: 2 })
  const effects = createEffects()
  try {
    for (const { id } of plain.devices)
      effects.approve(await plain.order('Settings', [id], `for ${id}`), {
        type: 'Settings',
        words: `for ${id}`,
        devices: [id],
      })
    const persons = people.map((person, at) => ({
      id: plain.devices[at]!.id,
      texts: [person.owner, person.email, person.phone],
    }))
    const { found, links } = await dump(database, people.flatMap(canariesOf), persons, { files: false })

    const [one, other] = plain.devices.map(({ id }) => id)
    const row = (id: string) => rowOf(database, 'plain.command', 'device_id', id)
    const pair = [await row(one!), await row(other!)] as Pair
    for (const change of await changesOf(database, 'plain.command', pair)) {
      const rows = (await Promise.all([one!, other!].map(row)).catch(() => undefined)) as Pair | undefined
      if (!rows) break
      await tamper(database, 'plain.command', 'uuid', rows, change)
    }
    const queue = (device: string, type: string) =>
      database.query('insert into plain.command values ($1, $2, $3, $4)', [randomUUID(), device, type, ''])
    for (const { id } of plain.devices) await queue(id, 'EraseDevice')
    for (const device of plain.devices) await device.connect()
    await database.query(`update plain.command set state = 'pending'`) // what was answered comes again
    for (const device of plain.devices) await device.connect()

    const cookie = randomUUID()
    await database.query('insert into plain.session values ($1, $2)', [cookie, 'admin'])
    const member = await plain.order('EraseDevice', undefined, '', cookie).then(
      () => 1,
      () => 0,
    )
    return { loot: found.length, links: links.length, effect: effects.violations(plain.devices).length, member }
  } finally {
    await plain.close()
    await database.end()
  }
}
