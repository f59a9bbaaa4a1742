import { BulkheadError } from '../../base/errors.ts'
import { openErasure, type Signed } from '../../trust/directory.ts'
import { sha256Hex } from '../../trust/statement.ts'
import { type Needs, requireDistinct } from './records.ts'

/**
 * Removes the keys of records for good: in the ledger first, then a new epoch of the keyring, whose old one is destroyed. What is gone already is no
 * mistake, so whoever had no answer asks again. Throws FORBIDDEN where one belongs to another unit; then nothing is erased.
 */
export async function eraseRecords(ask: { erasure: Signed }, needs: Needs) {
  const { keyring, offers, leaves } = needs
  needs.requireOpen()
  const { member, said } = openErasure(ask.erasure, needs.clock(), needs.trusted())
  requireDistinct(said.records)
  const living = () =>
    said.records.filter((place, at) => {
      const row = keyring.find(place)
      if (row && row.unit !== said.unit) throw new BulkheadError('FORBIDDEN', `records[${at}] belongs to another unit.`)
      return row !== undefined
    })
  living()
  const people = said.records.map(({ id }) => keyring.digest(id))
  const of = sha256Hex(ask.erasure.statement)
  const sum = { of, member: member.id, unit: said.unit, count: people.length, people }
  await leaves.once({ type: 'erasure', unique: `erasure:${said.id}`, ...sum })
  let records = 0
  const epoch = await keyring.changeForGood(() => {
    const places = living()
    records = places.length
    return records > 0 ? { type: 'gone', places } : undefined
  })
  offers.forget(said.records)
  globalThis.gc?.() // keys that were used lately stand in OpenSSL's memory until their objects are collected, which overwrites them
  return { records, epoch }
}
