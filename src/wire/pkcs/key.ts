import { createPublicKey, type KeyObject } from 'node:crypto'
import { BulkheadError } from '../../base/errors.ts'
import { Fields } from '../der/fields.ts'
import { OID } from '../der/oids.ts'
import { malformed, readDer } from '../der/read.ts'
import { bitsOf, integerOf, oidOf, TAG } from '../der/values.ts'
import { type KeyKind, readAlgorithm } from './algorithms.ts'

const RSA_OCTETS = { least: 128, most: 1024 }
const MAX_EXPONENT_OCTETS = 5
const CURVES: ReadonlySet<string> = new Set([OID.prime256v1, OID.secp384r1, OID.secp521r1])

/** Splits a SubjectPublicKeyInfo; `bits` is the key itself, over which key identifiers are made. Throws MALFORMED. */
export function decodeKey(spki: Buffer): { kind: KeyKind; bits: Buffer } {
  const fields = new Fields(readDer(spki), TAG.sequence, 'public key')
  const { identifier, parameters } = readAlgorithm(fields.next(TAG.sequence))
  const bits = bitsOf(fields.next(TAG.bits))
  fields.end()
  if (identifier === OID.rsaEncryption) return { kind: 'rsa', bits }
  const named = identifier === OID.ecPublicKey && parameters?.tag === TAG.oid && CURVES.has(oidOf(parameters))
  if (!named) throw malformed('A public key of a kind or curve that is not accepted.')
  return { kind: 'ecdsa', bits }
}

/**
 * A key to verify or encrypt with: RSA of 1024 to 8192 bits, or a named NIST curve. What is outside is refused with
 * MALFORMED before any arithmetic, so that a stranger's key cannot make one verification cost seconds.
 */
export function publicKeyOf(spki: Buffer): KeyObject {
  const { kind, bits } = decodeKey(spki)
  if (kind === 'rsa') checkSize(bits)
  return parseKey(spki)
}

function checkSize(rsaPublicKey: Buffer): void {
  const fields = new Fields(readDer(rsaPublicKey), TAG.sequence, 'RSA key')
  const modulus = integerOf(fields.next(TAG.integer))
  const exponent = integerOf(fields.next(TAG.integer))
  fields.end()
  // A leading zero octet keeps a number positive and does not count.
  const octets = modulus.length - (modulus[0] === 0 ? 1 : 0)
  const sized = modulus[0]! < 0x80 && octets >= RSA_OCTETS.least && octets <= RSA_OCTETS.most
  if (!sized || exponent.length > MAX_EXPONENT_OCTETS) throw malformed('An RSA key of a size that is not accepted.')
}

function parseKey(spki: Buffer): KeyObject {
  try {
    return createPublicKey({ key: spki, format: 'der', type: 'spki' })
  } catch (cause) {
    throw new BulkheadError('MALFORMED', 'A public key that does not decode.', { cause })
  }
}

/** Whether the key can make signatures of the kind. */
export function keyFits(key: KeyObject, kind: KeyKind): boolean {
  return key.type === 'public' && key.asymmetricKeyType === (kind === 'rsa' ? 'rsa' : 'ec')
}
