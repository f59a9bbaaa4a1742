import { createFleet } from '../simulator/fleet.ts'
import type { Model } from '../simulator/person.ts'
import { type Installation, idOf, startInstallation } from '../test/support/installation.ts'
import { createOperator, type Operator } from '../test/support/operator.ts'
import { canariesOf, type Person, personOf, plant } from './canaries.ts'
import { createEffects, type Effects } from './effect.ts'
import type { Canary } from './loot.ts'
import { type Notices, openNotices } from './notice.ts'
import { judged, type Side } from './p2/sides.ts'

/** The real build in a home of its own, and what scores it. */
export type World = {
  installation: Installation
  owner: Operator
  notices: Notices
  effects: Effects
  stop(): Promise<void>
}
export type Say = (line: string) => void

export async function openWorld(options: Parameters<typeof startInstallation>[0] = {}): Promise<World> {
  const installation = await startInstallation(options)
  const owner = createOperator(installation)
  const notices = openNotices(installation.home, owner.trusted)
  return {
    installation,
    owner,
    notices,
    effects: createEffects(),
    async stop() {
      notices.close()
      await installation.stop()
    },
  }
}

export type Planted = Pick<Side, 'device' | 'id'> & { person: Person }

/** Devices of people who do not exist, enrolled with every right, who have told all that a device tells. */
export async function enrolPlanted({ owner }: Pick<World, 'owner'>, seed: string, models: Model[]): Promise<Planted[]> {
  const { profileUrl } = await owner.invite({ uses: models.length, tier: 'full' })
  const { devices } = await createFleet({ count: models.length, seed, models, parallel: 8 })
  return Promise.all(
    devices.map(async (device, at) => {
      const person = personOf(`${seed} ${at}`)
      plant(device, person)
      await device.enrol(profileUrl)
      if (device.state.model === 'mac') {
        await device.addUser()
        await device.setBootstrapToken()
      }
      return { device, id: idOf(device), person }
    }),
  )
}

/** An order that members really approved, known to the score. */
export async function approved(
  { owner, effects }: Pick<World, 'owner' | 'effects'>,
  wish: Parameters<Operator['order']>[0],
): Promise<string> {
  const order = await owner.order(wish)
  effects.approve(order, { type: wish.action, devices: wish.devices ?? [] })
  return order
}

export const canaries = (planted: readonly Planted[]): Canary[] => planted.flatMap(({ person }) => canariesOf(person))
export const allJudged = (sides: readonly Pick<Side, 'device' | 'id'>[]) => sides.map(judged)
