import { BulkheadError } from '../../base/errors.ts'
import type { Person as Line, Released } from '../../console/people/api.ts'
import { type KnownWriter, type Opened, openPerson, requireVaultAnswer } from '../../people/read.ts'
import { type GrantSession, openGrantSession, type Purpose, requestRelease } from '../../people/session.ts'
import { directoryDigest, openWriterAt, type Signed } from '../../trust/directory.ts'
import type { Trusted } from '../../trust/roster.ts'
import { nodeHpke, nodeSessionKey } from '../hpke.ts'
import type { Unlocked } from './unlock.ts'

/** Reading under a grant, which this command signs for itself: so many people, one purpose, this process's key. */
export type Reading = {
  /** Those that opened, in the order asked for, and what is left of the grant and its budgets. */
  read(lines: Pick<Line, 'id' | 'version'>[]): Promise<{ people: Opened[]; left: Released['left'] }>
}
export const PAGE = 25

export async function openReading(unlocked: Unlocked, most: number, purpose: Purpose): Promise<Reading> {
  const { unit, making } = unlocked
  const grant = await openGrantSession({ unit: unit.id, most, purpose, key: nodeSessionKey(), seconds: 3600 }, making())
  const writers = new Map<string, KnownWriter | undefined>()
  return {
    async read(lines) {
      const answer = await release(unlocked, grant, lines)
      const people: Opened[] = []
      for (const record of answer.records) {
        if (record.state !== 'ok') continue
        people.push(await openOne(record, unlocked, writers))
      }
      return { people, left: answer.left }
    },
  }
}

async function release(
  { console, making, trusted }: Unlocked,
  grant: GrantSession,
  lines: Pick<Line, 'id' | 'version'>[],
) {
  const records = lines.map(({ id, version }) => ({ kind: 'person' as const, id, version }))
  const { now } = making()
  const request = await requestRelease(grant, records, { now, shown: true, genesisDigest: trusted.genesisDigest })
  const answer = await console.post<Released>('/api/people/release', request)
  const { genesisDigest, roster } = trusted
  await requireVaultAnswer(answer, request.request, { voucherKey: roster.keys.voucher, genesisDigest })
  return answer
}

function openOne(
  record: Released['records'][number],
  unlocked: Unlocked,
  writers: Map<string, KnownWriter | undefined>,
) {
  const { trusted, unit, key } = unlocked
  const using = { hpke: nodeHpke, unit: unit.id, unitPrivateKey: key.privateKey, genesisDigest: trusted.genesisDigest }
  return openPerson(record, record.writer ? knownWriter(record.writer, trusted, writers) : undefined, using)
}

/** Undefined for one that nobody of the roster approved. Each is verified once. */
function knownWriter(signed: Signed, trusted: Trusted, writers: Map<string, KnownWriter | undefined>) {
  const name = directoryDigest('bulkhead-writer/v1', signed.statement, trusted).toString('hex')
  if (!writers.has(name)) writers.set(name, verified(signed, trusted))
  return writers.get(name)
}

function verified(signed: Signed, trusted: Trusted): KnownWriter | undefined {
  try {
    const { said } = openWriterAt(signed, trusted)
    return { id: said.id, unit: said.unit, key: said.key }
  } catch (error) {
    if (error instanceof BulkheadError) return undefined
    throw error
  }
}
