import { BulkheadError } from '../base/errors.ts'
import { sealAad } from '../intake/api.ts'
import { trustedNow } from '../ledger/client.ts'
import { canonical } from '../trust/canonical.ts'
import type { ControlView } from '../trust/follow.ts'
import { orderLeaf } from '../trust/leaves.ts'
import { decodeOrder, type Order, orderDigest, requireQuorum, targetsDigest } from '../trust/order.ts'
import type { Trusted } from '../trust/roster.ts'
import { hpkeOpen } from '../wire/hpke.ts'
import type { VaultKeys } from './keys.ts'
import type { Leaves } from './leaves.ts'
import type { OrderRow, Store } from './store.ts'
import { openValid } from './vouchers.ts'

type Needs = {
  keys: VaultKeys
  pinned: Trusted
  control: Pick<ControlView, 'time' | 'trusted' | 'control'>
  leaves: Leaves
  store: Store
  clock: () => number
}

/**
 * The unlock token for one delivery of an approved ClearPasscode order. The vault verifies the order itself: approvals, time and targets.
 * It must be in the ledger and not cancelled. The release is logged before the token is opened; the same delivery again is the same leaf. Throws UNPROVEN, NOT_FOUND, EXPIRED, REFUSED.
 */
export async function releaseUnlockToken(ask: { order: string; certificate: string }, needs: Needs): Promise<Buffer> {
  const { keys, pinned, control, leaves, store, clock } = needs
  const { device } = openValid(await store.findCertificate(ask.certificate), pinned, clock())
  const row = await store.findOrder(ask.order)
  if (!row) throw new BulkheadError('NOT_FOUND', 'There is no such order.')
  const order = verify(row, trustedNow(control), clock())
  await requireLogged(order.id, row, needs)
  if (order.id !== ask.order || !row.targets.includes(device)) throw refuse('It is not for this device.')
  const sealed = await store.findUnlockToken(device)
  if (!sealed) throw new BulkheadError('NOT_FOUND', 'The device has given no unlock token.')
  const unique = `release:unlock:${order.id}:${device}`
  await leaves.append({ type: 'release', what: 'unlock', order: order.id, device, unique })
  return hpkeOpen(keys.seal, sealed, sealAad('device.unlock', device))
}

function verify(row: OrderRow, trusted: Trusted, now: number): Order {
  const order = decodeOrder(row.statement)
  requireQuorum(row.approvals, orderDigest(row.statement, trusted), 'destroy', trusted)
  if (order.action !== 'ClearPasscode' || !order.holes.includes('unlock-token'))
    throw refuse('It is no order to clear a passcode.')
  if (now < order.notBefore || row.state !== 'approved') throw refuse('It is not in force.')
  if (now >= order.expiresAt) throw new BulkheadError('EXPIRED', 'The order has expired.')
  if (targetsDigest(row.targets) !== order.targets.digest || row.targets.length !== order.targets.count)
    throw new BulkheadError('UNPROVEN', 'The targets are not those that were approved.')
  return order
}

/** What the control log says is cancelled, by its place in the main log. */
async function requireLogged(id: string, { statement }: OrderRow, { leaves, pinned, control }: Needs) {
  const digest = orderDigest(statement, pinned).toString('hex')
  const leaf = orderLeaf({ order: id, kind: 'order', class: 'destroy', digest })
  const found = await leaves.place(leaf.unique)
  if (found?.entry !== canonical(leaf)) throw new BulkheadError('UNPROVEN', 'The order is not in the ledger.')
  if (control.control.isCancelled(id, found.index)) throw refuse('It was cancelled.')
}

const refuse = (why: string) => new BulkheadError('REFUSED', `The order releases no unlock token. ${why}`)
