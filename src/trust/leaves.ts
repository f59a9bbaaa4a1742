import { type Approval, signCountOf } from './approval.ts'
import { canonical } from './canonical.ts'
import type { OrderClass } from './rules.ts'
import { sha256Hex } from './statement.ts'

// Entries of the main log that one compartment appends and another works out again, to ask for a proof that exactly they are in the log.

export type OrderLeaf = { order: string; kind: 'order' | 'standing'; class: OrderClass; digest: string }
/** That an order has its quorum. */
export const orderLeaf = (of: OrderLeaf) => ({ type: 'order', unique: `order:${of.order}`, ...of })

/** That somebody approved. `of`: hex of the digest that was signed; `count`: the authenticator's, which the ledger holds against the one before. */
export function approvalLeaf(of: string, member: string, approval: Approval) {
  const digest = sha256Hex(canonical(approval))
  const credential = sha256Hex(approval.credentialId)
  return { type: 'approval', unique: `approval:${digest}`, of, member, credential, count: signCountOf(approval) }
}
