import { randomUUID } from 'node:crypto'
import type { Executed } from '../../simulator/connecting.ts'
import type { Device } from '../../simulator/device.ts'
import { createFleet, inParallel } from '../../simulator/fleet.ts'
import { encodeXmlPlist, type PlistInput } from '../../src/wire/plist/plist.ts'
import { idOf } from '../../test/support/installation.ts'
import type { Operator, Wish } from '../../test/support/operator.ts'
import type { Judged } from '../effect.ts'

/** A device with an order for it alone, which is approved and waits. `words` stand in the command and in no other. */
export type Side = { device: Device; id: string; order: string; wanted: string; words: string }

/** Settings, a sealed profile, and a question: what one member may approve, so that no budget is in the way. */
function wishFor(id: string, at: number): Wish & { words: string } {
  const words = `for ${id}`
  if (at % 2 === 1) return { action: 'ProfileList', devices: [id], words: '' }
  const made =
    at % 4 === 0 ? { action: 'InstallProfile', body: wifi(words) } : { action: 'Settings', body: named(words) }
  return { ...made, devices: [id], words }
}

const base64 = (value: PlistInput) => Buffer.from(encodeXmlPlist(value)).toString('base64')
const named = (name: string) =>
  base64({ RequestType: 'Settings', Settings: [{ Item: 'DeviceName', DeviceName: name }] })

/** It holds a password, so the console seals the body to the edge. */
function wifi(name: string): string {
  const payload = (type: string) => ({
    PayloadType: type,
    PayloadVersion: 1,
    PayloadUUID: randomUUID().toUpperCase(),
    PayloadIdentifier: `example.${type}`,
  })
  const network = {
    ...payload('com.apple.wifi.managed'),
    ...{ SSID_STR: name, HIDDEN_NETWORK: false, AutoJoin: true, EncryptionType: 'WPA2', Password: 'correct horse' },
  }
  return base64({ ...payload('Configuration'), PayloadDisplayName: name, PayloadContent: [network] })
}

/** Enrols so many devices, each with an order of its own. */
export async function enrolledSides(
  owner: Operator,
  count: number,
  tier: 'private' | 'full' = 'private',
): Promise<Side[]> {
  const { profileUrl } = await owner.invite({ uses: count, tier })
  const fleet = await createFleet({ count, seed: `sides ${randomUUID()}`, parallel: 16 })
  await fleet.enrolAll(profileUrl)
  const sides: Side[] = []
  await inParallel(fleet.devices, 16, async (device, at) => {
    const id = idOf(device)
    const { words, ...wish } = wishFor(id, at)
    sides[at] = { device, id, words, wanted: wish.action, order: await owner.order(wish) }
  })
  return sides
}

/** All text of a command, that within its profile too. */
export function wordsOf({ keys }: Pick<Executed, 'keys'>): string {
  return JSON.stringify(keys, (_, value) => {
    if (value instanceof Uint8Array) return Buffer.from(value).toString('utf8')
    return value?.type === 'Buffer' ? Buffer.from(value.data).toString('utf8') : value
  })
}

export const judged = ({ device, id }: Pick<Side, 'device' | 'id'>): Judged => ({
  id,
  executed: device.executed.map(one => ({ uuid: one.commandUuid, type: one.requestType, words: wordsOf(one) })),
})
