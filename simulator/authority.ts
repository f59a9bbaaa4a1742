import { generateKeyPairSync, type KeyObject, randomBytes, randomUUID, sign } from 'node:crypto'
import {
  type CertificateFields,
  decodeCertificate,
  encodeName,
  issueCertificate,
} from '../src/wire/pkcs/certificate.ts'
import { decodeRequest } from '../src/wire/pkcs/request.ts'

/** Plays Apple's certificate authority: for the push service itself, and for the push certificate of an MDM server. All PEM. */
export type Authority = { ca: string; server: { key: string; cert: string }; certify(csr: string): string }

const DAY = 86_400_000
const authorityName = encodeName({ CN: 'Simulated push authority' })

export function createAuthority(): Authority {
  const root = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const leaf = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const ca = issue(root.privateKey, {
    subject: authorityName,
    spki: spkiOf(root.publicKey),
    isCa: true,
    keyUsage: ['keyCertSign'],
  })
  const authorityKey = decodeCertificate(ca).subjectKeyId
  const server = issue(root.privateKey, {
    subject: encodeName({ CN: '127.0.0.1' }),
    spki: spkiOf(leaf.publicKey),
    keyUsage: ['digitalSignature'],
    extendedKeyUsage: ['serverAuth'],
    subjectAltNames: { ip: [Buffer.from([127, 0, 0, 1])], dns: ['localhost'] },
    authorityKey,
  })
  return {
    ca: pem('CERTIFICATE', ca),
    server: {
      key: leaf.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
      cert: pem('CERTIFICATE', server),
    },
    certify(csr) {
      const { spki } = decodeRequest(Buffer.from(csr.replace(/-----[A-Z ]+-----|\s/g, ''), 'base64'))
      const subject = encodeName({ UID: `com.apple.mgmt.External.${randomUUID()}`, CN: 'Simulated push certificate' })
      return pem('CERTIFICATE', issue(root.privateKey, { subject, spki, keyUsage: ['digitalSignature'], authorityKey }))
    },
  }
}

type Fields = Omit<CertificateFields, 'serial' | 'issuer' | 'notBefore' | 'notAfter' | 'signature'>

function issue(key: KeyObject, fields: Fields): Buffer {
  const now = Date.now()
  return issueCertificate(
    {
      ...fields,
      serial: Buffer.concat([Buffer.from([1]), randomBytes(11)]),
      issuer: authorityName,
      notBefore: new Date(now - DAY),
      notAfter: new Date(now + 365 * DAY),
      signature: 'ecdsa-sha256',
    },
    bytes => sign('sha256', bytes, key),
  )
}

const spkiOf = (key: KeyObject) => key.export({ format: 'der', type: 'spki' })
const pem = (label: string, der: Buffer) =>
  `-----BEGIN ${label}-----\n${der
    .toString('base64')
    .match(/.{1,64}/g)!
    .join('\n')}\n-----END ${label}-----\n`
