import { sha256Hex } from '../trust/statement.ts'
import type { Voucher } from '../trust/voucher.ts'
import { encodeName, encodeTbsCertificate, sealCertificate } from '../wire/pkcs/certificate.ts'
import { decodeKey } from '../wire/pkcs/key.ts'
import type { VaultKeys } from './keys.ts'
import { signLater } from './signer.ts'

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
export async function makeCertificate(
  { device, publicKey, identityDays, notAfter }: Pick<Voucher, 'device' | 'publicKey' | 'identityDays' | 'notAfter'>,
  serial: Buffer,
  { ca }: VaultKeys,
): Promise<{ der: Buffer; sha256: string }> {
  const spki = Buffer.from(publicKey, 'base64')
  const tbs = encodeTbsCertificate({
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
  })
  const der = sealCertificate(tbs, await signLater('sha256', tbs, ca.key))
  return { der, sha256: sha256Hex(der) }
}
