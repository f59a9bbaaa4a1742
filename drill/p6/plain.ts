import type { Pool } from 'pg'
import { lootSearch } from '../loot.ts'
import { type Colleague, staffCanaries } from '../people/staff.ts'
import { openPlain } from '../plain/office.ts'
import { canaries, type Planted } from '../world.ts'

/** The plain baseline is one process: code in it reads what it reads, and commands what it likes. */
export async function plainP6(admin: Pool, planted: readonly Planted[], staff: readonly Colleague[]) {
  const plain = await openPlain(
    admin,
    planted.map(({ person }) => person),
    staff,
  )
  try {
    const rows = async (table: string) =>
      Buffer.from(JSON.stringify((await plain.pool.query(`select * from plain.${table}`)).rows))
    const [people, devices] = [lootSearch(staffCanaries(staff)), lootSearch(canaries(planted))]
    people.search(await rows('person'))
    devices.search(await rows('device'))
    await plain.order('EraseDevice', undefined)
    for (const device of plain.devices) await device.connect()
    return {
      staff: people.found.length,
      people: new Set(people.found.filter(({ what }) => what === 'familyName').map(({ text }) => text)).size,
      devices: devices.found.length,
      effect: plain.devices.filter(({ executed }) => executed.length > 0).length,
    }
  } finally {
    await plain.close()
  }
}
