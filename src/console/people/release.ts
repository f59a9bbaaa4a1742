import { BulkheadError } from '../../base/errors.ts'
import { type Kind, openErasure, requestShape, type Signed } from '../../trust/directory.ts'
import { decodeStatement } from '../../trust/statement.ts'
import { type Desk, seconds } from '../desk.ts'
import { candidates, dropBeyond, dropErased, findWriters, reports } from './store.ts'

export type ReleaseIn = { grant: Signed; request: string; signature: string }

/** Takes what a session asks for to the vault, which judges and logs it, and back: bytes that nobody here can read. */
export async function release(desk: Desk, { grant, request, signature }: ReleaseIn) {
  const { records: asked } = decodeStatement(request, requestShape, 'release request')
  const rows = await candidates(desk.db, asked)
  const said = await reports(
    desk.db,
    asked.flatMap(({ kind, id }) => (kind === 'device' ? [id] : [])),
  )
  const sealed = asked.map(
    ({ kind, id }, at) => (kind === 'device' ? said.get(id) : rows[at]?.sealed) ?? Buffer.alloc(0),
  )
  const { left, records, vault, inner } = await desk.vault.release({ grant, request, signature }, sealed)
  const stale = asked.filter(({ kind }, at) => kind !== 'device' && records[at] === 'stale')
  if (stale.length > 0) await settle(desk, stale)
  const writers = await findWriters(desk.db, [...new Set(rows.flatMap(row => row?.writer_id ?? []))])
  return {
    left,
    vault,
    records: asked.map((one, at) => ({
      ...one,
      state: records[at] ?? 'unknown',
      inner: inner[at]?.toString('base64') ?? '',
      statement: rows[at]?.statement ?? '',
      signature: rows[at]?.signature ?? '',
      writer: writers.get(rows[at]?.writer_id ?? '') ?? null,
    })),
  }
}

/** Rows of a write that was broken off go; the next page shows the version that counts. */
async function settle(desk: Desk, stale: { kind: Kind; id: string }[]): Promise<void> {
  const { versions } = await desk.vault.recordStates(stale.map(({ kind, id }) => ({ kind, id })))
  const known = stale.flatMap(({ kind, id }, at) => {
    const version = versions[at]
    return version == null ? [] : [{ kind, id, version }]
  })
  if (known.length > 0) await dropBeyond(desk.db, known)
}

/** First the keys, whose end nothing undoes, then the rows. Whoever asks again after a failure gets both. */
export async function erase(desk: Desk, erasure: Signed) {
  const { said } = openErasure(erasure, seconds(desk.now()), desk.trusted)
  if (said.records.length === 0) throw new BulkheadError('BAD_REQUEST', 'Nothing is named to erase.')
  const done = await desk.vault.erase({ erasure })
  await dropErased(desk.db, said.records)
  return done
}
