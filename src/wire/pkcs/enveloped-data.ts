// CMS EnvelopedData (RFC 5652, 6) for SCEP: RSA key transport and CBC content. Decoding touches no key.
// Rule: whatever fails after a private key was used fails with one and the same error. A caller must not let a stranger
// tell a wrong key from a wrong padding or a wrong content, or the answers decrypt other people's envelopes.
import { constants, createCipheriv, createDecipheriv, type KeyObject, privateDecrypt, publicEncrypt } from 'node:crypto'
import { BulkheadError } from '../../base/errors.ts'
import { Fields } from '../der/fields.ts'
import { OID } from '../der/oids.ts'
import { type Element, malformed } from '../der/read.ts'
import { joinPieces, octetsOf, oidOf, smallIntegerOf, TAG } from '../der/values.ts'
import { context, contextPrimitive, integer, nothing, octets, oid, sequence, set } from '../der/write.ts'
import { algorithmOf, type Digest, digestNamed, readAlgorithm } from './algorithms.ts'
import { type Certificate, decodeCertificate } from './certificate.ts'
import { decodeKey, publicKeyOf } from './key.ts'
import { decodeIdentifier, type Identifier, isIdentified, openContentInfo } from './signed-data.ts'
import { issuerAndSerial } from './signing.ts'

const MAX_RECIPIENTS = 16

export type ContentAlgorithm = 'aes-128-cbc' | 'aes-192-cbc' | 'aes-256-cbc' | 'des-ede3-cbc' | 'des-cbc'

interface Cipher {
  readonly name: ContentAlgorithm
  readonly keyOctets: number
  readonly ivOctets: number
}

const ciphers: ReadonlyMap<string, Cipher> = new Map<string, Cipher>([
  [OID.aes128Cbc, { name: 'aes-128-cbc', keyOctets: 16, ivOctets: 16 }],
  [OID.aes192Cbc, { name: 'aes-192-cbc', keyOctets: 24, ivOctets: 16 }],
  [OID.aes256Cbc, { name: 'aes-256-cbc', keyOctets: 32, ivOctets: 16 }],
  [OID.desEde3Cbc, { name: 'des-ede3-cbc', keyOctets: 24, ivOctets: 8 }],
  [OID.desCbc, { name: 'des-cbc', keyOctets: 8, ivOctets: 8 }],
])

export type Recipient = Identifier & {
  /** Object identifier: rsaEncryption or rsaesOaep. */
  readonly keyAlgorithm: string
  /** With rsaesOaep only. */
  readonly oaepDigest: Digest | undefined
  readonly encryptedKey: Buffer
}

export interface EnvelopedData {
  /** Those who receive the key by RSA; others are passed over. */
  readonly recipients: readonly Recipient[]
  readonly contentAlgorithm: { readonly oid: string; readonly name: ContentAlgorithm; readonly iv: Buffer }
  readonly encryptedContent: Buffer
}

/** Decodes DER or BER. Throws MALFORMED or LIMIT, also for a content algorithm that is not accepted. */
export function decodeEnvelopedData(bytes: Uint8Array): EnvelopedData {
  const fields = new Fields(openContentInfo(bytes, OID.envelopedData), TAG.sequence, 'EnvelopedData')
  smallIntegerOf(fields.next(TAG.integer))
  fields.optional(0xa0)
  const recipients = fields.next(TAG.set).children
  if (recipients.length > MAX_RECIPIENTS) {
    throw new BulkheadError('LIMIT', `EnvelopedData: more than ${MAX_RECIPIENTS} recipients.`)
  }
  const content = decodeContent(fields.next(TAG.sequence))
  fields.optional(0xa1)
  fields.end()
  return { recipients: recipients.filter(child => child.tag === TAG.sequence).map(decodeRecipient), ...content }
}

function decodeRecipient(element: Element): Recipient {
  const fields = new Fields(element, TAG.sequence, 'RecipientInfo')
  smallIntegerOf(fields.next(TAG.integer))
  const identifier = decodeIdentifier(fields.next(TAG.sequence, 0x80))
  const { identifier: keyAlgorithm, parameters } = algorithmOf(fields)
  const encryptedKey = octetsOf(fields.next(TAG.octets, TAG.octetsInPieces))
  fields.end()
  const oaepDigest = keyAlgorithm === OID.rsaesOaep ? decodeOaep(parameters) : undefined
  return { ...identifier, keyAlgorithm, oaepDigest, encryptedKey }
}

/** RFC 4055, 4.1. Two different digests, or a label, are not accepted: nobody was seen to use them. */
function decodeOaep(parameters: Element | undefined): Digest {
  if (parameters === undefined) return 'sha1'
  const fields = new Fields(parameters, TAG.sequence, 'OAEP')
  const hash = fields.optional(0xa0)?.children[0]
  const mask = fields.optional(0xa1)?.children[0]
  const source = fields.optional(0xa2)?.children[0]
  fields.end()
  const digest = hash ? digestOf(hash) : 'sha1'
  const maskHash = mask && readAlgorithm(mask).parameters
  const label = source && readAlgorithm(source).parameters
  if (digest !== (maskHash ? digestOf(maskHash) : 'sha1')) throw malformed('OAEP: two different digests.')
  if (label && octetsOf(label).length > 0) throw malformed('OAEP: a label.')
  return digest
}

