import { createHash, type KeyObject } from 'node:crypto'
import { Fields } from '../der/fields.ts'
import { OID } from '../der/oids.ts'
import { type Element, malformed, readDer } from '../der/read.ts'
import { bitsOf, integerOf, smallIntegerOf, TAG, timeOf } from '../der/values.ts'
import { bits, context, integer, sequence, time } from '../der/write.ts'
import { algorithmOf, signatureAlgorithm } from './algorithms.ts'
import {
  type AltNames,
  decodeExtensions,
  type Extensions,
  encodeAltNames,
  encodeConstraints,
  encodeExtensions,
  encodeKeyIds,
  encodePurposes,
  encodeUsage,
  type KeyUsage,
  type Purpose,
} from './extensions.ts'
import { decodeKey } from './key.ts'
import { nameParts } from './name.ts'
import { verifySigned } from './verify.ts'

export { encodeName } from './name.ts'

/** An X.509 certificate as it was read; nothing in it is verified. Names and keys are their exact DER. */
export interface Certificate extends Omit<Extensions, 'all'> {
  readonly der: Buffer
  /** The exact bytes that the issuer signed. */
  readonly tbs: Buffer
  /** The contents octets of the INTEGER, so with a leading zero where the first bit is set. */
  readonly serial: Buffer
  readonly issuer: Buffer
  readonly subject: Buffer
  readonly subjectCommonName: string | undefined
  /** The last UID attribute, which is the topic in a push certificate. */
  readonly subjectUid: string | undefined
  readonly notBefore: Date
  readonly notAfter: Date
  readonly spki: Buffer
  /** Object identifier; the inner and the outer one agree. */
  readonly signatureAlgorithm: string
  readonly signature: Buffer
  readonly extensions: Extensions['all']
}

/** Decodes one DER certificate (RFC 5280, 4.1). Throws MALFORMED or LIMIT. */
export function decodeCertificate(der: Uint8Array): Certificate {
  const whole = readDer(der)
  const fields = new Fields(whole, TAG.sequence, 'certificate')
  const tbs = fields.next(TAG.sequence)
  const algorithm = fields.next(TAG.sequence)
  const signature = bitsOf(fields.next(TAG.bits))
  fields.end()
  return { der: whole.raw, tbs: tbs.raw, ...decodeTbs(tbs, algorithm), signature }
}

function decodeTbs(tbs: Element, outer: Element): Omit<Certificate, 'der' | 'tbs' | 'signature'> {
  const fields = new Fields(tbs, TAG.sequence, 'certificate')
  const version = fields.optional(0xa0)
  if (version) checkVersion(version)
  const serial = integerOf(fields.next(TAG.integer))
  if (!outer.raw.equals(tbs.children[version ? 2 : 1]?.raw ?? Buffer.alloc(0))) {
    throw malformed('certificate: two signature algorithms.')
  }
  const { identifier } = algorithmOf(fields)
  const issuer = fields.next(TAG.sequence).raw
  const validity = decodeValidity(fields.next(TAG.sequence))
  const subject = fields.next(TAG.sequence)
  const spki = fields.next(TAG.sequence).raw
  fields.optional(0x81)
  fields.optional(0x82)
  const { all, ...known } = decodeExtensions(fields.optional(0xa3))
  fields.end()
  const named = subjectTexts(subject)
  return { serial, signatureAlgorithm: identifier, issuer, ...validity, ...named, spki, extensions: all, ...known }
}

function checkVersion(explicit: Element): void {
  const fields = new Fields(explicit, 0xa0, 'certificate')
  if (smallIntegerOf(fields.next(TAG.integer)) > 2) throw malformed('certificate: a version above 3.')
  fields.end()
}

function decodeValidity(validity: Element): { notBefore: Date; notAfter: Date } {
  const fields = new Fields(validity, TAG.sequence, 'validity')
  const [notBefore, notAfter] = [timeOf(fields.any()), timeOf(fields.any())]
  fields.end()
  return { notBefore, notAfter }
}

function subjectTexts(subject: Element): Pick<Certificate, 'subject' | 'subjectCommonName' | 'subjectUid'> {
  const parts = nameParts(subject)
  const last = (identifier: string) => parts.findLast(part => part.identifier === identifier)?.value
  return { subject: subject.raw, subjectCommonName: last(OID.commonName), subjectUid: last(OID.userId) }
}

/** Whether the certificate was signed with the key. Says nothing about names, dates or purposes. */
export function verifyCertificate(certificate: Certificate, issuerKey: KeyObject): boolean {
  return verifySigned(certificate.tbs, certificate.signatureAlgorithm, certificate.signature, issuerKey)
}

/** SHA-1 over the key bits, the usual key identifier (RFC 5280, 4.2.1.2). */
export function keyIdentifier(spki: Buffer): Buffer {
  return createHash('sha1').update(decodeKey(spki).bits).digest()
}

export interface CertificateFields {
  /** Positive, big-endian, at most 20 octets. */
  readonly serial: Uint8Array
  /** The issuer's subject, byte for byte. */
  readonly issuer: Buffer
  readonly subject: Buffer
  readonly notBefore: Date
  readonly notAfter: Date
  readonly spki: Buffer
  readonly isCa?: boolean
  readonly keyUsage: readonly KeyUsage[]
  readonly extendedKeyUsage?: readonly Purpose[]
  readonly subjectAltNames?: AltNames
  /** The issuer's subjectKeyId (see `keyIdentifier`). */
  readonly authorityKey?: Uint8Array | undefined
  readonly signature: 'rsa-sha256' | 'ecdsa-sha256'
}

/** The bytes that the issuer signs with SHA-256. */
export function encodeTbsCertificate(fields: CertificateFields): Buffer {
  const extensions = [
    encodeConstraints(fields.isCa ?? false),
    encodeUsage(fields.keyUsage),
    ...(fields.extendedKeyUsage ? [encodePurposes(fields.extendedKeyUsage)] : []),
    ...(fields.subjectAltNames ? [encodeAltNames(fields.subjectAltNames)] : []),
    ...encodeKeyIds(keyIdentifier(fields.spki), fields.authorityKey),
  ]
  return sequence(
    context(0, integer(2)),
    integer(fields.serial),
    algorithmFor(fields.signature),
    fields.issuer,
    sequence(time(fields.notBefore), time(fields.notAfter)),
    fields.subject,
    fields.spki,
    encodeExtensions(extensions),
  )
}

function algorithmFor(signature: CertificateFields['signature']): Buffer {
  return signatureAlgorithm(signature === 'rsa-sha256' ? 'rsa' : 'ecdsa', 'sha256')
}

/** Joins the signed bytes and their signature; the algorithm is the one that the signed bytes name. */
export function sealCertificate(tbs: Buffer, signature: Buffer): Buffer {
  const algorithm = readDer(tbs).children[2]
  if (algorithm === undefined) throw malformed('certificate: a part is missing.')
  return sequence(tbs, algorithm.raw, bits(signature))
}

/** A whole certificate in DER; `signer` signs with SHA-256 and the issuer's key. */
export function issueCertificate(fields: CertificateFields, signer: (bytes: Buffer) => Buffer): Buffer {
  const tbs = encodeTbsCertificate(fields)
  return sealCertificate(tbs, signer(tbs))
}
