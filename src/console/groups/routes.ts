import { createRoute } from '@hono/zod-openapi'
import { BulkheadError } from '../../base/errors.ts'
import type { Approval } from '../../trust/approval.ts'
import { type GroupVersion, groupDigest } from '../../trust/order.ts'
import { groupLineOut, groupOut, groupsOut, signedIn } from '../api.ts'
import { appendLeaves, type Desk, requireOpen } from '../desk.ts'
import { type Api, answers, named, takes } from '../routing.ts'
import {
  devicesOfGroup,
  type GroupRow,
  loggedGroup,
  newestGroup,
  newestGroups,
  verifyGroup,
  verifyGroupRow,
} from './store.ts'

const list = createRoute({ method: 'get', path: '/api/groups', responses: answers(groupsOut) })
const show = createRoute({ method: 'get', path: '/api/groups/{name}', request: named, responses: answers(groupOut) })
const add = createRoute({
  method: 'post',
  path: '/api/groups',
  request: takes(signedIn),
  responses: answers(groupLineOut),
})

export function groupRoutes(api: Api, desk: Desk) {
  api.openapi(list, async context => {
    const rows = await newestGroups(desk.db)
    return context.json({ groups: await Promise.all(rows.map(row => lineOf(desk, row))) }, 200)
  })
  api.openapi(show, async context => {
    const { row, group: newest } = await newestGroup(desk, context.req.valid('param').name)
    const approved = isApproved(desk, row)
    const members = approved ? await devicesOfGroup(desk, newest) : []
    const { group_id: group, alias, version, statement, approval } = row
    return context.json({ group, alias, version, devices: members.length, members, approved, statement, approval }, 200)
  })
  api.openapi(add, async context => {
    const { statement, approval } = context.req.valid('json')
    requireOpen(desk)
    const group = verifyGroup(statement, approval, desk.trusted)
    await storeVersion(desk, group, statement, approval)
    return context.json(
      { group: group.id, alias: group.alias, version: group.version, devices: group.members.length },
      200,
    )
  })
}

/** By somebody who is a member now. */
function isApproved(desk: Desk, row: GroupRow): boolean {
  try {
    return verifyGroupRow(row, desk.trusted) !== undefined
  } catch (error) {
    if (error instanceof BulkheadError && error.code === 'UNPROVEN') return false
    throw error
  }
}

/** A group that was tampered with is listed without devices; an order to it is refused. */
async function lineOf(desk: Desk, row: GroupRow) {
  const { group_id: group, alias, version } = row
  try {
    const devices = (await devicesOfGroup(desk, verifyGroupRow(row, desk.trusted))).length
    return { group, alias, version, devices }
  } catch (error) {
    if (!(error instanceof BulkheadError)) throw error
    desk.log.error('group.unproven', { group }, error)
    return { group, alias, version, devices: 0 }
  }
}

/**
 * The row and its leaf, or neither: a version that finds its place in the ledger taken leaves no row. Where the row is lost after its
 * leaf was written, the same statement sent again is stored; until then the group names what is missing.
 */
async function storeVersion(desk: Desk, group: GroupVersion, statement: string, approval: Approval) {
  const rows = await newestGroups(desk.db)
  const newest = rows.find(row => row.group_id === group.id)
  if (newest?.statement === statement) return logVersion(desk, group, statement)
  await checkSuccession(desk, group, newest)
  if (rows.some(row => row.alias === group.alias && row.group_id !== group.id))
    throw new BulkheadError('CONFLICT', `There is a group ${group.alias} already.`, {
      remedy: 'Choose another alias.',
    })
  const { id: group_id, version, alias } = group
  await desk.db.transaction().execute(async tx => {
    const stored = await tx
      .insertInto('console.group_version')
      .values({ group_id, version, alias, statement, approval: JSON.stringify(approval) })
      .onConflict(conflict => conflict.doNothing())
      .executeTakeFirst()
    if (stored.numInsertedOrUpdatedRows === 0n) throw outrun()
    await logVersion(desk, group, statement)
  })
}

async function logVersion(desk: Desk, { id, version }: GroupVersion, statement: string) {
  const digest = groupDigest(statement, desk.trusted).toString('hex')
  await appendLeaves(desk, 'main', [{ type: 'group', unique: `group:${id}:${version}`, group: id, version, digest }])
}

/** Whoever approved the version before need not be a member any more: a member approves the whole of this one. */
async function checkSuccession(desk: Desk, group: GroupVersion, newest: GroupRow | undefined) {
  if (group.members.some((member, at) => at > 0 && group.members[at - 1]! >= member))
    throw new BulkheadError('BAD_REQUEST', 'The members of a group are sorted, each once.')
  const before = newest && (await loggedGroup(desk, newest))
  const previous = newest ? groupDigest(newest.statement, desk.trusted).toString('hex') : ''
  if (group.version !== (before ? before.version + 1 : 0) || group.previous !== previous) throw outrun()
  if (before && before.alias !== group.alias) throw new BulkheadError('BAD_REQUEST', 'A group keeps its alias.')
}

const outrun = () =>
  new BulkheadError('CONFLICT', 'The group has changed meanwhile.', {
    remedy: 'Look at its newest version and try again.',
  })
