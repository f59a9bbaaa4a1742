import { type KeyObject, sign, verify } from 'node:crypto'
import { BulkheadError } from '../base/errors.ts'
import { canonical } from './canonical.ts'
import { MOST_IDENTITY_DAYS, TIERS } from './invitation.ts'
import type { Trusted } from './roster.ts'
import { base64, digest, flag, line, listOf, object, oneOf, text, time, uuid, whole } from './shape.ts'
import { decodeStatement, statementDigest } from './statement.ts'

const shape = object(
  {
    type: oneOf('bulkhead-voucher/v1'),
    certificate: digest, // SHA-256 of the certificate's DER
    publicKey: base64, // SPKI DER
    device: uuid,
    path: uuid, // the path token's id: the URLs this identity may use
    platform: oneOf('apple'),
    tier: oneOf(...TIERS),
    unit: uuid,
    groups: listOf(uuid, 32),
    invitation: uuid,
    topic: text(/^com\.apple\.mgmt\.[A-Za-z0-9.-]{1,200}$/, 'a push topic'),
    url: line, // base of the device's URLs, fixed for the life of the enrolment
    signed: flag, // whether the enrolment profile was CMS-signed: a renewal must be the same
    previous: text(/^([0-9a-f]{64})?$/, 'the certificate before, or empty'),
    enrolledAt: time,
    identityDays: whole(1, MOST_IDENTITY_DAYS), // life of its certificates, from the invitation
    notAfter: time,
  },
  { release: base64 }, // X25519, raw: the outer key of what the device reports; vouchers of old have none
)
export type Voucher = ReturnType<typeof shape>

/** The vault's statement that a certificate belongs to a device. Signature: Ed25519 over the statement digest, base64. */
export function signVoucher(
  voucher: Voucher,
  genesisDigest: Buffer,
  key: KeyObject,
): { text: string; signature: string } {
  const text = canonical(shape(voucher, 'voucher'))
  return {
    text,
    signature: sign(null, statementDigest('bulkhead-voucher/v1', genesisDigest, text), key).toString('base64'),
  }
}

/** Throws UNPROVEN unless the vault of this installation signed exactly this text for this certificate. */
export function verifyVoucher(statement: string, signature: string, certificate: string, trusted: Trusted): Voucher {
  const signed = statementDigest('bulkhead-voucher/v1', trusted.genesisDigest, statement)
  if (!verify(null, signed, trusted.voucherKey, Buffer.from(signature, 'base64')))
    throw new BulkheadError('UNPROVEN', 'A voucher that the vault did not sign.')
  const voucher = decodeStatement(statement, shape, 'voucher')
  if (voucher.certificate !== certificate) throw new BulkheadError('UNPROVEN', 'A voucher for another certificate.')
  return voucher
}
