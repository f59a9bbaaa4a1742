import { type KeyObject, sign } from 'node:crypto'
import { promisify } from 'node:util'
import type { SignerFound } from '../intake/api.ts'
import { OID } from '../wire/der/oids.ts'
import { readDer } from '../wire/der/read.ts'
import { octetsOf, oidOf } from '../wire/der/values.ts'
import { type Signer, verifySigner } from '../wire/pkcs/signed-data.ts'

/** Signs on another thread: an RSA signature takes half a millisecond, in which the vault answers others. */
export const signLater = promisify(sign)

/**
 * Whether the key's owner signed exactly this content. Intake only found the parts: the digest of the content is taken from the
 * very bytes that the signature is over. Never throws.
 */
export function verifyFound(found: SignerFound, content: Uint8Array, key: KeyObject): boolean {
  try {
    const attributes = found.attributes === null ? undefined : Buffer.from(found.attributes, 'base64')
    const signer: Signer = {
      subjectKeyId: Buffer.alloc(0),
      digestAlgorithm: OID[found.digest],
      signatureAlgorithm: key.asymmetricKeyType === 'rsa' ? OID.rsaEncryption : OID.ecPublicKey,
      signedAttributes: attributes && {
        bytesToVerify: attributes,
        contentType: undefined,
        others: new Map(),
        messageDigest: digestIn(attributes),
      },
      signature: Buffer.from(found.signature, 'base64'),
    }
    return verifySigner(signer, content, key)
  } catch {
    return false
  }
}

/** The one messageDigest in a SET OF Attribute; two make it undefined. */
function digestIn(attributes: Buffer): Buffer | undefined {
  const found = readDer(attributes).children.filter(
    ({ children: [name] }) => name !== undefined && oidOf(name) === OID.messageDigest,
  )
  const value = found.length === 1 ? found[0]!.children[1]?.children[0] : undefined
  return value && octetsOf(value)
}
