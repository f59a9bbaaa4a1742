import { randomUUID } from 'node:crypto'
import { BulkheadError } from '../base/errors.ts'
import type { DevicePage, Group, GroupLine } from '../console/api.ts'
import { deviceAlias } from '../trust/alias.ts'
import { countApprovals } from '../trust/approval.ts'
import { canonical } from '../trust/canonical.ts'
import { decodeGroup, type GroupVersion, groupDigest } from '../trust/order.ts'
import { strictest } from '../trust/policy.ts'
import { passkeysOf, type Trusted } from '../trust/roster.ts'
import { type Args, flag, needed } from './args.ts'
import { type ConsoleClient, consoleClient } from './client.ts'
import { findGroup } from './device.ts'
import { follow, openRoster } from './follow.ts'
import { say, show, table } from './output.ts'
import { approve, loadPasskey, memberOf } from './passkey.ts'

export async function run(args: Args): Promise<number> {
  const verb = args.command.split(' ')[1]
  if (verb === 'create') return create(args)
  if (verb === 'add' || verb === 'remove') return change(args, verb)
  return args.words[0] === undefined ? listAll(args) : listOne(args)
}

async function create(args: Args): Promise<number> {
  const first = { id: randomUUID(), alias: args.words[0]!, version: 0, previous: '', members: [] }
  return signVersion(args, await openRoster(args.home), first)
}

/** The next version, made from the newest one that a member approved; anew: of the devices that are named here, and no other. */
async function change(args: Args, verb: 'add' | 'remove'): Promise<number> {
  const { trusted, view } = await follow(args.home)
  const anew = flag(args, 'anew')
  const console = consoleClient(args.home)
  const [name, ...devices] = args.words
  const newest = await findGroup(console, name!)
  const before = anew
    ? onceApproved(newest, name!, view.control.versions, trusted)
    : verifiedGroup(newest, name!, trusted)
  const members = new Set(anew ? [] : before.members)
  for (const device of await Promise.all(devices.map(one => deviceId(console, one))))
    verb === 'add' ? members.add(device) : members.delete(device)
  if (!anew && members.size === before.members.length) say('Nothing changes: they are as they were.')
  return signVersion(args, trusted, {
    id: before.id,
    alias: before.alias,
    version: before.version + 1,
    previous: groupDigest(newest.statement, trusted).toString('hex'),
    members: [...members].sort(),
  })
}

/** The version that a member approved under this name; what else the console says of it is not looked at. Throws UNPROVEN. */
export function verifiedGroup(shown: Group, name: string, trusted: Trusted): GroupVersion {
  const group = decodeGroup(shown.statement)
  const digest = groupDigest(shown.statement, trusted)
  const { members } = countApprovals([shown.approval], digest, trusted, ['operator', 'approver'])
  if (members.length > 0 && (group.id === name || group.alias === name)) return group
  throw unapproved(name)
}

/** A version that somebody approved who was a member at some time: it says whose id and alias these are, and no more than that. */
function onceApproved(
  shown: Group,
  name: string,
  versions: readonly { roster: Trusted['roster'] }[],
  trusted: Trusted,
): GroupVersion {
  const was = versions.map(({ roster }) => ({
    ...trusted,
    roster,
    passkeys: passkeysOf(roster, () => 0),
    rules: strictest([roster.policy]),
  }))
  for (const then of was)
    try {
      return verifiedGroup(shown, name, then)
    } catch (error) {
      if (!(error instanceof BulkheadError) || error.code !== 'UNPROVEN') throw error
    }
  throw unapproved(name)
}

const unapproved = (name: string) =>
  new BulkheadError('UNPROVEN', `No member approved what the console shows as the group ${name}. Nothing was signed.`, {
    remedy: `Where whoever approved it has left the roster: see who was in it with bulkhead group list ${name}, and name all who are to be with bulkhead group add ${name} DEVICE … --anew --passkey FILE`,
  })

/** An alias follows from the id, so the console cannot pass off one device as another. */
async function deviceId(console: ConsoleClient, name: string): Promise<string> {
  const { device } = await console.get<DevicePage>(`/api/devices/${encodeURIComponent(name)}`)
  if (device === name || deviceAlias(device) === name) return device
  throw new BulkheadError('UNPROVEN', `The console shows another device for ${name}. Nothing was signed.`)
}

async function signVersion(args: Args, trusted: Trusted, version: Omit<GroupVersion, 'type' | 'at'>): Promise<number> {
  const passkey = loadPasskey(needed(args, 'passkey'))
  const member = memberOf(passkey, trusted)
  const statement = canonical({ ...version, type: 'bulkhead-group/v1', at: Math.floor(Date.now() / 1000) })
  decodeGroup(statement)
  const approval = approve(passkey, groupDigest(statement, trusted), trusted.roster)
  const stored = await consoleClient(args.home).post<GroupLine>('/api/groups', { statement, approval })
  const size = `${stored.devices} ${stored.devices === 1 ? 'device' : 'devices'}`
  say(`Version ${stored.version} of ${stored.alias}, ${size}, approved by ${member.alias}.`)
  return show(args, stored, () => `${stored.group}\n`)
}

async function listAll(args: Args): Promise<number> {
  const { groups } = await consoleClient(args.home).get<{ groups: GroupLine[] }>('/api/groups')
  return show(args, groups, () =>
    table(
      ['GROUP', 'VERSION', 'DEVICES', 'ID'],
      groups.map(({ alias, version, devices, group }) => [alias, version, devices, group]),
    ),
  )
}

async function listOne(args: Args): Promise<number> {
  const group = await findGroup(consoleClient(args.home), args.words[0]!)
  if (!group.approved) say('Whoever approved this version has left the roster. Nobody is in it; these were:')
  const listed = group.approved ? group.members : decodeGroup(group.statement).members
  const devices = listed.map(device => ({ device, alias: deviceAlias(device) }))
  return show(args, devices, () =>
    table(
      ['DEVICE', 'ID'],
      devices.map(({ alias, device }) => [alias, device]),
    ),
  )
}
