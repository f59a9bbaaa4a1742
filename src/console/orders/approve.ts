import { BulkheadError } from '../../base/errors.ts'
import { type Approval, verifyApproval } from '../../trust/approval.ts'
import { classOf, type OrderClass } from '../../trust/class.ts'
import { approvalLeaf, orderLeaf } from '../../trust/leaves.ts'
import { decodeOrder, targetsDigest } from '../../trust/order.ts'
import type { Member } from '../../trust/roster.ts'
import { sha256Hex } from '../../trust/statement.ts'
import { decodeTemplate } from '../../trust/template.ts'
import { PROFILE_IDENTIFIER } from '../../wire/apple/enrolment.ts'
import { appendLeaves, type Desk, requireOpen, seconds } from '../desk.ts'
import { type Read, readStatement } from './statement.ts'
import { approvalsOf, changeState, enqueue, enqueueStanding, findOrder, type OrderRow, storeApproval } from './store.ts'

/**
 * Takes one approval. It goes to the ledger before it is stored: no device takes an order whose approvals are not logged, and the ledger
 * notices a passkey that counts backwards. The quorum is counted over all that are stored, each verified again; with it the order goes to
 * the ledger, then to the devices. Any step may fail: approving again goes on from there.
 */
export async function approveOrder(desk: Desk, id: string, approval: Approval): Promise<void> {
  const row = await findOrder(desk.db, id)
  const read = readStatement(row, desk.trusted)
  const orderClass = requireSound(row, read)
  requireDraft(desk, row, read)
  requireOpen(desk)
  const member = requireApprover(desk, approval, read.digest, orderClass)
  const digest = read.digest.toString('hex')
  await appendLeaves(desk, 'main', [approvalLeaf(digest, member.id, approval)])
  await storeApproval(desk.db, id, member.id, approval)
  desk.log.info('order.approval', { order: id, member: member.id })
  const approvers = await countApprovers(desk, id, read.digest, orderClass)
  if (approvers < desk.trusted.rules.quorum[orderClass]) return
  await appendLeaves(desk, 'main', [orderLeaf({ order: id, kind: row.kind, class: orderClass, digest })])
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

function requireDraft(desk: Desk, row: OrderRow, { statement }: Read) {
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

/** Distinct members whose stored approvals hold. One that does not counts for nothing. */
async function countApprovers(desk: Desk, id: string, digest: Buffer, orderClass: OrderClass): Promise<number> {
  const members = new Set<string>()
  for (const { approval } of await approvalsOf(desk.db, id)) {
    try {
      members.add(requireApprover(desk, approval, digest, orderClass).id)
    } catch (error) {
      desk.log.error('approval.unproven', { order: id }, error)
    }
  }
  return members.size
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
