import { BulkheadError } from '../../base/errors.ts'
import { Fields } from '../der/fields.ts'
import { OID } from '../der/oids.ts'
import type { Element } from '../der/read.ts'
import { oidOf, TAG } from '../der/values.ts'
import { nothing, oid, sequence } from '../der/write.ts'

export type Digest = 'sha1' | 'sha256' | 'sha384' | 'sha512'
export type KeyKind = 'rsa' | 'ecdsa'

/** A signature algorithm; `digest` is absent where the structure around it names the digest (CMS with plain RSA). */
export interface SignatureAlgorithm {
  readonly kind: KeyKind
  readonly digest?: Digest
}

const digests: ReadonlyMap<string, Digest> = new Map([
  [OID.sha1, 'sha1'],
  [OID.sha256, 'sha256'],
  [OID.sha384, 'sha384'],
  [OID.sha512, 'sha512'],
])

const signatures: ReadonlyMap<string, SignatureAlgorithm> = new Map<string, SignatureAlgorithm>([
  [OID.rsaEncryption, { kind: 'rsa' }],
  [OID.sha1WithRSA, { kind: 'rsa', digest: 'sha1' }],
  [OID.sha256WithRSA, { kind: 'rsa', digest: 'sha256' }],
  [OID.sha384WithRSA, { kind: 'rsa', digest: 'sha384' }],
  [OID.sha512WithRSA, { kind: 'rsa', digest: 'sha512' }],
  [OID.ecPublicKey, { kind: 'ecdsa' }],
  [OID.ecdsaWithSHA1, { kind: 'ecdsa', digest: 'sha1' }],
  [OID.ecdsaWithSHA256, { kind: 'ecdsa', digest: 'sha256' }],
  [OID.ecdsaWithSHA384, { kind: 'ecdsa', digest: 'sha384' }],
  [OID.ecdsaWithSHA512, { kind: 'ecdsa', digest: 'sha512' }],
])

/** Throws UNPROVEN for a digest we do not compute, such as MD5. */
export function digestNamed(identifier: string): Digest {
  const digest = digests.get(identifier)
  if (digest === undefined) throw new BulkheadError('UNPROVEN', `Digest algorithm ${identifier} is not accepted.`)
  return digest
}

/** Throws UNPROVEN for a signature algorithm we do not verify. */
export function signatureNamed(identifier: string): SignatureAlgorithm {
  const found = signatures.get(identifier)
  if (found === undefined) throw new BulkheadError('UNPROVEN', `Signature algorithm ${identifier} is not accepted.`)
  return found
}

export function digestAlgorithm(digest: Digest): Buffer {
  return sequence(oid(OID[digest]), nothing())
}

/** The signature algorithm of a certificate or a request: digest and key in one (RFC 3279, RFC 5758). */
export function signatureAlgorithm(kind: KeyKind, digest: Digest): Buffer {
  for (const [identifier, known] of signatures) {
    if (known.kind !== kind || known.digest !== digest) continue
    return kind === 'rsa' ? sequence(oid(identifier), nothing()) : sequence(oid(identifier))
  }
  throw new BulkheadError('BAD_REQUEST', `There is no ${kind} signature with ${digest}.`)
}

/** The object identifier of an AlgorithmIdentifier, and its parameters where it has any. */
export function algorithmOf(from: Fields): { identifier: string; parameters: Element | undefined } {
  return readAlgorithm(from.next(TAG.sequence))
}

export function readAlgorithm(element: Element): { identifier: string; parameters: Element | undefined } {
  const fields = new Fields(element, TAG.sequence, 'algorithm')
  const identifier = oidOf(fields.next(TAG.oid))
  const parameters = element.children.length > 1 ? fields.any() : undefined
  fields.end()
  return { identifier, parameters }
}
