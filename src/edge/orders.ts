import type { KeyObject } from 'node:crypto'
import { BulkheadError } from '../base/errors.ts'
import type { Ledger } from '../ledger/api.ts'
import type { Trusted } from '../trust/roster.ts'
import { hpkeOpen } from '../wire/hpke.ts'
import type { EdgeStore } from './store.ts'
import { evidenceKeys, type VerifiedOrder, verifyOrder } from './turnstile.ts'

const MOST = 2_000

/**
 * Orders by id, loaded, proven by the ledger and verified once each, under one version of the roster. A refusal is kept as long, so a forged
 * order costs little and a late approval still counts.
 */
export function createOrders(
  store: Pick<EdgeStore, 'findOrder'>,
  ledger: Pick<Ledger, 'proofs'>,
  trusted: () => Trusted,
  deliveryKey: KeyObject,
  clock: () => number,
) {
  const kept = new Map<string, { verified: Promise<VerifiedOrder>; until: number; version: number }>()

  async function load(id: string): Promise<VerifiedOrder> {
    const stored = await store.findOrder(id)
    if (!stored) throw new BulkheadError('REFUSED', 'There is no such order.')
    if (stored.state !== 'approved') throw new BulkheadError('REFUSED', `The order is ${stored.state}.`)
    const body = stored.secret
      ? hpkeOpen(deliveryKey, stored.body, Buffer.from(`bulkhead-body/v1\n${id}`))
      : stored.body
    const loaded = { ...stored, body }
    const cosigned = trusted().rules.cosignatures > 0
    const evidence = await ledger.proofs({ keys: evidenceKeys(loaded, trusted()), cosigned })
    const verified = verifyOrder(loaded, evidence, trusted())
    if (verified.order.id !== id) throw new BulkheadError('REFUSED', 'The order is filed under another id.')
    return verified
  }

  return {
    find(id: string): Promise<VerifiedOrder> {
      const known = kept.get(id)
      const { version } = trusted().roster
      if (known && known.until > clock() && known.version === version) return known.verified
      const entry = { verified: load(id), until: clock() + 30, version }
      entry.verified.catch(error => {
        if (error instanceof BulkheadError && error.code === 'UNAVAILABLE') kept.delete(id)
      })
      if (kept.size >= MOST) kept.delete(kept.keys().next().value!)
      kept.set(id, entry)
      return entry.verified
    },
  }
}
