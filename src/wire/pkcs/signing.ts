// Writes CMS SignedData. The attributes, the signature and the message are made in separate steps, so that the process
// with the key sees only the attributes, and another assembles a message of the same bytes.
import { createHash } from 'node:crypto'
import { OID } from '../der/oids.ts'
import { context, element, integer, integerFromBody, octets, oid, sequence, set, time } from '../der/write.ts'
import { type Digest, digestAlgorithm, type KeyKind, signatureAlgorithm } from './algorithms.ts'
import { type Certificate, decodeCertificate } from './certificate.ts'
import { decodeKey } from './key.ts'

/** One more attribute to sign: an object identifier and the DER of its one value. */
export type Attribute = readonly [identifier: string, value: Buffer]

export interface AttributeOptions {
  /** sha256 where absent. */
  readonly digest?: Digest
  /** Object identifier; plain data where absent. */
  readonly contentType?: string
  readonly attributes?: readonly Attribute[]
}

/** The DER of the attributes to sign (SET OF, tag 0x31): content type, digest, time where given, and what is added. */
export function signedAttributesFor(content: Uint8Array, signingTime?: Date, options: AttributeOptions = {}): Buffer {
  const { digest = 'sha256', contentType = OID.data, attributes = [] } = options
  const all: Attribute[] = [
    [OID.contentType, oid(contentType)],
    [OID.messageDigest, octets(createHash(digest).update(content).digest())],
    ...attributes,
  ]
  if (signingTime !== undefined) all.push([OID.signingTime, time(signingTime)])
  return set(all.map(([identifier, value]) => sequence(oid(identifier), set([value]))))
}

/** The DER of IssuerAndSerialNumber, which names a certificate. */
export function issuerAndSerial(certificate: Pick<Certificate, 'issuer' | 'serial'>): Buffer {
  return sequence(certificate.issuer, integerFromBody(certificate.serial))
}

export interface SignedParts {
  /** Left out of the message where `detached`, or where undefined. */
  readonly content?: Uint8Array | undefined
  readonly contentType?: string
  readonly detached?: boolean
  /** DER; written in this order. */
  readonly certificates: readonly Uint8Array[]
  /** See `issuerAndSerial`. */
  readonly issuerAndSerial: Buffer
  readonly digest: Digest
  readonly kind: KeyKind
  /** As `signedAttributesFor` made them; undefined where the signature is over the content itself. */
  readonly signedAttributes?: Buffer | undefined
  readonly signature: Uint8Array
}

/** Assembles a message from a signature that was made elsewhere. */
export function encodeSignedDataFrom(parts: SignedParts): Buffer {
  const { signedAttributes, digest, kind } = parts
  const implicit = signedAttributes && Buffer.from(signedAttributes)
  if (implicit) implicit[0] = 0xa0
  const signer = sequence(
    integer(1),
    parts.issuerAndSerial,
    digestAlgorithm(digest),
    ...(implicit ? [implicit] : []),
    // Plain rsaEncryption is what every reader knows; ECDSA has no such form.
    kind === 'rsa' ? RSA : signatureAlgorithm(kind, digest),
    octets(parts.signature),
  )
  return encodeMessage({ ...parts, digests: [digestAlgorithm(digest)], signers: [signer] })
}

export interface UnsignedFields {
  readonly content?: Uint8Array | undefined
  readonly contentType?: string
  readonly detached?: boolean
  /** DER; the signer's own is not added by itself. */
  readonly certificates: readonly Uint8Array[]
  readonly signer: {
    readonly certificate: Uint8Array | Certificate
    readonly digest: Digest
    /** Attributes besides content type and digest; `false`: sign the content without any. */
    readonly attributes?: readonly Attribute[] | false
    readonly signingTime?: Date
  }
}

/** A message without its signature: the bytes to sign with the digest and the certificate's private key, and how the signature goes in. */
export interface Unsigned {
  readonly bytes: Buffer
  /** ECDSA in DER form. */
  readonly seal: (signature: Uint8Array) => Buffer
}

/** For whoever signs elsewhere. An absent content counts as empty (SCEP's failures are signed that way). */
export function prepareSignedData(fields: UnsignedFields): Unsigned {
  const { content = Buffer.alloc(0), contentType = OID.data, signer } = fields
  const { digest, attributes = [] } = signer
  const certificate = 'tbs' in signer.certificate ? signer.certificate : decodeCertificate(signer.certificate)
  const signedAttributes =
    attributes === false
      ? undefined
      : signedAttributesFor(content, signer.signingTime, { digest, contentType, attributes })
  const kind = decodeKey(certificate.spki).kind
  const parts = { ...fields, issuerAndSerial: issuerAndSerial(certificate), digest, kind, signedAttributes }
  return {
    bytes: signedAttributes ?? Buffer.from(content),
    seal: signature => encodeSignedDataFrom({ ...parts, signature }),
  }
}

export interface SigningFields extends UnsignedFields {
  readonly signer: UnsignedFields['signer'] & { readonly sign: (bytes: Buffer) => Buffer }
}

/** Signs and assembles in one step. */
export function encodeSignedData(fields: SigningFields): Buffer {
  const { bytes, seal } = prepareSignedData(fields)
  return seal(fields.signer.sign(bytes))
}

/** Certificates and nothing else, as GetCACert answers and issued certificates travel (RFC 8894, 3.4). */
export function certsOnly(certificates: readonly Uint8Array[]): Buffer {
  return encodeMessage({ certificates, digests: [], signers: [] })
}

const RSA = sequence(oid(OID.rsaEncryption), element(0x05))

interface MessageParts extends Pick<SignedParts, 'content' | 'contentType' | 'detached' | 'certificates'> {
  readonly digests: readonly Buffer[]
  readonly signers: readonly Buffer[]
}

function encodeMessage(parts: MessageParts): Buffer {
  const { content, contentType = OID.data } = parts
  const inside = content === undefined || parts.detached ? [] : [context(0, octets(content))]
  // RFC 5652, 5.1: version 3 where the content is anything but plain data.
  const version = integer(contentType === OID.data ? 1 : 3)
  const certificates = parts.certificates.length > 0 ? [context(0, ...parts.certificates)] : []
  return sequence(
    oid(OID.signedData),
    context(
      0,
      sequence(version, set(parts.digests), sequence(oid(contentType), ...inside), ...certificates, set(parts.signers)),
    ),
  )
}
