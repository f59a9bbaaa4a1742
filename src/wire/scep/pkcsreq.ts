import type { Digest } from '../pkcs/algorithms.ts'
import type { Certificate } from '../pkcs/certificate.ts'
import { type ContentAlgorithm, encodeEnvelopedData } from '../pkcs/enveloped-data.ts'
import { encodePkiMessage } from './sealing.ts'

export interface PkcsReqFields {
  /** PKCSReq where absent. RenewalReq: signed with the certificate that is to be renewed. */
  readonly messageType?: 'PKCSReq' | 'RenewalReq'
  /** The certification request in DER, with the challenge password in it. */
  readonly request: Uint8Array
  readonly transactionID: string
  /** 16 random octets. */
  readonly senderNonce: Uint8Array
  /** A throw-away certificate of the client, and its key's signature with `digest`. */
  readonly signerCertificate: Uint8Array
  readonly sign: (bytes: Buffer) => Buffer
  /** The server's, from GetCACert. */
  readonly recipientCertificate: Uint8Array | Certificate
  readonly contentAlgorithm: ContentAlgorithm
  readonly digest: Digest
  readonly randomBytes: (size: number) => Buffer
}

/** The client's request for a certificate (RFC 8894, 3.3.1). */
export function encodePkcsReq(fields: PkcsReqFields): Buffer {
  const options = { algorithm: fields.contentAlgorithm, randomBytes: fields.randomBytes }
  return encodePkiMessage({
    messageType: fields.messageType ?? 'PKCSReq',
    transactionID: fields.transactionID,
    senderNonce: fields.senderNonce,
    content: encodeEnvelopedData(fields.request, fields.recipientCertificate, options),
    certificates: [fields.signerCertificate],
    signerCertificate: fields.signerCertificate,
    digest: fields.digest,
    sign: fields.sign,
  })
}
