import { BulkheadError } from '../base/errors.ts'
import type { Trusted } from '../trust/roster.ts'
import { type Voucher, verifyVoucher } from '../trust/voucher.ts'
import type { CertificateRow } from './store.ts'

/** The voucher in a row, which proves itself: nothing else of the row is believed but its state. Throws UNPROVEN. */
export function openVoucher(row: CertificateRow, trusted: Trusted): Voucher {
  return verifyVoucher(row.voucher, row.signature, row.sha256, trusted)
}

/** The same for a certificate that is asked for as a valid one. Throws NOT_FOUND, REFUSED, EXPIRED. `now`: seconds. */
export function openValid(row: CertificateRow | undefined, trusted: Trusted, now: number): Voucher {
  if (!row) throw new BulkheadError('NOT_FOUND', 'No such certificate was issued here.')
  const voucher = openVoucher(row, trusted)
  if (row.state !== 'valid') throw new BulkheadError('REFUSED', `The certificate is ${row.state}.`)
  if (voucher.notAfter <= now) throw new BulkheadError('EXPIRED', 'The certificate has expired.')
  return voucher
}
