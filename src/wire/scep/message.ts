// A pkiMessage (RFC 8894, 3.2) as it was read. Nothing in it is verified, and its envelope is not opened: the process
// that decodes has no key, and the processes with keys work on the decoded value.
import { BulkheadError } from '../../base/errors.ts'
import { OID } from '../der/oids.ts'
import { malformed, readDer } from '../der/read.ts'
import { octetsOf, textOf } from '../der/values.ts'
import { type Certificate, decodeCertificate } from '../pkcs/certificate.ts'
import { publicKeyOf } from '../pkcs/key.ts'
import { decodeSignedData, isIdentified, type Signer, verifySigner } from '../pkcs/signed-data.ts'
import {
  type FailInfo,
  failures,
  type MessageType,
  messageTypes,
  type PkiStatus,
  statuses,
  wordFor,
} from './vocabulary.ts'

const MAX_TRANSACTION_ID = 255
const MAX_NONCE = 64

export interface PkiMessage {
  readonly messageType: MessageType
  readonly transactionID: string
  readonly senderNonce: Buffer
  readonly recipientNonce: Buffer | undefined
  readonly pkiStatus: PkiStatus | undefined
  readonly failInfo: FailInfo | undefined
  readonly signer: Signer
  /** DER, in the order of the message. */
  readonly certificates: readonly Buffer[]
  /** The pkcsPKIEnvelope, an undecoded EnvelopedData; undefined in failures. */
  readonly content: Buffer | undefined
}

/** Decodes DER or BER. Throws MALFORMED or LIMIT. */
export function decodePkiMessage(bytes: Uint8Array): PkiMessage {
  const { signers, certificates, content, contentType } = decodeSignedData(bytes)
  const [signer, ...others] = signers
  if (signer === undefined || others.length > 0) throw malformed('SCEP: not exactly one signer.')
  if (contentType !== OID.data) throw malformed('SCEP: the content has another type than data.')
  const values = signer.signedAttributes?.others ?? new Map<string, Buffer>()
  const messageType = word(messageTypes, values.get(OID.messageType))
  const transactionID = text(values.get(OID.transactionID))
  const senderNonce = nonce(values.get(OID.senderNonce))
  if (!messageType || !transactionID || !senderNonce) throw malformed('SCEP: an attribute is missing.')
  return {
    messageType,
    transactionID,
    senderNonce,
    recipientNonce: nonce(values.get(OID.recipientNonce)),
    pkiStatus: word(statuses, values.get(OID.pkiStatus)),
    failInfo: word(failures, values.get(OID.failInfo)),
    signer,
    certificates,
    content: content?.length ? content : undefined,
  }
}

function text(value: Buffer | undefined): string | undefined {
  if (value === undefined) return undefined
  const read = textOf(readDer(value))
  if (read.length > MAX_TRANSACTION_ID) throw malformed('SCEP: an attribute too long.')
  return read
}

function word<Word extends string>(table: Readonly<Record<Word, string>>, value: Buffer | undefined): Word | undefined {
  const number = text(value)
  if (number === undefined) return undefined
  const found = wordFor(table, number)
  if (found === undefined) throw malformed('SCEP: a number without a meaning.')
  return found
}

function nonce(value: Buffer | undefined): Buffer | undefined {
  const read = value && octetsOf(readDer(value))
  if (read && (read.length === 0 || read.length > MAX_NONCE)) throw malformed('SCEP: a nonce of the wrong length.')
  return read
}

/** The certificate in the message that its signer names. Throws UNPROVEN where there is none. */
export function signerCertificate(message: Pick<PkiMessage, 'signer' | 'certificates'>): Certificate {
  for (const der of message.certificates) {
    const certificate = decodeCertificate(der)
    if (isIdentified(message.signer, certificate)) return certificate
  }
  throw new BulkheadError('UNPROVEN', 'The signer of the message brought no certificate.')
}

/**
 * Whether the message was signed with the key of the certificate it brought along. In a PKCSReq that is a throw-away
 * certificate: it proves that the answer reaches the asker, and nothing else.
 */
export function verifyPkiMessage(message: PkiMessage, signer?: Certificate): boolean {
  try {
    const key = publicKeyOf((signer ?? signerCertificate(message)).spki)
    return verifySigner(message.signer, message.content ?? Buffer.alloc(0), key)
  } catch {
    return false
  }
}
