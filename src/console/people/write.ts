import { BulkheadError } from '../../base/errors.ts'
import {
  assignmentShape,
  type DirectoryRecord,
  openWriter,
  recordShape,
  requireSession,
  type Signed,
  tokensShape,
} from '../../trust/directory.ts'
import { decodeStatement, sha256 } from '../../trust/statement.ts'
import { type Desk, requireOpen, seconds } from '../desk.ts'
import { dropOthers, dropThese, indexRecords, insertRecords, keepWriter, type Row } from './store.ts'

export type WriteIn = {
  writer: Signed
  records: { statement: string; signature: string; sealed: string; tokens: number[] | null }[]
}

/**
 * A batch of records, all or none: first the rows, then the vault, which judges signatures and versions and from then on opens these versions only,
 * then what stood before goes. Broken off in between, two versions stand beside each other and the vault knows which one counts.
 */
export async function writeRecords(desk: Desk, { writer, records }: WriteIn): Promise<number> {
  requireOpen(desk)
  const { said } = openWriter(writer, seconds(desk.now()), desk.trusted)
  await keepWriter(desk.db, said.id, writer)
  const rows = records.map(one => rowOf(one, said.id))
  await insertRecords(desk.db, rows)
  try {
    await desk.vault.writeRecords({ writer, records: rows.map(signed) })
  } catch (error) {
    // Where nobody knows what the vault did, both versions stay.
    if (error instanceof BulkheadError && error.code !== 'UNAVAILABLE') await dropThese(desk.db, rows)
    throw error
  }
  await dropOthers(desk.db, rows)
  return rows.length
}

const signed = ({ statement, signature }: Row) => ({ statement, signature })

function rowOf({ statement, signature, sealed, tokens }: WriteIn['records'][number], writer: string): Row {
  const record: DirectoryRecord = decodeStatement(statement, recordShape, 'record')
  if (record.writer !== writer) throw new BulkheadError('UNPROVEN', 'A record names another writer.')
  const bytes = Buffer.from(sealed, 'base64')
  return {
    kind: record.kind,
    record_id: record.id,
    version: record.version,
    outer_digest: sha256(bytes),
    unit_id: record.unit,
    alias: record.alias,
    writer_id: writer,
    statement,
    signature,
    sealed: bytes,
    tokens,
  }
}

export type SessionSigned = { writer: Signed; statement: string; signature: string }

/** Search tokens for what a feeder wrote, which could not make them. */
export async function writeTokens(desk: Desk, { writer, statement, signature }: SessionSigned): Promise<number> {
  requireOpen(desk)
  const { said } = openWriter(writer, seconds(desk.now()), desk.trusted)
  const index = decodeStatement(statement, tokensShape, 'tokens')
  requireSession(said.key, statement, 'bulkhead-tokens/v1', signature, desk.trusted)
  if (said.feeder || index.writer !== said.id)
    throw new BulkheadError('UNPROVEN', 'These search tokens are not of this writer.')
  return indexRecords(desk.db, said.unit, index.records)
}

/** Whose device it is. Each assignment names the one before by its number, so that none is put back. */
export async function assign(desk: Desk, { writer, statement, signature }: SessionSigned): Promise<void> {
  requireOpen(desk)
  const { said } = openWriter(writer, seconds(desk.now()), desk.trusted)
  const assignment = decodeStatement(statement, assignmentShape, 'assignment')
  requireSession(said.key, statement, 'bulkhead-assignment/v1', signature, desk.trusted)
  if (assignment.writer !== said.id || assignment.unit !== said.unit)
    throw new BulkheadError('UNPROVEN', 'This assignment is not of this writer.')
  await keepWriter(desk.db, said.id, writer)
  const newest = await desk.db
    .selectFrom('console.assignment')
    .select('version')
    .where('device_id', '=', assignment.device)
    .orderBy('version', 'desc')
    .executeTakeFirst()
  if (assignment.version !== (newest?.version ?? 0) + 1)
    throw new BulkheadError('CONFLICT', 'Somebody else has assigned this device meanwhile.', {
      remedy: 'Look at it again, then repeat.',
    })
  await desk.db
    .insertInto('console.assignment')
    .values({
      device_id: assignment.device,
      version: assignment.version,
      person_id: assignment.person ?? null,
      unit_id: assignment.unit,
      writer_id: said.id,
      statement,
      signature,
    })
    .execute()
}
