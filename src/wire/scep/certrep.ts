import type { KeyObject } from 'node:crypto'
import { BulkheadError } from '../../base/errors.ts'
import { malformed } from '../der/read.ts'
import type { Digest } from '../pkcs/algorithms.ts'
import { type Certificate, decodeCertificate } from '../pkcs/certificate.ts'
import {
  type ContentAlgorithm,
  decodeEnvelopedData,
  decryptKey,
  encodeEnvelopedData,
  findRecipient,
  openEnvelope,
} from '../pkcs/enveloped-data.ts'
import { publicKeyOf } from '../pkcs/key.ts'
import { decodeSignedData, isIdentified, verifySigner } from '../pkcs/signed-data.ts'
import { certsOnly, type Unsigned } from '../pkcs/signing.ts'
import { decodePkiMessage, type PkiMessage } from './message.ts'
import { preparePkiMessage } from './sealing.ts'
import type { FailInfo, PkiStatus } from './vocabulary.ts'

export interface CertRepFields {
  readonly status: PkiStatus
  /** With FAILURE only; badRequest where absent. */
  readonly failInfo?: FailInfo
  /** Of the request. */
  readonly transactionID: string
  /** The request's senderNonce. */
  readonly recipientNonce: Uint8Array
  /** Our own, 16 random octets. */
  readonly senderNonce: Uint8Array
  /** The new certificate in DER; with SUCCESS only. */
  readonly issued?: Uint8Array
  /** Travels outside the envelope, so that the client can build its chain. */
  readonly caCertificate: Uint8Array
  /** The request's signer, to whom the answer is encrypted: RSA. */
  readonly recipientCertificate: Uint8Array | Certificate
  /** Decoded, since it is the same in every answer. */
  readonly raCertificate: Certificate
  readonly randomBytes: (size: number) => Buffer
  /** The one of the request, since old clients open nothing else. */
  readonly contentAlgorithm: ContentAlgorithm
  readonly digest: Digest
}

/** The answer to a PKCSReq or RenewalReq (RFC 8894, 3.3.2), for the RA to sign. Throws BAD_REQUEST where the certificate is missing. */
export function prepareCertRep(fields: CertRepFields): Unsigned {
  const { status, raCertificate, caCertificate } = fields
  const sameCertificate = raCertificate.der.equals(caCertificate)
  return preparePkiMessage({
    messageType: 'CertRep',
    transactionID: fields.transactionID,
    senderNonce: fields.senderNonce,
    recipientNonce: fields.recipientNonce,
    pkiStatus: status,
    failInfo: status === 'FAILURE' ? (fields.failInfo ?? 'badRequest') : undefined,
    content: status === 'SUCCESS' ? envelopeFor(fields) : undefined,
    certificates: sameCertificate ? [caCertificate] : [raCertificate.der, caCertificate],
    signerCertificate: raCertificate,
    digest: fields.digest,
  })
}

/** The issued certificate travels alone: clients exist that take the first one they find. */
function envelopeFor(fields: CertRepFields): Buffer {
  const { issued, recipientCertificate, contentAlgorithm: algorithm, randomBytes } = fields
  if (issued === undefined) throw new BulkheadError('BAD_REQUEST', 'A success without a certificate.')
  return encodeEnvelopedData(certsOnly([issued]), recipientCertificate, { algorithm, randomBytes })
}

export interface CertRepReader {
  /** What GetCACert returned; the answer must be signed by one of them. */
  readonly serverCertificates: readonly Uint8Array[]
  /** The request's signer, and its key. */
  readonly recipientCertificate: Uint8Array
  readonly privateKey: KeyObject
  readonly transactionID: string
  /** The request's senderNonce. */
  readonly senderNonce: Uint8Array
}

export interface CertRep {
  readonly status: PkiStatus
  readonly failInfo: FailInfo | undefined
  /** The new certificate in DER; with SUCCESS only. */
  readonly issued: Buffer | undefined
  readonly message: PkiMessage
}

/** The client's side: checks who answered and to what, and opens the answer. Throws UNPROVEN, MALFORMED or LIMIT. */
export function decodeCertRep(bytes: Uint8Array, reader: CertRepReader): CertRep {
  const message = decodePkiMessage(bytes)
  const { pkiStatus: status, failInfo, content } = message
  if (message.messageType !== 'CertRep' || !status) throw malformed('SCEP: not a CertRep.')
  checkAnswer(message, reader)
  if (status !== 'SUCCESS') return { status, failInfo, issued: undefined, message }
  if (content === undefined) throw malformed('SCEP: a success without an envelope.')
  const envelope = decodeEnvelopedData(content)
  const recipient = findRecipient(envelope, decodeCertificate(reader.recipientCertificate))
  const opened = openEnvelope(envelope, decryptKey(recipient, reader.privateKey))
  const [issued] = decodeSignedData(opened).certificates
  if (issued === undefined) throw malformed('SCEP: a success without a certificate.')
  return { status, failInfo, issued, message }
}

function checkAnswer(message: PkiMessage, reader: CertRepReader): void {
  const server = reader.serverCertificates.map(decodeCertificate).find(known => isIdentified(message.signer, known))
  const content = message.content ?? Buffer.alloc(0)
  if (!server || !verifySigner(message.signer, content, publicKeyOf(server.spki))) {
    throw new BulkheadError('UNPROVEN', 'The answer is not signed by the server.')
  }
  const answersUs = message.transactionID === reader.transactionID && message.recipientNonce?.equals(reader.senderNonce)
  if (!answersUs) throw new BulkheadError('UNPROVEN', 'The answer belongs to another request.')
}
