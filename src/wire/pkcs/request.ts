import { Fields } from '../der/fields.ts'
import { OID } from '../der/oids.ts'
import { type Element, malformed, readDer } from '../der/read.ts'
import { bitsOf, oidOf, smallIntegerOf, TAG, textOf } from '../der/values.ts'
import { bits, context, integer, oid, sequence, set, utf8 } from '../der/write.ts'
import { algorithmOf, signatureAlgorithm } from './algorithms.ts'
import { decodeKey, publicKeyOf } from './key.ts'
import { verifySigned } from './verify.ts'

/** A certification request (PKCS #10, RFC 2986) as it was read. The subject is what the asker wrote: not judged. */
export interface CertificationRequest {
  /** The exact bytes that were signed. */
  readonly info: Buffer
  readonly subject: Buffer
  readonly spki: Buffer
  readonly challengePassword: string | undefined
  /** Object identifier. */
  readonly signatureAlgorithm: string
  readonly signature: Buffer
}

/** Decodes one DER request. Throws MALFORMED or LIMIT. */
export function decodeRequest(der: Uint8Array): CertificationRequest {
  const fields = new Fields(readDer(der), TAG.sequence, 'request')
  const info = fields.next(TAG.sequence)
  const { identifier } = algorithmOf(fields)
  const signature = bitsOf(fields.next(TAG.bits))
  fields.end()
  return { info: info.raw, ...decodeInfo(info), signatureAlgorithm: identifier, signature }
}

function decodeInfo(info: Element): Pick<CertificationRequest, 'subject' | 'spki' | 'challengePassword'> {
  const fields = new Fields(info, TAG.sequence, 'request')
  if (smallIntegerOf(fields.next(TAG.integer)) !== 0) throw malformed('request: another version than 1.')
  const subject = fields.next(TAG.sequence).raw
  const spki = fields.next(TAG.sequence).raw
  const attributes = fields.optional(0xa0)
  fields.end()
  return { subject, spki, challengePassword: decodeChallenge(attributes?.children ?? []) }
}

function decodeChallenge(attributes: readonly Element[]): string | undefined {
  let challenge: string | undefined
  for (const attribute of attributes) {
    const fields = new Fields(attribute, TAG.sequence, 'request attribute')
    const isChallenge = oidOf(fields.next(TAG.oid)) === OID.challengePassword
    const values = fields.next(TAG.set)
    fields.end()
    if (!isChallenge) continue
    const [value, ...others] = values.children
    if (value === undefined || others.length > 0 || challenge !== undefined) {
      throw malformed('request: not exactly one challenge password.')
    }
    challenge = textOf(value)
  }
  return challenge
}

/** Whether the asker holds the private key of the request. False, too, for a key that we would not certify. */
export function verifyRequest(request: CertificationRequest): boolean {
  try {
    const key = publicKeyOf(request.spki)
    return verifySigned(request.info, request.signatureAlgorithm, request.signature, key)
  } catch {
    return false
  }
}

export interface RequestFields {
  readonly subject: Buffer
  readonly spki: Buffer
  readonly challengePassword?: string
}

/** A request in DER; `signer` signs with SHA-256 and the private key that belongs to `spki`. */
export function encodeRequest(fields: RequestFields, signer: (bytes: Buffer) => Buffer): Buffer {
  const challenge = fields.challengePassword
  const attributes = challenge === undefined ? [] : [sequence(oid(OID.challengePassword), set([utf8(challenge)]))]
  const info = sequence(integer(0), fields.subject, fields.spki, context(0, ...attributes))
  return sequence(info, signatureAlgorithm(decodeKey(fields.spki).kind, 'sha256'), bits(signer(info)))
}
