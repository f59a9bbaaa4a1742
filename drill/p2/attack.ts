import { inParallel } from '../../simulator/fleet.ts'
import { type Change, changesOf, type Pair, rowOf, tamper } from '../../test/support/tamper.ts'
import { controlOf } from '../members.ts'
import type { World } from '../world.ts'
import { revivalsOf } from './pasts.ts'
import { type Plan, plansOf } from './plans.ts'
import { tables } from './rows.ts'
import { enrolledSides, judged, type Side } from './sides.ts'

// Every change to every column of the tables that are about a device's work, every plan, every revival: each to devices of its own, whose
// orders members really approved. Nothing is looked at before all of it was done.

type Case = { name: string; mine: Side; other: Side; attack: (mine: Side, other: Side) => Promise<unknown> }
export type Attacked = { sides: Side[]; names: string[]; untouched: Side[] }

const UNTOUCHED = 2

/** `columns`: also column by column; else the plans alone. */
export async function attackRows(world: World, { columns }: { columns: boolean }): Promise<Attacked> {
  const { installation, owner, effects } = world
  const { database } = installation
  const named: [string, Case['attack']][] = Object.entries(plansOf(database, owner))
  if (columns) named.push(...(await columnAttacks(world)))
  const sides = await knownSides(world, 2 * named.length + UNTOUCHED)
  const untouched = sides.splice(0, UNTOUCHED)
  const cases = named.map(([name, attack], at) => ({ name, attack, mine: sides[2 * at]!, other: sides[2 * at + 1]! }))
  const revived = await revive(world)
  await inParallel(cases, 8, ({ attack, mine, other }) => attack(mine, other))
  for (const { device } of sides) device.close()
  return { sides: [...sides, ...revived.sides], untouched, names: [...named.map(([name]) => name), ...revived.names] }

  async function columnAttacks(of: World): Promise<[string, Plan][]> {
    const [one, two] = (await knownSides(of, 2)) as [Side, Side]
    const found: [string, Plan][] = []
    for (const [table, { key, of: keyOf }] of Object.entries(tables)) {
      const row = (side: Side) => rowOf(database, table, key, keyOf(side))
      const changes: Change[] = await changesOf(database, table, [await row(one), await row(two)])
      for (const change of changes)
        found.push([
          `${table}: ${change.name}`,
          async (mine, other) => {
            const pair = (await Promise.all([mine, other].map(row))) as Pair
            return tamper(database, table, key, pair, change)
          },
        ])
    }
    return found
  }

  async function knownSides({ owner: by }: World, count: number): Promise<Side[]> {
    const made = await enrolledSides(by, count)
    for (const { order, wanted, words, id } of made) effects.approve(order, { type: wanted, words, devices: [id] })
    return made
  }

  async function revive(of: World): Promise<{ sides: Side[]; names: string[] }> {
    const revivals = Object.entries(revivalsOf(database))
    const made = await knownSides(of, revivals.length)
    const members = controlOf(of)
    await inParallel(revivals, 4, async ([, { past }], at) => {
      const side = made[at]!
      if (past === 'answered') await side.device.connect()
      else await members.cancel(side.order)
      effects.cancel(side.order, [judged(side)]) // nothing more may come of it
    })
    for (const [at, [, { revive: act }]] of revivals.entries()) await act(made[at]!)
    return { sides: made, names: revivals.map(([name]) => name) }
  }
}
