import { BulkheadError } from '../../base/errors.ts'
import type { Approval } from '../../trust/approval.ts'
import { countApprovals } from '../../trust/approval.ts'
import { decodeGroup, type GroupVersion, groupDigest } from '../../trust/order.ts'
import type { Trusted } from '../../trust/roster.ts'
import type { Database } from '../database.ts'
import type { Desk } from '../desk.ts'
import { certificates } from '../devices/store.ts'

/** Versions of groups, each a statement that a member approved. Whoever deletes the newest ends what a group is for; nobody can write one. */
export type GroupRow = { group_id: string; version: number; alias: string; statement: string; approval: Approval }
const columns = ['group_id', 'version', 'alias', 'statement', 'approval'] as const

export async function newestGroups(db: Database): Promise<GroupRow[]> {
  return db
    .selectFrom('console.group_version')
    .distinctOn('group_id')
    .select(columns)
    .orderBy('group_id')
    .orderBy('version', 'desc')
    .limit(10_000)
    .execute()
}

/** The newest version of a group by id or alias. Throws NOT_FOUND, AMBIGUOUS. */
export async function findGroup(db: Database, name: string): Promise<GroupRow> {
  const found = (await newestGroups(db)).filter(row => row.group_id === name || row.alias === name)
  if (found.length > 1)
    throw new BulkheadError('AMBIGUOUS', `${name} is ${found.length} groups.`, { remedy: 'Use its id.' })
  if (found[0]) return found[0]
  throw new BulkheadError('NOT_FOUND', `There is no group ${name}.`, { remedy: 'See: bulkhead group list' })
}

/** Throws UNPROVEN unless a member approved exactly this. */
export function verifyGroup(statement: string, approval: Approval, trusted: Trusted): GroupVersion {
  const group = decodeGroup(statement)
  const { members, refusals } = countApprovals([approval], groupDigest(statement, trusted), trusted, [
    'operator',
    'approver',
  ])
  if (members.length < 1)
    throw new BulkheadError('UNPROVEN', `The group's version is not approved. ${refusals.join(' ')}`)
  return group
}

/** The version in a row, which must be of the row's own group. Throws UNPROVEN: a group that was tampered with has no members at all. */
export function verifyGroupRow(row: GroupRow, trusted: Trusted): GroupVersion {
  return ownVersion(row, verifyGroup(row.statement, row.approval, trusted))
}

function ownVersion(row: GroupRow, group: GroupVersion): GroupVersion {
  if (group.id !== row.group_id || group.version !== row.version || group.alias !== row.alias)
    throw new BulkheadError('UNPROVEN', `The newest version of group ${row.group_id} is another's.`, {
      remedy: 'Put the row back from a backup.',
    })
  return group
}

/**
 * The newest version of a group by id or alias, which the ledger must know, by its digest, as the newest: whoever deletes rows rolls no
 * group back, and no second version takes the place of one that was. Throws NOT_FOUND, AMBIGUOUS, UNPROVEN.
 *
 * What remains: code in the console can append a leaf for a version that nobody made. The group is then unusable, and says which leaf
 * it is; it is never another group than its members approved.
 */
export async function currentGroup(desk: Desk, name: string): Promise<GroupVersion> {
  const { row } = await newestGroup(desk, name)
  return verifyGroupRow(row, desk.trusted)
}

/** The same, whether or not whoever approved it is still a member. */
export async function newestGroup(desk: Desk, name: string): Promise<{ row: GroupRow; group: GroupVersion }> {
  const row = await findGroup(desk.db, name)
  const group = await loggedGroup(desk, row)
  const next = await findLeaf(desk, group, group.version + 1)
  if (next)
    throw unproven(`Version ${group.version + 1} of group ${group.id} is in the ledger${of(next)} and not here.`)
  return { row, group }
}

/** A row's version as the ledger has it, which was approved when it was logged. What follows it may name it, and takes nothing over from it. */
export async function loggedGroup(desk: Desk, row: GroupRow): Promise<GroupVersion> {
  const group = ownVersion(row, decodeGroup(row.statement))
  const own = await findLeaf(desk, group, group.version)
  if (own?.digest !== groupDigest(row.statement, desk.trusted).toString('hex'))
    throw unproven(`Version ${group.version} of group ${group.id} is not the one in the ledger${of(own)}.`)
  return group
}

type Leaf = { index: number; digest: string }

async function findLeaf(desk: Desk, { id }: GroupVersion, version: number): Promise<Leaf | undefined> {
  const found = await desk.ledger.find({ log: 'main', unique: `group:${id}:${version}` })
  return found
    ? { index: found.index, digest: String((JSON.parse(found.entry) as { digest?: unknown }).digest) }
    : undefined
}

const of = (leaf: Leaf | undefined) => (leaf ? ` (entry ${leaf.index}, digest ${leaf.digest})` : '')
const unproven = (message: string) =>
  new BulkheadError('UNPROVEN', message, {
    remedy:
      'Put the row back from a backup. Where no member knows a version with this digest, the console was not itself: make a new group.',
  })

/** Enrolled devices of a group: the version's members, and those whose verified voucher names the group. */
export async function devicesOfGroup(desk: Desk, group: GroupVersion): Promise<string[]> {
  const devices = new Set(group.members)
  for (const row of await certificates(desk.db, { mentioning: group.id }))
    if (desk.vouchers(row)?.groups.includes(group.id)) devices.add(row.device_id)
  return [...devices]
}
