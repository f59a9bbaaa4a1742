import { BulkheadError } from '../base/errors.ts'
import { type Bytes, concat, fromBase64, randomBytes } from './bytes.ts'

/** HPKE as this folder takes it (RFC 9180: X25519, HKDF-SHA256, AES-256-GCM, base mode, single shot): keys are 32 raw bytes, what is sealed is enc ‖ ciphertext ‖ tag. */
export type Hpke = {
  seal(recipient: Bytes, plaintext: Bytes, aad: Bytes): Promise<Bytes>
  /** Throws UNPROVEN where it was sealed to another key, for another place, or changed. */
  open(privateKey: Bytes, sealed: Bytes, aad: Bytes): Promise<Bytes>
}

export type KeyPair = { privateKey: Bytes; publicKey: Bytes }

/** PKCS#8 (RFC 8410) of an X25519 private key is this and its 32 bytes. */
export const X25519_PKCS8 = Uint8Array.from([48, 46, 2, 1, 0, 48, 5, 6, 3, 43, 101, 110, 4, 34, 4, 32])

/** The pair of a private key. Throws MALFORMED where it is not 32 bytes. */
export async function keyPairOf(privateKey: Bytes): Promise<KeyPair> {
  if (privateKey.length !== 32) throw new BulkheadError('MALFORMED', 'An X25519 private key has 32 bytes.')
  const pkcs8 = concat(X25519_PKCS8, privateKey)
  const key = await crypto.subtle.importKey('pkcs8', pkcs8, 'X25519', true, ['deriveBits'])
  const { x } = await crypto.subtle.exportKey('jwk', key)
  return { privateKey, publicKey: fromBase64(x!) }
}

export const makeKeyPair = (): Promise<KeyPair> => keyPairOf(randomBytes(32))
