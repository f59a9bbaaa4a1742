import type { KeyObject } from 'node:crypto'
import { batcher } from '../base/batch.ts'
import { BulkheadError } from '../base/errors.ts'
import { type Ledger, MAX_BATCH, type Outcome } from '../ledger/api.ts'
import { canonical } from '../trust/canonical.ts'
import { leafHash } from '../wire/tlog/merkle.ts'
import { openPromise } from '../wire/tlog/promise.ts'

type LeafType = 'consumed' | 'certificate' | 'release' | 'push' | 'writer' | 'grant' | 'records' | 'erasure'
export type Leaf = { type: LeafType; unique?: string } & Record<string, string | number | boolean | string[]>
/** What the vault needs of the ledger. */
export type VaultLedger = Pick<Ledger, 'append' | 'find'>
export type Leaves = {
  /** Resolves when the leaf is on the ledger's disk: true, or false where another leaf used up its `unique`. Throws UNAVAILABLE, or LIMIT with the ledger's reason. */
  append(leaf: Leaf): Promise<boolean>
  /**
   * The same, and the log has signed that this very leaf is in it. Once is enough for each `unique`. Throws CONFLICT where another leaf used it up,
   * UNPROVEN without that signature.
   */
  once(leaf: Leaf & { unique: string }): Promise<void>
  find(unique: string): Promise<Record<string, unknown> | undefined>
  /** The same as it is written, and where. */
  place(unique: string): Promise<{ index: number; entry: string } | undefined>
}

const MOST_KNOWN = 10_000

/** `log`: the main log, as the genesis names it. */
export function createLeaves(ledger: VaultLedger, log: { origin: string; key: KeyObject }): Leaves {
  // A batch that fails fails as a whole: trying its hundreds of leaves one by one against a ledger that is away would take minutes.
  const append = batcher<Leaf, Outcome | Error>({
    most: MAX_BATCH,
    parallel: 4,
    async run(leaves) {
      try {
        return await ledger.append({ log: 'main', entries: leaves.map(leaf => ({ entry: canonical(leaf) })) })
      } catch (error) {
        return leaves.map(() => error as Error)
      }
    },
  })
  const known = new Map<string, string>() // by unique: leaves that `once` has seen in the log

  /** Throws UNPROVEN. */
  function requirePromised(entry: string, promise: string) {
    const { origin, leafHash: promised } = openPromise(Buffer.from(promise, 'base64'), log.key)
    if (origin === log.origin && promised === leafHash(Buffer.from(entry)).toString('base64')) return
    throw new BulkheadError('UNPROVEN', 'The log has signed another entry.')
  }

  return {
    async once(leaf) {
      const entry = canonical(leaf)
      if (known.get(leaf.unique) === entry) return
      const outcome = await append(leaf)
      if (outcome instanceof Error) throw outcome
      if ('code' in outcome && outcome.code === 'CONFLICT')
        throw new BulkheadError('CONFLICT', `Another ${leaf.type} was logged under this id.`, {
          remedy: 'Sign a new one, with an id of its own.',
        })
      if ('code' in outcome) throw new BulkheadError('INTERNAL', `The ledger refused a leaf of type ${leaf.type}.`)
      requirePromised(entry, outcome.promise)
      for (const [oldest] of known) if (known.size >= MOST_KNOWN) known.delete(oldest)
      known.set(leaf.unique, entry)
    },
    async append(leaf) {
      const outcome = await append(leaf)
      if (outcome instanceof Error) throw outcome
      if (!('code' in outcome)) return true
      if (outcome.code === 'CONFLICT') return false
      if (outcome.code === 'LIMIT') throw new BulkheadError('LIMIT', outcome.message)
      throw new BulkheadError('INTERNAL', `The ledger refused a leaf of type ${leaf.type}.`)
    },
    async find(unique) {
      const found = await ledger.find({ log: 'main', unique })
      return found ? (JSON.parse(found.entry) as Record<string, unknown>) : undefined
    },
    place: async unique => (await ledger.find({ log: 'main', unique })) ?? undefined,
  }
}
