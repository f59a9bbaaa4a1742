// CMS SignedData (RFC 5652, 5), read and checked. Decoding touches no key, so that a process without any can do it;
// `signerInput` and `verifySigner` work on the decoded value alone, in whatever process has the public key.
import { createHash, type KeyObject } from 'node:crypto'
import { BulkheadError } from '../../base/errors.ts'
import { Fields } from '../der/fields.ts'
import { OID } from '../der/oids.ts'
import { type Element, malformed, readBer, readDer } from '../der/read.ts'
import { integerOf, octetsOf, oidOf, smallIntegerOf, TAG } from '../der/values.ts'
import { canonical, set } from '../der/write.ts'
import { algorithmOf, digestNamed, signatureNamed } from './algorithms.ts'
import type { Certificate } from './certificate.ts'
import { type SignedInput, verifyInput } from './verify.ts'

export * from './signing.ts'

const MAX_SIGNERS = 16
const MAX_ATTRIBUTE_OCTETS = 64 * 1024

/** Who is meant in CMS: by issuer (DER) and serial (contents octets), or by key identifier. */
export type Identifier =
  | { readonly issuer: Buffer; readonly serial: Buffer; readonly subjectKeyId?: undefined }
  | { readonly subjectKeyId: Buffer; readonly issuer?: undefined; readonly serial?: undefined }

export interface SignedAttributes {
  /** The DER of the SET OF Attribute, sorted, tag 0x31: what the signature is over. */
  readonly bytesToVerify: Buffer
  readonly messageDigest: Buffer | undefined
  readonly contentType: string | undefined
  /** Every other attribute: the DER of its values one after the other, which is nearly always one. */
  readonly others: ReadonlyMap<string, Buffer>
}

export type Signer = Identifier & {
  /** Object identifiers. Those that we do not accept are refused by `signerInput`. */
  readonly digestAlgorithm: string
  readonly signatureAlgorithm: string
  readonly signedAttributes: SignedAttributes | undefined
  readonly signature: Buffer
}

export interface SignedData {
  /** Object identifier of the signed content. */
  readonly contentType: string
  /** Undefined where the content is detached. */
  readonly content: Buffer | undefined
  /** DER, in the order of the message. */
  readonly certificates: readonly Buffer[]
  readonly signers: readonly Signer[]
}

/** Decodes DER or BER. Nothing is verified. Throws MALFORMED or LIMIT. */
export function decodeSignedData(bytes: Uint8Array): SignedData {
  const fields = new Fields(openContentInfo(bytes, OID.signedData), TAG.sequence, 'SignedData')
  smallIntegerOf(fields.next(TAG.integer))
  fields.next(TAG.set)
  const { contentType, content } = decodeContent(fields.next(TAG.sequence))
  const certificates = (fields.optional(0xa0)?.children ?? []).filter(child => child.tag === TAG.sequence)
  fields.optional(0xa1)
  const signers = fields.next(TAG.set).children
  fields.end()
  if (signers.length > MAX_SIGNERS) throw new BulkheadError('LIMIT', `SignedData: more than ${MAX_SIGNERS} signers.`)
  return {
    contentType,
    content,
    certificates: certificates.map(child => child.raw),
    signers: signers.map(signer => decodeSigner(signer, contentType)),
  }
}

/** The structure inside a ContentInfo of the given type (RFC 5652, 3). */
export function openContentInfo(bytes: Uint8Array, type: string): Element {
  const fields = new Fields(readBer(bytes), TAG.sequence, 'ContentInfo')
  if (oidOf(fields.next(TAG.oid)) !== type) throw malformed('ContentInfo: another content type.')
  const explicit = new Fields(fields.next(0xa0), 0xa0, 'ContentInfo')
  fields.end()
  const inside = explicit.any()
  explicit.end()
  return inside
}

function decodeContent(encapsulated: Element): Pick<SignedData, 'contentType' | 'content'> {
  const fields = new Fields(encapsulated, TAG.sequence, 'content')
  const contentType = oidOf(fields.next(TAG.oid))
  const wrapped = fields.optional(0xa0)
  fields.end()
  if (wrapped === undefined) return { contentType, content: undefined }
  const explicit = new Fields(wrapped, 0xa0, 'content')
  const content = octetsOf(explicit.next(TAG.octets, TAG.octetsInPieces))
  explicit.end()
  return { contentType, content }
}

function decodeSigner(element: Element, contentType: string): Signer {
  const fields = new Fields(element, TAG.sequence, 'SignerInfo')
  smallIntegerOf(fields.next(TAG.integer))
  const identifier = decodeIdentifier(fields.next(TAG.sequence, 0x80))
  const digestAlgorithm = algorithmOf(fields).identifier
  const attributes = fields.optional(0xa0)
  const signatureAlgorithm = algorithmOf(fields).identifier
  const signature = octetsOf(fields.next(TAG.octets, TAG.octetsInPieces))
  fields.optional(0xa1)
  fields.end()
  const signedAttributes = attributes && decodeAttributes(attributes, contentType)
  // RFC 5652, 5.3: without attributes nothing would bind the content's type.
  if (!signedAttributes && contentType !== OID.data) throw malformed('SignerInfo: signed attributes are missing.')
  return { ...identifier, digestAlgorithm, signatureAlgorithm, signedAttributes, signature }
}

