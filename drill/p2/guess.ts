import { makeKeyPair } from '../../src/people/keys.ts'
import type { Person } from '../../src/people/person.ts'
import { type Index, openIndex } from '../../src/people/tokens.ts'
import type { Client } from '../people/shown.ts'
import type { Colleague, Imported } from '../people/staff.ts'

// Phone numbers guessed against the search tokens in the tables. A guess is confirmed where some record has every token of the number; it is
// a gain where that record is whose number it is. Whoever has the unit's key finds everybody so, which shows that the search would find.

/** `confirmed`: real numbers whose own record has all their tokens; `chance`: numbers of nobody's for which any has; `closer`: see below. */
export type Guessed = { guesses: number; confirmed: number; chance: number; closer: number }
type Row = { id: string; tokens: Set<number> }

export async function guessNumbers(rows: readonly Row[], imported: Imported, client: Client, count: number) {
  const { unit, trusted, key } = client
  const open = (privateKey: Client['key']['privateKey']) => openIndex(privateKey, unit.id, trusted.genesisDigest)
  const known = new Uint8Array(Buffer.from(unit.publicKey, 'base64')) // all that an intruder has of it
  return {
    random: guess(open((await makeKeyPair()).privateKey), rows, imported, count),
    derived: guess(open(known), rows, imported, Math.ceil(count / 10)),
    withKey: guess(open(key.privateKey), rows, imported, Math.ceil(count / 100)),
  }
}

function guess(index: Index, rows: readonly Row[], { staff, ids }: Imported, count: number): Guessed {
  const own = new Map(rows.map(row => [row.id, row.tokens]))
  const out: Guessed = { guesses: 0, confirmed: 0, chance: 0, closer: 0 }
  const having = holders(rows)
  const numbers = new Set(staff.map(({ mobile }) => mobile))
  for (const [at, { mobile }] of staff.entries()) {
    const tokens = tokensOf(index, mobile)
    const shares = (held: ReadonlySet<number>) => tokens.filter(token => held.has(token)).length
    out.guesses++
    if (shares(own.get(ids[at]!)!) === tokens.length) out.confirmed++
    // Does the right record look more like the guess than one of somebody else?
    out.closer += Math.sign(shares(own.get(ids[at]!)!) - shares(own.get(ids[(at + 1) % ids.length]!)!))
  }
  // Numbers of the same shape in order, so that what they begin with is hashed once and the attack is as fast as it can be.
  const step = Math.floor(100_000_000 / count)
  for (let at = 0; at < count - staff.length; at++) {
    const mobile = `+324${String((at * step + 7) % 100_000_000).padStart(8, '0')}`
    if (numbers.has(mobile)) continue
    const tokens = tokensOf(index, mobile)
    out.guesses++
    if (having(tokens)) out.chance++
  }
  return out
}

/** Whether some record has all of these; looked for by the token that the fewest have. */
function holders(rows: readonly Row[]): (tokens: readonly number[]) => boolean {
  const by = new Map<number, Row[]>()
  for (const row of rows) for (const token of row.tokens) by.set(token, [...(by.get(token) ?? []), row])
  return tokens => {
    let fewest: readonly Row[] = rows
    for (const token of tokens) {
      const some = by.get(token)
      if (!some) return false
      if (some.length < fewest.length) fewest = some
    }
    return fewest.some(({ tokens: held }) => tokens.every(token => held.has(token)))
  }
}

const nobody: Person = { givenName: '', familyName: '', email: '', mobile: '', office: '', language: '', fields: {} }
const tokensOf = (index: Index, mobile: Colleague['mobile']) => index.tokensOf({ ...nobody, mobile })

/** More than this many standard errors from nothing is not chance. */
export const gain = ({ closer }: Guessed, people: number): number => Math.round((closer / Math.sqrt(people)) * 10) / 10
