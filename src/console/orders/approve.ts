import { BulkheadError } from '../../base/errors.ts'
import { type Approval, verifyApproval } from '../../trust/approval.ts'
import { canonical } from '../../trust/canonical.ts'
import { classOf, type OrderClass } from '../../trust/class.ts'
import { decodeOrder, targetsDigest } from '../../trust/order.ts'
import type { Member } from '../../trust/roster.ts'
import { sha256Hex } from '../../trust/statement.ts'
import { decodeTemplate } from '../../trust/template.ts'
import { PROFILE_IDENTIFIER } from '../../wire/apple/enrolment.ts'
import { appendLeaves, type Desk, type Leaf, seconds } from '../desk.ts'
import { type Read, readStatement } from './statement.ts'
import {
  approvalsOf,
  changeState,
  dequeue,
  enqueue,
  enqueueStanding,
  findOrder,
  type OrderRow,
  storeApproval,
} from './store.ts'

/**
 * Takes one approval. The quorum is counted over all that are stored, each verified again; with it the order and its
 * approvals go to the ledger, then to the devices. Any step may fail: approving again goes on from there.
 */
export async function approveOrder(desk: Desk, id: string, approval: Approval): Promise<void> {
  const row = await findOrder(desk.db, id)
  const read = readStatement(row, desk.trusted)
  const orderClass = requireSound(row, read)
  requireOpen(desk, row, read)
  const member = requireApprover(desk, approval, read.digest, orderClass)
  await storeApproval(desk.db, id, member.id, approval)
  desk.log.info('order.approval', { order: id, member: member.id })
  const counted = await countedApprovals(desk, id, read.digest, orderClass)
  if (counted.length < desk.trusted.rules.quorum[orderClass]) return
  await appendLeaves(desk, 'main', leavesOf(row, read, orderClass, counted))
  await release(desk, row, read)
}

/** What members are shown must be what is sent: the row's body and targets are those of the statement. Returns the class. */
function requireSound(row: OrderRow, { statement }: Read): OrderClass {
  const wrong = (what: string) =>
    new BulkheadError('UNPROVEN', `The order's ${what} are not those of its statement.`, { remedy: 'Draft it again.' })
  if (row.kind === 'order' && decodeOrder(row.statement).targets.digest !== targetsDigest(row.targets))
    throw wrong('targets')
  if (row.secret) return row.class // only the edge can open the body: it works the class out, and counts again
  if (sha256Hex(row.body) !== statement.body) throw wrong('bytes')
  return classOf(decodeTemplate(row.body), { mdmProfile: PROFILE_IDENTIFIER })
}

function requireOpen(desk: Desk, row: OrderRow, { statement }: Read) {
  if (row.state === 'cancelled')
    throw new BulkheadError('CONFLICT', 'The order was cancelled.', { remedy: 'Draft it again.' })
  if (row.state === 'approved') throw new BulkheadError('CONFLICT', 'The order is approved already.')
  if (statement.expiresAt <= seconds(desk.now()))
    throw new BulkheadError('EXPIRED', 'The order has expired.', { remedy: 'Draft it again.' })
}

function requireApprover(desk: Desk, approval: Approval, digest: Buffer, orderClass: OrderClass): Member {
  const member = verifyApproval(approval, digest, desk.trusted)
  if (member.roles.some(role => desk.trusted.rules.roles[orderClass].includes(role))) return member
  throw new BulkheadError('FORBIDDEN', `${member.alias} has no role that may approve an order that can ${orderClass}.`)
}

type Counted = { member: string; approval: Approval }

/** A stored approval that does not hold counts for nothing; two of one member count once. */
async function countedApprovals(desk: Desk, id: string, digest: Buffer, orderClass: OrderClass): Promise<Counted[]> {
  const counted = new Map<string, Approval>()
  for (const { approval } of await approvalsOf(desk.db, id)) {
    try {
      counted.set(requireApprover(desk, approval, digest, orderClass).id, approval)
    } catch (error) {
      desk.log.error('approval.unproven', { order: id }, error)
    }
  }
  return [...counted].map(([member, approval]) => ({ member, approval }))
}

function leavesOf(row: OrderRow, { digest }: Read, orderClass: OrderClass, counted: Counted[]): Leaf[] {
  const order = row.order_id
  const approvals = counted.map(({ member, approval }) => ({
    type: 'approval',
    unique: `approval:${order}:${member}`,
    order,
    member,
    approval: sha256Hex(canonical(approval)),
  }))
  const leaf = { type: 'order', unique: `order:${order}`, order, kind: row.kind, class: orderClass }
  return [{ ...leaf, digest: digest.toString('hex') }, ...approvals]
}

/** Queues the work in the transaction that changes the state: twice approved is queued once. */
async function release(desk: Desk, row: OrderRow, read: Read) {
  const id = row.order_id
  const expires = new Date(read.statement.expiresAt * 1000)
  const queued = await desk.db.transaction().execute(async tx => {
    if (!(await changeState(tx, id, 'draft', 'approved', desk.now()))) return false
    if (row.kind === 'order') await enqueue(tx, id, read.channel === 'user', expires)
    else if (read.trigger === 'enrolment') await enqueueStanding(tx, id, 0, expires)
    return true
  })
  if (!queued) return
  desk.log.info('order.approved', { order: id })
  // The rows to wake stand in the database: a vault that is away finds them when it is back.
  await desk.vault.wake().catch(error => desk.log.error('vault.wake', {}, error))
}

/** Stops an order at once; its leaf comes second, so that a ledger that is away stops nobody from stopping. May be repeated. */
export async function cancelOrder(desk: Desk, id: string, caller: string): Promise<void> {
  const row = await findOrder(desk.db, id)
  await desk.db.transaction().execute(async tx => {
    if (row.state !== 'cancelled') await changeState(tx, id, row.state, 'cancelled', desk.now())
    await dequeue(tx, id, 'cancelled')
  })
  desk.log.info('order.cancelled', { order: id, by: caller })
  await appendLeaves(desk, 'control', [{ type: 'cancel', unique: `cancel:${id}`, order: id }])
}
