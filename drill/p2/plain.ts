import { randomUUID } from 'node:crypto'
import type { Pool } from 'pg'
import { Pool as PgPool } from 'pg'
import { changesOf, type Pair, rowOf, tamper } from '../../test/support/tamper.ts'
import { canariesOf, type Person } from '../canaries.ts'
import { createEffects } from '../effect.ts'
import { type Colleague, staffCanaries } from '../people/staff.ts'
import { openPlain, type Plain } from '../plain/office.ts'
import { dump } from './dump.ts'

/** The same position, and the same steps as far as they mean something, against the plain baseline. */
export async function plainP2(admin: Pool, people: readonly Person[], staff: readonly Colleague[]) {
  const plain = await openPlain(admin, [...people, ...people, ...people], staff)
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
    const handed = people.map((_, at) => ({ id: plain.devices[at]!.id, texts: [staff[at]!.familyName] }))
    const known = [...people.flatMap(canariesOf), ...staffCanaries(staff)]
    const { found, links } = await dump(database, known, [...persons, ...handed], { files: false })

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
    const directory = await directoryOf(plain, database, staff)
    const effect = effects.violations(plain.devices).length
    return { loot: found.length, links: links.length, effect, member, directory }
  } finally {
    await plain.close()
    await database.end()
  }
}

/** Numbers are found by asking for them; and everybody gets the name of the next, which the administrator then reads. */
async function directoryOf(plain: Plain, database: PgPool, staff: readonly Colleague[]) {
  const guesses = staff.map(({ mobile }) => mobile)
  const { rows } = await database.query('select id from plain.person where mobile = any ($1)', [guesses])
  for (const [at, id] of plain.staff.entries())
    await database.query('update plain.person set family_name = $2 where id = $1', [
      ...[id, staff[(at + 1) % staff.length]!.familyName],
    ])
  const cookie = `session=${plain.cookie}`
  const people = await plain.ask<{ id: string; family_name: string }[]>('GET', '/api/people', {}, { cookie })
  const names = new Map(people.map(({ id, family_name }) => [id, family_name]))
  const shown = staff.filter(({ familyName }, at) => names.get(plain.staff[at]!) !== familyName).length
  return { shown, guessed: rows.length }
}
