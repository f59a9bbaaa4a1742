import { type KeyObject, randomBytes, randomUUID } from 'node:crypto'
import type { Pool } from 'pg'
import { deviceAlias } from '../../src/trust/alias.ts'
import type { Tier } from '../../src/trust/invitation.ts'
import { sha256 } from '../../src/trust/statement.ts'
import { signVoucher } from '../../src/trust/voucher.ts'

/** Where devices enrol: the database as its superuser, and what vouchers of this installation are signed with. */
export type EnrolPlace = { owner: Pool; genesisDigest: Buffer; voucherKey: KeyObject; unit: string }
export type EnrolFields = { tier?: Tier; groups?: string[]; state?: string; lastSeen?: Date }
const YEAR = 365 * 86_400

/** The rows of an enrolled device, with a voucher that holds, as an enrolment leaves them. */
export async function enrolDevice(place: EnrolPlace, fields: EnrolFields) {
  const { owner, genesisDigest, voucherKey, unit } = place
  const { tier = 'private', state = 'enrolled', lastSeen = new Date(), groups = [] } = fields
  const device = randomUUID()
  const certificate = sha256(randomBytes(32))
  const enrolledAt = Math.floor(Date.now() / 1000)
  const voucher = {
    type: 'bulkhead-voucher/v1' as const,
    certificate: certificate.toString('hex'),
    publicKey: 'AAAA',
    device,
    path: randomUUID(),
    platform: 'apple' as const,
    tier,
    unit,
    groups,
    invitation: randomUUID(),
    topic: 'com.apple.mgmt.External.test',
    url: 'https://mdm.example.test',
    signed: true,
    previous: '',
    enrolledAt,
    identityDays: 365,
    notAfter: enrolledAt + YEAR,
  }
  const { text, signature } = signVoucher(voucher, genesisDigest, voucherKey)
  await owner.query(
    `insert into vault.certificate (sha256, device_id, path_id, serial, voucher, signature, not_after)
     values ($1, $2, $3, '01', $4, $5, to_timestamp($6))`,
    [certificate, device, voucher.path, text, signature, voucher.notAfter],
  )
  await owner.query(
    `insert into edge.device (device_id, platform, tier, unit_id, state, enrolled_at, last_seen, not_after)
     values ($1, 'apple', $2, $3, $4, now(), $5, to_timestamp($6))`,
    [device, tier, unit, state, lastSeen, voucher.notAfter],
  )
  return { device, alias: deviceAlias(device) }
}
