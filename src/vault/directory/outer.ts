import { BulkheadError } from '../../base/errors.ts'
import { recordAad } from '../../trust/directory.ts'
import { sha256 } from '../../trust/statement.ts'
import { hpkeOpen, hpkeSeal, x25519Private } from '../../wire/hpke.ts'
import { publicOf } from './offers.ts'
import { type Row, UNBOUND } from './rows.ts'

/** The inner half in an outer one: of exactly this version, and what its writer signed. Undefined where it is not. */
export function openOuter(key: Buffer, row: Row, sealed: Buffer, genesisDigest: Buffer): Buffer | undefined {
  try {
    const inner = hpkeOpen(x25519Private(key), sealed, recordAad('outer', row, genesisDigest))
    const unbound = row.kind === 'device' && row.body.equals(UNBOUND)
    return unbound || sha256(inner).equals(row.body) ? inner : undefined
  } catch (error) {
    if (error instanceof BulkheadError) return undefined
    throw error
  }
}

export const sealOuter = (key: Buffer, row: Row, inner: Buffer, genesisDigest: Buffer): Buffer =>
  hpkeSeal(publicOf(key), inner, recordAad('outer', row, genesisDigest))
