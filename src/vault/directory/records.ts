import { type KeyObject, sign } from 'node:crypto'
import { BulkheadError } from '../../base/errors.ts'
import { canonical } from '../../trust/canonical.ts'
import {
  type DirectoryRecord,
  type Opened,
  openWriter,
  type ReleaseKeys,
  recordShape,
  requireSession,
  type Signed,
  sessionBytes,
  type Writer,
} from '../../trust/directory.ts'
import type { Trusted } from '../../trust/roster.ts'
import { decodeStatement, sha256Hex } from '../../trust/statement.ts'
import type { Leaves } from '../leaves.ts'
import type { Keyring } from './keyring.ts'
import type { Offers } from './offers.ts'
import { nameOf, type Place, type Row } from './rows.ts'

export type Needs = {
  keyring: Keyring
  offers: Offers
  leaves: Leaves
  voucher: KeyObject
  trusted: () => Trusted
  /** Throws UNAVAILABLE while everything is frozen, or while nobody knows whether it is. */
  requireOpen: () => void
  /** Seconds. */
  clock: () => number
  trace: (code: string, fields?: { reason?: string; count?: number }) => void
}

/** Signed public keys for these records: the present ones, and new ones for those that do not exist. Throws as `openWriter` does. */
export function releaseKeys(ask: { writer: Signed; records: Place[] }, needs: Needs) {
  const { keyring, offers, voucher, clock } = needs
  const trusted = needs.trusted()
  const { unit } = openWriter(ask.writer, clock(), trusted).said
  requireDistinct(ask.records)
  ask.records.forEach((place, at) => void requireUnit(keyring.find(place), unit, at))
  const keys = ask.records.map(place => ({ ...place, key: offers.offer(place, unit).toString('base64') }))
  return vouchFor({ type: 'bulkhead-release-keys/v1', at: clock(), keys }, voucher, trusted)
}

/** The vault's own word, which clients verify: the console stands in between. */
export function vouchFor(said: ReleaseKeys | Opened, voucher: KeyObject, { genesisDigest }: Trusted): Written {
  const statement = canonical(said)
  const signature = sign(null, sessionBytes(statement, said.type, genesisDigest), voucher)
  return { statement, signature: signature.toString('base64') }
}

type Written = { statement: string; signature: string }

/**
 * Takes new versions, all or none: on the keyring's disk and in the ledger when it returns. The same again is taken again. Throws UNPROVEN,
 * FORBIDDEN, CONFLICT, naming the place.
 */
export async function writeRecords(ask: { writer: Signed; records: Written[] }, needs: Needs): Promise<void> {
  const { keyring, leaves } = needs
  needs.requireOpen()
  const trusted = needs.trusted()
  const { member, said: writer } = openWriter(ask.writer, needs.clock(), trusted)
  const records = ask.records.map((written, at) => naming(at, () => openRecord(written, writer, trusted)))
  requireDistinct(records)
  if (records.length === 0) return
  const { id, unit, feeder, expiresAt } = writer
  const of = sha256Hex(ask.writer.statement)
  const fresh = { type: 'writer', unique: `writer:${id}`, of, member: member.id, unit, feeder, expiresAt } as const
  await leaves.once(fresh)
  await keyring.change(() => {
    const rows = records.flatMap((record, at) => naming(at, () => nextRow(record, needs)) ?? [])
    return rows.length > 0 ? { type: 'rows', rows } : undefined
  })
  needs.offers.forget(records)
  const digest = keyring.digest(records.map(record => canonical(record)).join('\n'))
  const count = records.length
  await leaves.once({ type: 'records', unique: `records:${id}:${digest}`, writer: id, unit, count, digest })
}

function openRecord({ statement, signature }: Written, writer: Writer, trusted: Trusted): DirectoryRecord {
  const record = decodeStatement(statement, recordShape, 'record')
  requireSession(writer.key, statement, 'bulkhead-record/v1', signature, trusted)
  if (record.writer !== writer.id || record.unit !== writer.unit)
    throw new BulkheadError('UNPROVEN', 'It names another writer or unit.')
  return record
}

/** Undefined where that very version is there. */
function nextRow(record: DirectoryRecord, { keyring, offers }: Needs): Row | undefined {
  const { kind, id, unit, version } = record
  const row = keyring.find(record)
  const body = Buffer.from(record.body, 'hex')
  requireUnit(row, unit)
  if (row?.version === version && row.body.equals(body)) return undefined
  if (version !== (row?.version ?? 0) + 1)
    throw new BulkheadError('CONFLICT', `Version ${version} does not follow version ${row?.version ?? 0}.`, {
      remedy: 'Somebody else has changed it: read it again, then write.',
    })
  const key = offers.accept(record, unit)
  if (!key)
    throw new BulkheadError(
      'CONFLICT',
      'Its release key was not handed out within ten minutes, or is another one now.',
      {
        remedy: 'Ask for its key again and seal it to that.',
      },
    )
  const made = row?.key.equals(key) ? row.made : keyring.epoch
  return { kind, id, unit, version, made, body, key }
}

function requireUnit(row: Row | undefined, unit: string, at?: number) {
  if (row === undefined || row.unit === unit) return
  throw new BulkheadError('FORBIDDEN', `${at === undefined ? 'It' : `records[${at}]`} belongs to another unit.`)
}

export function requireDistinct(places: readonly Place[]) {
  if (new Set(places.map(nameOf)).size < places.length)
    throw new BulkheadError('BAD_REQUEST', 'One record is named twice.')
}

function naming<T>(at: number, run: () => T): T {
  try {
    return run()
  } catch (error) {
    if (!(error instanceof BulkheadError)) throw error
    const { code, message, remedy } = error
    throw new BulkheadError(code, `records[${at}]: ${message}`, {
      cause: error,
      ...(remedy !== undefined && { remedy }),
    })
  }
}
