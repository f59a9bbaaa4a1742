import { decodePerson, type Person } from '../../src/people/person.ts'
import { recordAad } from '../../src/trust/directory.ts'
import { hpkeOpen, x25519Private } from '../../src/wire/hpke.ts'
import type { Client } from './shown.ts'

// Sealed rows, tried with keys.

/** A row of console.record as a backup has it. */
export type Sealed = { record_id: string; unit_id: string; version: number; sealed: Buffer }

const opened = (key: Uint8Array, bytes: Uint8Array, aad: Uint8Array): Buffer | undefined => {
  try {
    return hpkeOpen(x25519Private(key), bytes, aad)
  } catch {
    return undefined
  }
}

/** The inner half, by any of these release keys; the associated data are no secret. */
export function openOuter(row: Sealed, keys: Iterable<Uint8Array>, { trusted }: Pick<Client, 'trusted'>) {
  const aad = aadOf('outer', row, trusted)
  for (const key of keys) {
    const inner = opened(key, row.sealed, aad)
    if (inner) return inner
  }
  return undefined
}

/** The person, by any of these keys: an intruder's, or a unit's own. */
export function openInner(
  row: Sealed,
  inner: Uint8Array,
  keys: Iterable<Uint8Array>,
  { trusted }: Pick<Client, 'trusted'>,
): Person | undefined {
  const aad = aadOf('inner', row, trusted)
  for (const key of keys) {
    const bytes = opened(key, inner, aad)
    if (bytes) return decodePerson(bytes)
  }
  return undefined
}

const aadOf = (
  half: 'inner' | 'outer',
  { record_id, unit_id, version }: Sealed,
  { genesisDigest }: Client['trusted'],
) => recordAad(half, { kind: 'person', id: record_id, unit: unit_id, version }, genesisDigest)
