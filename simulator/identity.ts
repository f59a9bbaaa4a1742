import { createPrivateKey, generateKeyPair, type KeyObject, randomBytes, sign } from 'node:crypto'
import { promisify } from 'node:util'
import { decodeCertificate, encodeName, issueCertificate } from '../src/wire/pkcs/certificate.ts'
import { encodeSignedData } from '../src/wire/pkcs/signed-data.ts'

export type KeyType = 'rsa' | 'ec'
export type KeyPair = { privateKey: KeyObject; publicKey: KeyObject }
/** A key and the certificate (DER) that the server gave for it. */
export type Identity = { privateKey: KeyObject; certificate: Buffer }

const generate = promisify(generateKeyPair)

export async function makeKeys(type: KeyType, bits = 2048): Promise<KeyPair> {
  return type === 'rsa' ? generate('rsa', { modulusLength: bits }) : generate('ec', { namedCurve: 'prime256v1' })
}

/** The throw-away signer of a SCEP request: always RSA, because the answer is encrypted to it. */
export function throwAwaySigner(keys: KeyPair, now: Date): Identity {
  const name = encodeName({ CN: 'Throw-away' })
  const certificate = issueCertificate(
    {
      serial: Buffer.concat([Buffer.of(1), randomBytes(15)]),
      issuer: name,
      subject: name,
      notBefore: new Date(now.getTime() - 3_600_000),
      notAfter: new Date(now.getTime() + 86_400_000),
      spki: keys.publicKey.export({ format: 'der', type: 'spki' }),
      keyUsage: ['digitalSignature', 'keyEncipherment'],
      signature: 'rsa-sha256',
    },
    bytes => sign('sha256', bytes, keys.privateKey),
  )
  return { privateKey: keys.privateKey, certificate }
}

/** How an `Mdm-Signature` is shaped; all of these were met in the field. */
export type SignatureShape = { attributes?: boolean; digest?: 'sha1' | 'sha256'; attached?: boolean }

/** The value of an `Mdm-Signature` header: base64 of a CMS over the body, detached unless the shape says otherwise. */
export function mdmSignature(
  body: Uint8Array,
  identity: Identity,
  shape: SignatureShape = {},
  at = new Date(),
): string {
  const { attributes = true, digest = 'sha256', attached = false } = shape
  return encodeSignedData({
    content: body,
    detached: !attached,
    certificates: [identity.certificate],
    signer: {
      certificate: decodeCertificate(identity.certificate),
      digest,
      ...(attributes ? { signingTime: at } : { attributes: false as const }),
      sign: bytes => sign(digest, bytes, identity.privateKey),
    },
  }).toString('base64')
}

/** PEM of an identity, for a TLS client. */
export function identityPem(identity: Identity): { key: string; cert: string } {
  const lines =
    identity.certificate
      .toString('base64')
      .match(/.{1,64}/g)
      ?.join('\n') ?? ''
  return {
    key: String(
      createPrivateKey(identity.privateKey.export({ format: 'pem', type: 'pkcs8' })).export({
        format: 'pem',
        type: 'pkcs8',
      }),
    ),
    cert: `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`,
  }
}
