import { BulkheadError } from '../../base/errors.ts'
import { deviceAlias } from '../../trust/alias.ts'
import type { Tier } from '../../trust/invitation.ts'
import { rightsNeededBy, TIERS } from '../../wire/apple/rights.ts'
import type { PlistDict } from '../../wire/plist/plist.ts'
import { breathe, type Desk } from '../desk.ts'
import { certificates, resolveDevices } from '../devices/store.ts'
import { currentGroup, devicesOfGroup } from '../groups/store.ts'

export type Wanted = { devices?: string[] | undefined; group?: string | undefined; all?: true | undefined }
export type Target = { device: string; tier: Tier }
export type Targets = { targets: Target[]; group?: { id: string; version: number } }

/** The devices that are meant, sorted by id, with the tier of their verified vouchers. Throws NOT_FOUND, UNPROVEN, REFUSED. */
export async function resolveTargets(desk: Desk, wanted: Wanted): Promise<Targets> {
  const named = Number(wanted.devices !== undefined) + Number(wanted.group !== undefined) + Number(wanted.all === true)
  if (named !== 1)
    throw new BulkheadError('BAD_REQUEST', 'An order is for devices, for one group, or for all: one of them.')
  if (wanted.devices !== undefined) return { targets: await namedDevices(desk, wanted.devices) }
  if (wanted.group === undefined) return { targets: some(await proven(desk)) }
  const group = await currentGroup(desk, wanted.group)
  const targets = some(await proven(desk, await devicesOfGroup(desk, group)))
  return { targets, group: { id: group.id, version: group.version } }
}

/** Each device that was named must be enrolled and proven. */
async function namedDevices(desk: Desk, names: string[]): Promise<Target[]> {
  const devices = [...new Set(await resolveDevices(desk.db, names))]
  const targets = await proven(desk, devices)
  if (targets.length === devices.length) return targets
  const found = new Set(targets.map(({ device }) => device))
  const missing = devices.filter(device => !found.has(device))
  throw new BulkheadError(
    'REFUSED',
    `${count(missing.length)} not enrolled, or without a voucher that holds: ${first(missing)}.`,
    {
      remedy: 'Leave them out, or enrol them.',
    },
  )
}

/** Of a group or of all, those that are enrolled and proven: no other would take the command. */
async function proven(desk: Desk, devices?: string[]): Promise<Target[]> {
  const targets: Target[] = []
  for (const [at, row] of (await certificates(desk.db, devices === undefined ? {} : { devices })).entries()) {
    await breathe(at)
    const voucher = desk.vouchers(row)
    if (voucher) targets.push({ device: row.device_id, tier: voucher.tier })
    else desk.log.error('voucher.unproven', { device: row.device_id })
  }
  return targets.sort((a, b) => (a.device < b.device ? -1 : 1))
}

function some(targets: Target[]): Target[] {
  if (targets.length > 0) return targets
  throw new BulkheadError('NOT_FOUND', 'No enrolled device is meant by this.', { remedy: 'See: bulkhead device list' })
}

/** Throws RIGHT_MISSING where an enrolment does not allow the command: the device would refuse it. */
export function requireRights(targets: Target[], command: PlistDict) {
  const needed = rightsNeededBy(command)
  const lacking = targets.filter(({ tier }) => (needed & TIERS[tier]) !== needed).map(({ device }) => device)
  if (lacking.length === 0) return
  throw new BulkheadError(
    'RIGHT_MISSING',
    `The enrolment of ${lacking.length} of ${targets.length} devices does not allow this: ${first(lacking)}.`,
    { remedy: 'Leave them out. The rights of an enrolment cannot be widened, only a new enrolment can have more.' },
  )
}

const first = (devices: string[]) =>
  `${devices.slice(0, 5).map(deviceAlias).join(', ')}${devices.length > 5 ? ', …' : ''}`
const count = (devices: number) => (devices === 1 ? 'One device is' : `${devices} devices are`)
