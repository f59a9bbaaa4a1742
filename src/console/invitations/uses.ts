import type { Desk } from '../desk.ts'

/**
 * How often an invitation was used, as the ledger has it: leaf n of `consumed:<invitation>:<n>` is there for the first n uses.
 * Halving: 17 questions for 100,000 uses, one for a single one.
 */
export async function usesOf({ ledger }: Pick<Desk, 'ledger'>, invitation: string, most: number): Promise<number> {
  let [used, above] = [0, most + 1]
  while (above - used > 1) {
    const middle = (used + above) >> 1
    if (await ledger.find({ log: 'main', unique: `consumed:${invitation}:${middle}` })) used = middle
    else above = middle
  }
  return used
}
