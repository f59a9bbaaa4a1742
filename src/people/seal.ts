import { BulkheadError } from '../base/errors.ts'
import type { Bytes } from './bytes.ts'
import type { Hpke } from './keys.ts'
import { type Place, recordAad } from './place.ts'

/**
 * A record is sealed twice: to the unit's key, which only its operators open, and around that to the record's release key, which only the vault
 * opens, one release at a time. Neither alone reads anything.
 */
export type Recipients = { unitKey: Bytes; releaseKey: Bytes; genesisDigest: Uint8Array }
const MOST_SEALED = 64 * 1024

/** Both halves: the inner one is what a writer signs, `sealed` what is stored. Throws LIMIT where it would be over 64 KiB. */
export async function sealRecord(
  hpke: Hpke,
  plaintext: Bytes,
  place: Place,
  to: Recipients,
): Promise<{ inner: Bytes; sealed: Bytes }> {
  const inner = await hpke.seal(to.unitKey, plaintext, recordAad('inner', place, to.genesisDigest))
  const sealed = await hpke.seal(to.releaseKey, inner, recordAad('outer', place, to.genesisDigest))
  if (sealed.length > MOST_SEALED) throw new BulkheadError('LIMIT', 'A record of more than 64 KiB.')
  return { inner, sealed }
}

/** The inner half, as the vault released it. Throws UNPROVEN where it belongs to another record, version, unit or installation. */
export const openRecord = (
  hpke: Hpke,
  unitPrivateKey: Bytes,
  inner: Bytes,
  place: Place,
  genesisDigest: Uint8Array,
): Promise<Bytes> => hpke.open(unitPrivateKey, inner, recordAad('inner', place, genesisDigest))
