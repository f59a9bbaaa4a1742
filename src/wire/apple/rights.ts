/**
 * AccessRights: what an enrolment lets the server do, enforced by the device itself. The values are generated from
 * Apple's schema; where the schema and the protocol reference disagree, the stricter one holds.
 */
import type { PlistDict } from '../plist/plist.ts'
import { isDict, own, stringAt } from './dict.ts'
import { ACCESS_RIGHTS, COMMANDS, type CommandFact, type Key, QUERIES } from './facts.generated.ts'

export { ACCESS_RIGHTS }

/** The rights of each tier. They can be narrowed in an enrolment, never widened. */
export const TIERS = {
  full: 8191,
  'no-wipe': 8191 - ACCESS_RIGHTS.AllowDeviceErase,
  private: 8191 - ACCESS_RIGHTS.AllowDeviceErase - ACCESS_RIGHTS.AllowQueryNetworkInformation,
} as const
export type Tier = keyof typeof TIERS

const { AllowQueryDeviceInformation, AllowQueryNetworkInformation } = ACCESS_RIGHTS

/** The schema calls DeviceInformation a special case, because a few of its queries need no right. */
const STRICTER_COMMANDS = new Map<string, number>([['DeviceInformation', AllowQueryDeviceInformation]])

/** The schema's table names the network right for PersonalHotspot only, its text for all four. */
const STRICTER_SETTINGS = new Map<string, number>([
  ['Bluetooth', AllowQueryNetworkInformation],
  ['DataRoaming', AllowQueryNetworkInformation],
  ['PersonalHotspot', AllowQueryNetworkInformation],
  ['VoiceRoaming', AllowQueryNetworkInformation],
])

const commands = new Map(COMMANDS.map(fact => [fact.requestType, fact]))
const queries = new Map(QUERIES.map(fact => [fact.name, union(Object.values(fact.rights))]))
const settings = new Map(settingRights(commands.get('Settings')))

/**
 * The sum of the rights that a command of this type needs on any platform, because the
 * order does not say which one it meets. 0 where none is needed, and for an unknown type: its class is `destroy`, and
 * the device is the judge of it.
 */
export function rightsNeeded(requestType: string): number {
  const platforms = Object.values(commands.get(requestType)?.platforms ?? {})
  return union(platforms.map(on => on?.rights ?? 0)) | (STRICTER_COMMANDS.get(requestType) ?? 0)
}

/** What one command needs: `rightsNeeded` and the rights of what it asks (queries) or sets (items of Settings). */
export function rightsNeededBy(command: PlistDict): number {
  const type = stringAt(command, 'RequestType') ?? ''
  if (type === 'DeviceInformation')
    return rightsNeeded(type) | sumOver(own(command, 'Queries'), name => queries.get(String(name)))
  if (type === 'Settings')
    return (
      rightsNeeded(type) | sumOver(own(command, 'Settings'), item => isDict(item) && settings.get(String(item.Item)))
    )
  return rightsNeeded(type)
}

/** The DeviceInformation queries that a device of this tier answers, on whatever platform. */
export function allowedQueries(tier: Tier): string[] {
  return [...queries].filter(([, needed]) => (needed & TIERS[tier]) === needed).map(([name]) => name)
}

function settingRights(fact: CommandFact | undefined): [string, number][] {
  const items: readonly Key[] = fact?.keys.find(key => key.name === 'Settings')?.keys ?? []
  return items.map(item => [item.name, (item.rights ?? 0) | (STRICTER_SETTINGS.get(item.name) ?? 0)])
}

function sumOver<T>(list: T | T[] | undefined, right: (item: T) => number | false | undefined): number {
  return Array.isArray(list) ? union(list.map(item => right(item) || 0)) : 0
}

function union(rights: readonly (number | null)[]): number {
  return rights.reduce<number>((sum, right) => sum | (right ?? 0), 0)
}
