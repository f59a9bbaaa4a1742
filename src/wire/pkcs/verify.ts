import { type KeyObject, verify } from 'node:crypto'
import { type Digest, type KeyKind, signatureNamed } from './algorithms.ts'
import { keyFits } from './key.ts'

/** Everything a signature is checked against, apart from the key. */
export interface SignedInput {
  readonly bytes: Buffer
  readonly digest: Digest
  readonly kind: KeyKind
}

/** Whether the signature over the input holds. Never throws: a signature that does not decode does not hold. */
export function verifyInput(input: SignedInput, signature: Buffer, key: KeyObject): boolean {
  if (!keyFits(key, input.kind)) return false
  try {
    return verify(input.digest, input.bytes, key, signature)
  } catch {
    return false
  }
}

/** The same for certificates and requests, whose algorithm names key and digest together. */
export function verifySigned(bytes: Buffer, algorithm: string, signature: Buffer, key: KeyObject): boolean {
  const { kind, digest } = signatureNamed(algorithm)
  return digest !== undefined && verifyInput({ bytes, digest, kind }, signature, key)
}
