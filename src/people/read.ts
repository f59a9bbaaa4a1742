import { BulkheadError } from '../base/errors.ts'
import { parseCanonical } from '../trust/canonical.ts'
import { alias, digest, listOf, object, oneOf, uuid, whole } from '../trust/shape.ts'
import { type Bytes, fromBase64, toHex } from './bytes.ts'
import { sha256 } from './hash.ts'
import type { Hpke } from './keys.ts'
import { decodePerson, type Person } from './person.ts'
import { openRecord } from './seal.ts'
import { requireSignature, type SignedRecord } from './session.ts'

const recordShape = object({
  type: oneOf('bulkhead-record/v1'),
  kind: oneOf('person', 'device', 'text'),
  id: uuid,
  unit: uuid,
  version: whole(1, 1_000_000_000),
  alias,
  body: digest,
  writer: uuid,
})

/** What POST /people/release answers of one record. `inner`: base64. */
export type Released = SignedRecord & { id: string; version: number; inner: string }
/** A writer that the caller has verified: its approval, that its member is an operator of the unit, its time. */
export type KnownWriter = { id: string; unit: string; key: string }
/** `proven`: why not, else nothing. */
export type Opened = { id: string; version: number; alias: string; person: Person; unproven?: string }

const openedShape = object({
  type: oneOf('bulkhead-opened/v1'),
  request: digest,
  states: listOf(oneOf('ok', 'stale', 'unknown'), 1000),
})
type Answer = { vault: SignedRecord; records: { kind?: string; id: string; version: number; state: string }[] }

/**
 * What the server answers is what the vault said of this very request. Throws UNPROVEN: else somebody in between could show a version that was
 * opened before as the current one. `voucherKey`: the roster's.
 */
export async function requireVaultAnswer(
  { vault, records }: Answer,
  request: string,
  { voucherKey, genesisDigest }: { voucherKey: string; genesisDigest: Uint8Array },
): Promise<void> {
  await requireSignature(voucherKey, vault, 'bulkhead-opened/v1', genesisDigest)
  const opened = openedShape(parseCanonical(vault.statement), 'what the vault opened')
  const asked = (JSON.parse(request) as { records: { id: string; version: number }[] }).records
  const same =
    opened.request === toHex(sha256(request)) &&
    asked.length === records.length &&
    asked.every(({ id, version }, at) => {
      const record = records[at]!
      return record.id === id && record.version === version && record.state === opened.states[at]
    })
  if (!same) throw new BulkheadError('UNPROVEN', 'The server gave another answer than the vault.')
}

/**
 * A person that was released. Throws UNPROVEN where the half does not open in its place; what opens but is not signed by a known writer is given
 * with the reason, to be shown as unproven.
 */
export async function openPerson(
  released: Released,
  writer: KnownWriter | undefined,
  using: { hpke: Hpke; unit: string; unitPrivateKey: Bytes; genesisDigest: Uint8Array },
): Promise<Opened> {
  const { id, version, kind, unit, ...record } = recordShape(parseCanonical(released.statement), 'record')
  if (id !== released.id || version !== released.version || kind !== 'person' || unit !== using.unit)
    throw new BulkheadError('UNPROVEN', 'The server gave another record than the one that was asked for.')
  const place = { kind, id, unit, version }
  const inner = fromBase64(released.inner)
  if (toHex(sha256(inner)) !== record.body)
    throw new BulkheadError('UNPROVEN', 'The server gave other bytes than those that were written.')
  const person = decodePerson(await openRecord(using.hpke, using.unitPrivateKey, inner, place, using.genesisDigest))
  const unproven = await whyUnproven(released, record.writer, unit, writer, using.genesisDigest)
  return { id, version, alias: record.alias, person, ...(unproven === undefined ? {} : { unproven }) }
}

async function whyUnproven(
  released: Released,
  named: string,
  unit: string,
  writer: KnownWriter | undefined,
  genesisDigest: Uint8Array,
): Promise<string | undefined> {
  if (!writer || writer.id !== named || writer.unit !== unit) return 'Nobody who may write here has signed it.'
  try {
    await requireSignature(writer.key, released, 'bulkhead-record/v1', genesisDigest)
    return undefined
  } catch (error) {
    if (error instanceof BulkheadError) return error.message
    throw error
  }
}
