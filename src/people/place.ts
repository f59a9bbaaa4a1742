import { canonical } from '../trust/canonical.ts'
import { type Bytes, concat } from './bytes.ts'

/**
 * The bytes that are signed and authenticated, as src/trust/directory.ts and src/trust/statement.ts make them with Node's modules. A test holds
 * the two against each other.
 */
export type Kind = 'person' | 'device' | 'text'
export type Place = { kind: Kind; id: string; unit: string; version: number }

/** Associated data of a half: moved to another record, version, unit or installation it does not open. */
export const recordAad = (
  half: 'inner' | 'outer',
  { kind, id, unit, version }: Place,
  genesisDigest: Uint8Array,
): Bytes => concat(`bulkhead-record/v1\n${half}\n`, genesisDigest, canonical({ id, kind, unit, version }))

/** What a session's key signs. */
export const sessionBytes = (text: string, type: string, genesisDigest: Uint8Array): Bytes =>
  concat(`${type}\n`, genesisDigest, text)
