import { sign } from 'node:crypto'
import { sha256Hex } from '../trust/statement.ts'
import type { Voucher } from '../trust/voucher.ts'
import { encodeName, issueCertificate } from '../wire/pkcs/certificate.ts'
import { decodeKey } from '../wire/pkcs/key.ts'
import type { VaultKeys } from './keys.ts'

const DAY = 86_400 // seconds
const EARLIER = 3_600 // clocks of devices are late

/** When a certificate of so many days that is made now ends: seconds. Never after the CA. */
export function endOf(now: number, days: number, { ca }: VaultKeys): number {
  return Math.min(now + days * DAY, Math.floor(ca.certificate.notAfter.getTime() / 1000))
}

/**
 * A device's certificate. Its name is the device's id, so it tells nothing that the voucher does not. The same arguments give the same
 * bytes (RSA PKCS #1 v1.5 has no randomness): a certificate is made again instead of being kept.
 */
export function makeCertificate(
  { device, publicKey, identityDays, notAfter }: Pick<Voucher, 'device' | 'publicKey' | 'identityDays' | 'notAfter'>,
  serial: Buffer,
  { ca }: VaultKeys,
): { der: Buffer; sha256: string } {
  const spki = Buffer.from(publicKey, 'base64')
  const der = issueCertificate(
    {
      serial,
      issuer: ca.certificate.subject,
      subject: encodeName({ CN: device }),
      notBefore: new Date((notAfter - identityDays * DAY - EARLIER) * 1000),
      notAfter: new Date(notAfter * 1000),
      spki,
      keyUsage: decodeKey(spki).kind === 'rsa' ? ['digitalSignature', 'keyEncipherment'] : ['digitalSignature'],
      extendedKeyUsage: ['clientAuth'],
      authorityKey: ca.certificate.subjectKeyId,
      signature: 'rsa-sha256',
    },
    bytes => sign('sha256', bytes, ca.key),
  )
  return { der, sha256: sha256Hex(der) }
}
