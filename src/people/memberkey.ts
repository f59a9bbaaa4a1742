import { BulkheadError } from '../base/errors.ts'
import { type Bytes, fromBase64 } from './bytes.ts'
import { hkdf, hmac, sha256 } from './hash.ts'
import { type KeyPair, keyPairOf } from './keys.ts'

/**
 * A member's HPKE key, which units' keys are sealed to: derived anew, each time, from what their passkey's PRF says to this installation's salt.
 * It is stored nowhere. The salt holds the genesis digest, so another installation that has the same passkey gets another key.
 */
export const prfSalt = (genesisDigest: Uint8Array): Bytes => sha256('bulkhead-prf/v1\n', genesisDigest)

/** `prfOutput`: the 32 bytes of WebAuthn's PRF extension for `prfSalt`. Throws MALFORMED for any other length. */
export function memberKeyPair(prfOutput: Uint8Array, genesisDigest: Uint8Array): Promise<KeyPair> {
  if (prfOutput.length !== 32) throw new BulkheadError('MALFORMED', 'The PRF of a passkey answers with 32 bytes.')
  return keyPairOf(hkdf(prfOutput, genesisDigest, 'bulkhead-member-key/v1', 32))
}

/** The PRF of a passkey in a file. `prfSecret`: base64, as in the file. */
export function softwarePrf(prfSecret: string, salt: Uint8Array): Bytes {
  const secret = fromBase64(prfSecret)
  if (secret.length !== 32) throw new BulkheadError('MALFORMED', 'The passkey file has no PRF secret of 32 bytes.')
  return hmac(secret)(salt)
}
