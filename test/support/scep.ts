import { createPublicKey, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'
import { decodeCertificate, encodeName, issueCertificate } from '../../src/wire/pkcs/certificate.ts'
import type { ContentAlgorithm } from '../../src/wire/pkcs/enveloped-data.ts'
import { encodeRequest } from '../../src/wire/pkcs/request.ts'
import { decodeSignedData } from '../../src/wire/pkcs/signed-data.ts'
import { type CertRep, decodeCertRep } from '../../src/wire/scep/certrep.ts'
import { encodePkcsReq } from '../../src/wire/scep/pkcsreq.ts'

/** RSA keys are slow to make, and most tests need no fresh ones: one for each name. */
const keys = new Map<string, KeyObject>()
export function testKey(name: string, modulusLength = 2048): KeyObject {
  let key = keys.get(name)
  if (!key) {
    key = generateKeyPairSync('rsa', { modulusLength }).privateKey
    keys.set(name, key)
  }
  return key
}

export const spkiOf = (key: KeyObject): Buffer => createPublicKey(key).export({ format: 'der', type: 'spki' })

/** A certificate that signs itself, as SCEP clients make one for a single request. */
export function throwAway(key: KeyObject): Buffer {
  const name = encodeName({ CN: 'SCEP request' })
  return issueCertificate(
    {
      serial: randomBytes(8),
      issuer: name,
      subject: name,
      notBefore: new Date(Date.now() - 3_600_000),
      notAfter: new Date(Date.now() + 86_400_000),
      spki: spkiOf(key),
      keyUsage: ['digitalSignature', 'keyEncipherment'],
      signature: key.asymmetricKeyType === 'rsa' ? 'rsa-sha256' : 'ecdsa-sha256',
    },
    bytes => sign('sha256', bytes, key),
  )
}

export type ScepFields = {
  challenge?: string | undefined
  /** The key to be certified. */
  key?: KeyObject
  messageType?: 'PKCSReq' | 'RenewalReq'
  signer?: { key: KeyObject; certificate: Buffer }
  contentAlgorithm?: ContentAlgorithm
  digest?: 'sha1' | 'sha256'
  transactionID?: string
  /** The request in DER, instead of a fresh one. */
  request?: Buffer
}

export type ScepRequest = { bytes: Buffer; request: Buffer; open(answer: Buffer): CertRep }

/** A PKIOperation and the way to read its answer. `certsOnly`: what GetCACert gave. */
export function scepRequest(certsOnly: Buffer, fields: ScepFields): ScepRequest {
  const serverCertificates = decodeSignedData(certsOnly).certificates
  const ra = serverCertificates.find(der => !decodeCertificate(der).isCa)!
  const key = fields.key ?? testKey('device')
  const signerKey = fields.signer?.key ?? testKey('throw-away')
  const signerCertificate = fields.signer?.certificate ?? throwAway(signerKey)
  const request = fields.request ?? certificationRequest(key, fields.challenge)
  const digest = fields.digest ?? 'sha256'
  const transactionID = fields.transactionID ?? randomBytes(16).toString('hex')
  const senderNonce = randomBytes(16)
  const bytes = encodePkcsReq({
    messageType: fields.messageType ?? 'PKCSReq',
    request,
    transactionID,
    senderNonce,
    signerCertificate,
    sign: data => sign(digest, data, signerKey),
    recipientCertificate: ra,
    contentAlgorithm: fields.contentAlgorithm ?? 'aes-128-cbc',
    digest,
    randomBytes,
  })
  const reader = {
    serverCertificates,
    recipientCertificate: signerCertificate,
    privateKey: signerKey,
    transactionID,
    senderNonce,
  }
  return { bytes, request, open: answer => decodeCertRep(answer, reader) }
}

export function certificationRequest(
  key: KeyObject,
  challenge: string | undefined,
  subject = encodeName({ CN: 'Bulkhead device' }),
): Buffer {
  const password = challenge === undefined ? {} : { challengePassword: challenge }
  const fields = { subject, spki: spkiOf(key), ...password }
  return encodeRequest(fields, bytes => sign('sha256', bytes, key))
}