function digestOf(algorithm: Element): Digest {
  return digestNamed(readAlgorithm(algorithm).identifier)
}

function decodeContent(element: Element): Pick<EnvelopedData, 'contentAlgorithm' | 'encryptedContent'> {
  const fields = new Fields(element, TAG.sequence, 'EncryptedContentInfo')
  oidOf(fields.next(TAG.oid))
  const { identifier, parameters } = algorithmOf(fields)
  const implicit = fields.next(0x80, 0xa0)
  fields.end()
  const cipher = ciphers.get(identifier)
  if (cipher === undefined) throw malformed(`EnvelopedData: content algorithm ${identifier} is not accepted.`)
  const iv = parameters && octetsOf(parameters)
  if (iv?.length !== cipher.ivOctets) throw malformed('EnvelopedData: an initialisation vector of the wrong length.')
  const encryptedContent = implicit.tag === 0x80 ? implicit.body : joinPieces(implicit)
  return { contentAlgorithm: { oid: identifier, name: cipher.name, iv }, encryptedContent }
}

/** The recipient that names the certificate. Throws UNPROVEN where the envelope is for others. */
export function findRecipient(envelope: EnvelopedData, certificate: Certificate): Recipient {
  const found = envelope.recipients.find(recipient => isIdentified(recipient, certificate))
  if (found === undefined) throw new BulkheadError('UNPROVEN', 'The envelope is for somebody else.')
  return found
}

/**
 * The content key. A PKCS #1 v1.5 padding that does not hold gives a key of the right kind but not the sender's
 * (implicit rejection), so that this step alone tells nothing. Throws UNPROVEN.
 */
export function decryptKey(recipient: Recipient, privateKey: KeyObject): Buffer {
  const { keyAlgorithm, oaepDigest, encryptedKey } = recipient
  try {
    if (keyAlgorithm === OID.rsaEncryption) {
      return privateDecrypt({ key: privateKey, padding: constants.RSA_PKCS1_PADDING }, encryptedKey)
    }
    const padding = constants.RSA_PKCS1_OAEP_PADDING
    if (oaepDigest) return privateDecrypt({ key: privateKey, padding, oaepHash: oaepDigest }, encryptedKey)
  } catch {
    // One error for everything: see the head of the file.
  }
  throw closed()
}

/** Decrypts the content. Throws UNPROVEN, always with the same words. */
export function openEnvelope(envelope: EnvelopedData, contentKey: Uint8Array): Buffer {
  const { oid: identifier, iv } = envelope.contentAlgorithm
  const cipher = ciphers.get(identifier)
  if (cipher === undefined) throw closed()
  try {
    // A key of another length than the cipher's is refused here, too.
    const decipher = createDecipheriv(...opensslCipher(cipher.name, contentKey), iv)
    return Buffer.concat([decipher.update(envelope.encryptedContent), decipher.final()])
  } catch {
    throw closed()
  }
}

function closed(): BulkheadError {
  return new BulkheadError('UNPROVEN', 'The envelope does not open.')
}

/** Single DES is triple DES with one key three times, which OpenSSL 3 still has without its legacy provider. */
function opensslCipher(name: ContentAlgorithm, key: Uint8Array): [string, Uint8Array] {
  return name === 'des-cbc' ? ['des-ede3-cbc', Buffer.concat([key, key, key])] : [name, key]
}

export interface EnvelopeOptions {
  readonly algorithm: ContentAlgorithm
  readonly randomBytes: (size: number) => Buffer
}

/** Encrypts for the RSA key of one certificate, by PKCS #1 v1.5: the only key transport that every client opens. */
export function encodeEnvelopedData(
  content: Uint8Array,
  recipientCertificate: Uint8Array | Certificate,
  options: EnvelopeOptions,
): Buffer {
  const certificate = 'tbs' in recipientCertificate ? recipientCertificate : decodeCertificate(recipientCertificate)
  if (decodeKey(certificate.spki).kind !== 'rsa') throw new BulkheadError('BAD_REQUEST', 'Only RSA keys receive.')
  const [identifier, { name, keyOctets, ivOctets }] = cipherNamed(options.algorithm)
  const contentKey = options.randomBytes(keyOctets)
  const iv = options.randomBytes(ivOctets)
  const cipher = createCipheriv(...opensslCipher(name, contentKey), iv)
  const encrypted = Buffer.concat([cipher.update(content), cipher.final()])
  const key = publicKeyOf(certificate.spki)
  const encryptedKey = publicEncrypt({ key, padding: constants.RSA_PKCS1_PADDING }, contentKey)
  const rsa = sequence(oid(OID.rsaEncryption), nothing())
  const recipient = sequence(integer(0), issuerAndSerial(certificate), rsa, octets(encryptedKey))
  const algorithm = sequence(oid(identifier), octets(iv))
  const info = sequence(oid(OID.data), algorithm, contextPrimitive(0, encrypted))
  return sequence(oid(OID.envelopedData), context(0, sequence(integer(0), set([recipient]), info)))
}

function cipherNamed(name: ContentAlgorithm): [string, Cipher] {
  const found = [...ciphers].find(([, cipher]) => cipher.name === name)
  if (found === undefined) throw new BulkheadError('BAD_REQUEST', `There is no content algorithm ${name}.`)
  return found
}