/** Of a signer or of a recipient. */
export function decodeIdentifier(element: Element): Identifier {
  if (element.tag === 0x80) return { subjectKeyId: element.body }
  const fields = new Fields(element, TAG.sequence, 'IssuerAndSerialNumber')
  const issuer = fields.next(TAG.sequence).raw
  const serial = integerOf(fields.next(TAG.integer))
  fields.end()
  return { issuer, serial }
}

/** Whether the signer or recipient names this certificate. */
export function isIdentified(by: Identifier, certificate: Certificate): boolean {
  if (by.subjectKeyId !== undefined) return certificate.subjectKeyId?.equals(by.subjectKeyId) ?? false
  return by.issuer.equals(certificate.issuer) && by.serial.equals(certificate.serial)
}

function decodeAttributes(element: Element, contentType: string): SignedAttributes {
  if (element.raw.length > MAX_ATTRIBUTE_OCTETS) {
    throw new BulkheadError('LIMIT', `SignerInfo: more than ${MAX_ATTRIBUTE_OCTETS} octets of signed attributes.`)
  }
  const values = new Map<string, Buffer>()
  for (const child of element.children) {
    const fields = new Fields(child, TAG.sequence, 'attribute')
    const identifier = oidOf(fields.next(TAG.oid))
    const held = fields.next(TAG.set).children.map(value => canonical(value))
    fields.end()
    if (held.length === 0 || values.has(identifier)) throw malformed('SignerInfo: an attribute empty or twice.')
    values.set(identifier, held.length === 1 ? held[0]! : Buffer.concat(held))
  }
  const digest = take(values, OID.messageDigest)
  const type = take(values, OID.contentType)
  if (type && oidOf(type) !== contentType) throw malformed('SignerInfo: the content has another type than was signed.')
  return {
    bytesToVerify: set(element.children.map(canonical)),
    messageDigest: digest && octetsOf(digest),
    contentType: type && oidOf(type),
    others: values,
  }
}

function take(values: Map<string, Buffer>, identifier: string): Element | undefined {
  const value = values.get(identifier)
  values.delete(identifier)
  return value && readDer(value)
}

/** The signed bytes of a message whose content may be in it, beside it, or both, but then equal. Throws UNPROVEN. */
export function contentOf(message: Pick<SignedData, 'content'>, beside?: Uint8Array): Buffer {
  const { content } = message
  if (content === undefined && beside === undefined) throw new BulkheadError('UNPROVEN', 'Nothing was signed.')
  if (content && beside && !content.equals(beside)) {
    throw new BulkheadError('UNPROVEN', 'The signed content is not the body that came with it.')
  }
  return content ?? Buffer.from(beside!.buffer, beside!.byteOffset, beside!.length)
}

/**
 * What the signature is over, with the content already tied to it by its digest. Throws UNPROVEN where the
 * content has another digest than was signed, or where an algorithm is not accepted.
 */
export function signerInput(signer: Signer, content: Uint8Array): SignedInput {
  const digest = digestNamed(signer.digestAlgorithm)
  const { kind, digest: named = digest } = signatureNamed(signer.signatureAlgorithm)
  if (signer.signedAttributes === undefined) {
    if (named !== digest) throw new BulkheadError('UNPROVEN', 'Two digest algorithms for one signature.')
    const bytes = Buffer.from(content.buffer, content.byteOffset, content.length)
    if (isAttributeSet(bytes)) throw new BulkheadError('UNPROVEN', 'Signed attributes are passed off as content.')
    return { bytes, digest, kind }
  }
  const { messageDigest, bytesToVerify } = signer.signedAttributes
  const actual = createHash(digest).update(content).digest()
  if (!messageDigest?.equals(actual)) throw new BulkheadError('UNPROVEN', 'The content is not what was signed.')
  return { bytes: bytesToVerify, digest: named, kind }
}

/** Stripping the attributes off a message would make their encoding a content with a valid signature. */
function isAttributeSet(content: Buffer): boolean {
  if (content[0] !== TAG.set) return false
  try {
    readDer(content)
    return true
  } catch {
    return false
  }
}

/** Whether the key's owner signed exactly this content. Never throws. */
export function verifySigner(signer: Signer, content: Uint8Array, publicKey: KeyObject): boolean {
  try {
    return verifyInput(signerInput(signer, content), signer.signature, publicKey)
  } catch {
    return false
  }
}
