import type { Trusted } from '../../trust/roster.ts'
import { type Voucher, verifyVoucher } from '../../trust/voucher.ts'

export type VoucherRow = { sha256: Buffer; device_id: string; voucher: string; signature: string }
/** The voucher of a certificate row, or undefined where the vault did not sign it for this device. */
export type VoucherReader = (row: VoucherRow) => Voucher | undefined

const MOST_KEPT = 150_000

/** Tier and groups come from here and never from a table. Verified ones are kept: a signature costs more than a look-up. */
export function voucherReader(trusted: Trusted): VoucherReader {
  const kept = new Map<string, { signature: string; voucher: Voucher }>()
  return row => {
    const name = row.sha256.toString('hex')
    const known = kept.get(name)
    const voucher = known?.signature === row.signature ? known.voucher : opened(row, name, trusted)
    if (voucher === undefined || voucher.device !== row.device_id) return undefined
    if (kept.size >= MOST_KEPT) kept.clear()
    kept.set(name, { signature: row.signature, voucher })
    return voucher
  }
}

function opened(row: VoucherRow, certificate: string, trusted: Trusted): Voucher | undefined {
  try {
    return verifyVoucher(row.voucher, row.signature, certificate, trusted)
  } catch {
    return undefined
  }
}
