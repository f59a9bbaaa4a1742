import { BulkheadError } from '../../../src/base/errors.ts'
import { type KnownWriter, openPerson, requireVaultAnswer, type Opened as Shown } from '../../../src/people/read.ts'
import { openGrantSession, type Purpose, requestRelease } from '../../../src/people/session.ts'
import { openWriterAt } from '../../../src/trust/directory.ts'
import { call, Refusal, type Signed } from '../api.ts'
import { browserHpke } from '../hpke.ts'
import { settled } from '../node/answers.ts'
import type { Found, PersonLine, Released } from './api.ts'
import { currentlyOpened, type Grant, keepWith, type Opened } from './opened.ts'
import { type Me, makingOf, trustedNow } from './unlock.ts'

/** Names under a grant: one gesture for so many people and one purpose. What comes is handed to the page that asked, and kept nowhere. */
export type { Shown }
export const PAGE = 25
const GRANT_SECONDS = 3600

export function requireOpened(): Opened {
  const opened = currentlyOpened()
  if (opened) return opened
  throw new Refusal('LOCKED', 'The directory is locked.', 'Unlock it with your passkey.')
}

export async function signGrant(me: Me, most: number, purpose: Purpose): Promise<void> {
  const opened = requireOpened()
  const making = makingOf(me)
  const session = await openGrantSession({ unit: opened.unit.id, most, purpose, seconds: GRANT_SECONDS }, making)
  const expiresAt = (making.now + GRANT_SECONDS - 60) * 1000
  keepWith(opened, { grant: { session, purpose, expiresAt, left: undefined } })
}

/** The grant, where it holds and may still show so many. People that it has shown before cost nothing, which only the vault knows. */
export const grantFor = ({ grant }: Opened): Grant | undefined =>
  grant && grant.expiresAt > Date.now() + 5000 ? grant : undefined

export type Page = { people: Shown[]; stale: number }

/** Throws LIMIT where the grant or a budget does not suffice. */
export async function showPeople(me: Me, lines: Pick<PersonLine, 'id' | 'version'>[]): Promise<Page> {
  const opened = requireOpened()
  const grant = grantFor(opened)
  if (!grant) throw new Refusal('NO_GRANT', 'No grant holds now.', 'Sign one: for how many people, and for what.')
  const records = lines.map(({ id, version }) => ({ kind: 'person' as const, id, version }))
  const { genesisDigest } = opened
  const now = Math.floor(Date.now() / 1000)
  const request = await requestRelease(grant.session, records, { now, shown: true, genesisDigest })
  const answer = await call<Released>('/api/people/release', { body: request })
  const { keys } = (await trustedNow(me)).roster
  await requireVaultAnswer(answer, request.request, { voucherKey: keys.voucher, genesisDigest })
  keepWith(opened, { grant: { ...grant, left: answer.left } })
  const known = knownWriters(me)
  const using = { hpke: browserHpke, unit: opened.unit.id, unitPrivateKey: opened.key.privateKey, genesisDigest }
  const good = answer.records.filter(({ state }) => state === 'ok')
  const people = await Promise.all(good.map(async record => openPerson(record, await known(record.writer), using)))
  if (currentlyOpened()?.key !== opened.key) return { people: [], stale: 0 } // locked meanwhile
  return { people, stale: answer.records.length - good.length }
}

/** Verifies each writer once, under the roster as it is now; undefined for one that nobody of it approved. */
export function knownWriters(me: Me): (signed: Signed | null) => Promise<KnownWriter | undefined> {
  const trusted = trustedNow(me)
  const known = new Map<string, Promise<KnownWriter | undefined>>()
  return async signed => {
    if (!signed) return undefined
    const roster = await trusted
    const verify = async () => {
      try {
        const { said } = await settled(() => openWriterAt(signed, roster))
        return { id: said.id, unit: said.unit, key: said.key }
      } catch (error) {
        if (error instanceof BulkheadError) return undefined
        throw error
      }
    }
    const name = JSON.stringify(signed)
    if (!known.has(name)) known.set(name, verify())
    return known.get(name)
  }
}

/** Whom search tokens fit: who is looked for, and now and then somebody else, until their names were opened and compared. */
export async function findLines(text: string): Promise<Found> {
  const { index, unit } = requireOpened()
  const queries = index.queryTokens(text)
  if (queries.length === 0)
    throw new Refusal('TOO_SHORT', 'This is too short to look for.', 'Write three letters or digits at least.')
  const found = new Map<string, PersonLine>()
  let more = false
  for (const tokens of queries) {
    const answer = await call<Found>('/api/people/find', { body: { unit: unit.id, tokens } })
    more ||= answer.more
    for (const line of answer.people) found.set(line.id, line)
  }
  return { people: [...found.values()].slice(0, PAGE), more: more || found.size > PAGE }
}
