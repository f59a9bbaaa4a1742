import {
  type Assigning,
  type Assignment,
  openAssignment,
  signAssignment,
  signTokens,
} from '../../../src/people/assign.ts'
import { fromBase64 } from '../../../src/people/bytes.ts'
import type { Person } from '../../../src/people/person.ts'
import {
  LONGEST,
  makeErasure,
  openWriterSession,
  type SignedRecord,
  type WriterSession,
} from '../../../src/people/session.ts'
import { openReleaseKeys, writePeople } from '../../../src/people/write.ts'
import { call, Refusal } from '../api.ts'
import { browserHpke } from '../hpke.ts'
import type { AssignmentLine, PersonLine } from './api.ts'
import { keepWith, type Opened } from './opened.ts'
import { knownWriters, requireOpened, type Shown } from './reading.ts'
import { type Me, makingOf, trustedNow } from './unlock.ts'

/** One gesture signs a writer, for as long as the unit stays unlocked; its session's key signs each record, assignment and list of tokens. */
export async function writerFor(me: Me, opened: Opened): Promise<WriterSession> {
  const { writer, unit } = opened
  if (writer && writer.expiresAt > Date.now() + 60_000) return writer.session
  const making = makingOf(me)
  const session = await openWriterSession({ unit: unit.id }, making)
  keepWith(opened, { writer: { session, expiresAt: (making.now + LONGEST - 60) * 1000 } })
  return session
}

/** The vault's word on the outer keys of these people. */
export async function releaseKeysFor(me: Me, session: WriterSession, ids: string[], { genesisDigest }: Opened) {
  const records = ids.map(id => ({ kind: 'person', id }))
  const said = await call<SignedRecord>('/api/people/keys', { body: { writer: session.writer, records } })
  return openReleaseKeys(said, (await trustedNow(me)).roster.keys.voucher, genesisDigest)
}

/** A new version of one person. Throws CONFLICT where somebody else wrote meanwhile: nothing of theirs is overwritten. */
export async function savePerson(me: Me, { id, version }: Pick<PersonLine, 'id' | 'version'>, person: Person) {
  const opened = requireOpened()
  const { unit, genesisDigest, index } = opened
  const session = await writerFor(me, opened)
  const releaseKeys = await releaseKeysFor(me, session, [id], opened)
  const unitKey = fromBase64(unit.publicKey)
  const using = { session, unitKey, releaseKeys, genesisDigest, hpke: browserHpke, index }
  const records = await writePeople([{ id, version: version + 1, person }], using)
  await call('/api/people/write', { body: { writer: session.writer, records } }).catch(clearer)
}

function clearer(error: unknown): never {
  if (error instanceof Refusal && error.code === 'CONFLICT')
    throw new Refusal(
      'CONFLICT',
      'Somebody else has changed this person meanwhile. Nothing of yours was saved, and nothing of theirs is lost.',
      'Keep what you wrote in sight, show the person again, and write your change into what stands there now.',
    )
  throw error
}

export type Handed = Assignment & { alias: string }

export async function assignmentsOf(me: Me, of: { device: string } | { person: string }): Promise<Handed[]> {
  const { assignments } = await call<{ assignments: AssignmentLine[] }>(
    `/api/people/assignments?${new URLSearchParams(of)}`,
  )
  const known = knownWriters(me)
  const { genesisDigest } = makingOf(me)
  const open = async (line: AssignmentLine): Promise<Handed> => ({
    ...(await openAssignment(line, await known(line.writer), genesisDigest)),
    alias: line.alias,
  })
  return Promise.all(assignments.map(open))
}

/** Gives a device to somebody, or takes it back. Throws CONFLICT where somebody else did meanwhile. */
export async function handOver(me: Me, device: string, person: string | undefined): Promise<void> {
  const opened = requireOpened()
  const session = await writerFor(me, opened)
  const [before] = await assignmentsOf(me, { device })
  const next: Assigning = { device, version: (before?.version ?? 0) + 1, ...(person === undefined ? {} : { person }) }
  const signed = await signAssignment(session, next, opened.genesisDigest)
  await call('/api/people/assign', { body: { writer: session.writer, ...signed } })
}

/** One gesture. The server takes the rows along, and whose devices were whose. */
export async function erasePerson(me: Me, { id }: Pick<PersonLine, 'id'>): Promise<void> {
  const { unit } = requireOpened()
  const erasure = await makeErasure({ unit: unit.id, records: [{ kind: 'person', id }] }, makingOf(me))
  await call('/api/people/erase', { body: { erasure } })
}

/** Search tokens for people who are open here and were written without. Costs nothing: they are shown already. */
export async function indexPeople(me: Me, people: Shown[]): Promise<void> {
  const opened = requireOpened()
  const session = await writerFor(me, opened)
  const records = people.map(({ id, version, person }) => ({ id, version, tokens: opened.index.tokensOf(person) }))
  const signed = await signTokens(session, records, opened.genesisDigest)
  await call('/api/people/tokens', { body: { writer: session.writer, ...signed } })
}
