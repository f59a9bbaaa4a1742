import { BulkheadError } from '../base/errors.ts'
import { sha256Hex } from '../trust/statement.ts'
import { digestNamed } from '../wire/pkcs/algorithms.ts'
import { decodeCertificate } from '../wire/pkcs/certificate.ts'
import { decodeEnvelopedData } from '../wire/pkcs/enveloped-data.ts'
import { decodeRequest } from '../wire/pkcs/request.ts'
import { isIdentified } from '../wire/pkcs/signed-data.ts'
import { decodePkiMessage } from '../wire/scep/message.ts'
import type { RequestFound, ScepFound } from './api.ts'

const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64')

function needed(bytes: Buffer | undefined, name: string): Buffer {
  if (bytes === undefined) throw new BulkheadError('MALFORMED', `The SCEP message has no ${name}.`)
  return bytes
}

/** The outer two layers of a SCEP request (RFC 8894 section 3): who signed it, and the envelope that only the RA key opens. */
export function decodeScep(bytes: Buffer): ScepFound {
  const message = decodePkiMessage(bytes)
  const { signer } = message
  const certificate = message.certificates.find(der => isIdentified(signer, decodeCertificate(der)))
  if (!certificate) throw new BulkheadError('MALFORMED', "The SCEP message does not carry its signer's certificate.")
  const decoded = decodeCertificate(certificate)
  const content = needed(message.content, 'content')
  const envelope = decodeEnvelopedData(content)
  return {
    messageType: message.messageType,
    transactionID: message.transactionID,
    senderNonce: base64(needed(message.senderNonce, 'senderNonce')),
    signer: {
      certificate: sha256Hex(certificate),
      attributes: signer.signedAttributes ? base64(signer.signedAttributes.bytesToVerify) : null,
      digest: digestNamed(signer.digestAlgorithm),
      signature: base64(signer.signature),
      issuer: base64(decoded.issuer),
      serial: base64(decoded.serial),
    },
    signerCertificate: base64(certificate),
    signerKey: base64(decoded.spki),
    content: base64(content),
    recipients: envelope.recipients.flatMap(recipient =>
      recipient.issuer === undefined
        ? []
        : [
            {
              issuer: base64(recipient.issuer),
              serial: base64(recipient.serial),
              keyAlgorithm: recipient.keyAlgorithm,
              encryptedKey: base64(recipient.encryptedKey),
            },
          ],
    ),
    contentAlgorithm: { oid: envelope.contentAlgorithm.oid, iv: base64(envelope.contentAlgorithm.iv) },
    encryptedContent: base64(envelope.encryptedContent),
  }
}

/** The certificate request that was inside (PKCS#10). Its subject is not judged; challenge and signature are the vault's to check. */
export function decodeScepRequest(bytes: Buffer): RequestFound {
  const request = decodeRequest(bytes)
  return {
    info: base64(request.info),
    spki: base64(request.spki),
    challenge: request.challengePassword ?? null,
    signatureAlgorithm: request.signatureAlgorithm,
    signature: base64(request.signature),
  }
}
