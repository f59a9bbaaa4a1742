import { batcher } from '../base/batch.ts'
import { BulkheadError } from '../base/errors.ts'
import { type Ledger, MAX_BATCH, type Outcome } from '../ledger/api.ts'
import { canonical } from '../trust/canonical.ts'

export type Leaf = { type: 'consumed' | 'certificate' | 'release' | 'push'; unique?: string } & Record<
  string,
  string | number
>
/** What the vault needs of the ledger. */
export type VaultLedger = Pick<Ledger, 'append' | 'find'>
export type Leaves = {
  /** Resolves when the leaf is on the ledger's disk: true, or false where another leaf used up its `unique`. Throws UNAVAILABLE, or LIMIT with the ledger's reason. */
  append(leaf: Leaf): Promise<boolean>
  find(unique: string): Promise<Record<string, unknown> | undefined>
  /** The same as it is written, and where. */
  place(unique: string): Promise<{ index: number; entry: string } | undefined>
}

export function createLeaves(ledger: VaultLedger): Leaves {
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
  return {
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
