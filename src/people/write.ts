import { BulkheadError } from '../base/errors.ts'
import { parseCanonical } from '../trust/canonical.ts'
import { base64, listOf, object, oneOf, time, uuid } from '../trust/shape.ts'
import { personAlias } from './alias.ts'
import { type Bytes, fromBase64, toBase64 } from './bytes.ts'
import type { Hpke } from './keys.ts'
import { encodePerson, type Person } from './person.ts'
import { sealRecord } from './seal.ts'
import { requireSignature, type SignedRecord, signRecord, type WriterSession } from './session.ts'
import type { Index } from './tokens.ts'

/** In one call of the server's. */
export const BATCH = 1000
const KINDS = ['person', 'device', 'text'] as const
const releaseKeysShape = object({
  type: oneOf('bulkhead-release-keys/v1'),
  at: time,
  keys: listOf(object({ kind: oneOf(...KINDS), id: uuid, key: base64 }), BATCH),
})

/** The vault's word on the outer keys of records: id → 32 raw bytes. `voucherKey`: the roster's. Throws UNPROVEN where the vault did not say it. */
export async function openReleaseKeys(
  said: SignedRecord,
  voucherKey: string,
  genesisDigest: Uint8Array,
): Promise<Map<string, Bytes>> {
  await requireSignature(voucherKey, said, 'bulkhead-release-keys/v1', genesisDigest)
  const { keys } = releaseKeysShape(parseCanonical(said.statement), 'release keys')
  return new Map(keys.map(({ id, key }) => [id, fromBase64(key)]))
}

/** One person to write. `version`: one more than the server has, 1 for somebody new. */
export type Writing = { id: string; version: number; person: Person }
/** As POST /people/write takes it. `tokens` are null where a feeder writes, who cannot index. */
export type Written = SignedRecord & { sealed: string; tokens: number[] | null }
export type WritingWith = {
  session: WriterSession
  unitKey: Bytes // public
  releaseKeys: Map<string, Bytes>
  genesisDigest: Uint8Array
  hpke: Hpke
  index: Index | undefined
}

/** Seals, signs and indexes up to 1,000 people. Throws UNPROVEN where the vault gave no key for one of them. */
export async function writePeople(people: Writing[], using: WritingWith): Promise<Written[]> {
  if (people.length > BATCH) throw new BulkheadError('LIMIT', `More than ${BATCH} people at once.`)
  const written: Written[] = []
  for (let at = 0; at < people.length; at += AT_ONCE)
    written.push(...(await Promise.all(people.slice(at, at + AT_ONCE).map(one => writePerson(one, using)))))
  return written
}
const AT_ONCE = 16 // WebCrypto works beside this thread

async function writePerson({ id, version, person }: Writing, using: WritingWith): Promise<Written> {
  const { session, unitKey, genesisDigest, hpke, index } = using
  const releaseKey = using.releaseKeys.get(id)
  if (!releaseKey) throw new BulkheadError('UNPROVEN', `The vault gave no key for ${personAlias(id)}.`)
  const place = { kind: 'person' as const, id, unit: session.unit, version }
  const { inner, sealed } = await sealRecord(hpke, encodePerson(person), place, { unitKey, releaseKey, genesisDigest })
  const signed = await signRecord(session, { ...place, alias: personAlias(id), inner }, genesisDigest)
  return { ...signed, sealed: toBase64(sealed), tokens: index?.tokensOf(person) ?? null }
}
