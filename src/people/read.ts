import { BulkheadError } from '../base/errors.ts'
import { parseCanonical } from '../trust/canonical.ts'
import { alias, digest, object, oneOf, uuid, whole } from '../trust/shape.ts'
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
export type Released = SignedRecord & { id: string; inner: string }
/** A writer that the caller has verified: its approval, that its member is an operator of the unit, its time. */
export type KnownWriter = { id: string; unit: string; key: string }
/** `proven`: why not, else nothing. */
export type Opened = { id: string; version: number; alias: string; person: Person; unproven?: string }

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
  if (id !== released.id || kind !== 'person' || unit !== using.unit)
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
