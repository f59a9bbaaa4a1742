import { OID } from '../der/oids.ts'
import { octets, printable, text } from '../der/write.ts'
import type { Digest } from '../pkcs/algorithms.ts'
import type { Certificate } from '../pkcs/certificate.ts'
import { type Attribute, prepareSignedData, type Unsigned } from '../pkcs/signing.ts'
import { type FailInfo, failures, type MessageType, messageTypes, type PkiStatus, statuses } from './vocabulary.ts'

export interface PkiMessageFields {
  readonly messageType: MessageType
  /** As decoded from the request. */
  readonly transactionID: string
  readonly senderNonce: Uint8Array
  readonly recipientNonce?: Uint8Array | undefined
  readonly pkiStatus?: PkiStatus
  readonly failInfo?: FailInfo | undefined
  /** The envelope; undefined in failures. */
  readonly content?: Uint8Array | undefined
  readonly certificates: readonly Uint8Array[]
  readonly signerCertificate: Uint8Array | Certificate
  readonly digest: Digest
}

/** A pkiMessage of either direction (RFC 8894, 3.2), to be signed. */
export function preparePkiMessage(fields: PkiMessageFields): Unsigned {
  const { recipientNonce, pkiStatus, failInfo } = fields
  const attributes: Attribute[] = [
    [OID.messageType, printable(messageTypes[fields.messageType])],
    [OID.transactionID, text(fields.transactionID)],
    [OID.senderNonce, octets(fields.senderNonce)],
  ]
  if (recipientNonce) attributes.push([OID.recipientNonce, octets(recipientNonce)])
  if (pkiStatus) attributes.push([OID.pkiStatus, printable(statuses[pkiStatus])])
  if (failInfo) attributes.push([OID.failInfo, printable(failures[failInfo])])
  const signer = { certificate: fields.signerCertificate, digest: fields.digest, attributes }
  return prepareSignedData({ content: fields.content, certificates: fields.certificates, signer })
}

/** The same, signed at once. */
export function encodePkiMessage(fields: PkiMessageFields & { readonly sign: (bytes: Buffer) => Buffer }): Buffer {
  const { bytes, seal } = preparePkiMessage(fields)
  return seal(fields.sign(bytes))
}
