// The outside of a SCEP request: intake takes it apart, and this file checks what it found against the bytes. Rules: the CA's key opens
// nothing; whatever fails after the RA's key was used fails with one and the same answer; intake may be somebody else's by now, so a
// part that it hands back counts only where it stands in the bytes that were signed or decrypted.
import type { KeyObject } from 'node:crypto'
import { BulkheadError, type ErrorCode } from '../base/errors.ts'
import type { RequestFound, ScepFound } from '../intake/api.ts'
import type { Intake } from '../intake/client.ts'
import { sha256Hex } from '../trust/statement.ts'
import { OID } from '../wire/der/oids.ts'
import type { Certificate } from '../wire/pkcs/certificate.ts'
import { type ContentAlgorithm, decryptKey, openEnvelope } from '../wire/pkcs/enveloped-data.ts'
import { decodeKey, publicKeyOf } from '../wire/pkcs/key.ts'
import { verifySigned } from '../wire/pkcs/verify.ts'
import { prepareCertRep } from '../wire/scep/certrep.ts'
import type { FailInfo } from '../wire/scep/vocabulary.ts'
import type { VaultKeys } from './keys.ts'
import { signLater, verifyFound } from './signer.ts'

/** A request whose signatures hold. Whether its challenge or signer entitles it to anything is not decided here. */
export type Asked = {
  kind: 'PKCSReq' | 'RenewalReq'
  /** SHA-256 of the whole PKCS#10 request, hex. */
  digest: string
  spki: Buffer
  key: KeyObject
  challenge: string | null
  /** SHA-256 of the certificate that intake says signed the message. It proves nothing; `signerKey` did sign. */
  signer: string
  /** SPKI of the key that the message was verified with. */
  signerKey: Buffer
  /** Whether the envelope stands in the message as it came, so that intake cannot have put another in its place. */
  bound: boolean
}

const from64 = (text: string) => Buffer.from(text, 'base64')
const contentAlgorithms: ReadonlyMap<string, ContentAlgorithm> = new Map([
  [OID.aes128Cbc, 'aes-128-cbc'],
  [OID.aes192Cbc, 'aes-192-cbc'],
  [OID.aes256Cbc, 'aes-256-cbc'],
  [OID.desEde3Cbc, 'des-ede3-cbc'],
  [OID.desCbc, 'des-cbc'],
])

/** Checks who signed the message, opens it with the RA's key and checks the request inside. Throws UNPROVEN, REFUSED or BAD_REQUEST. */
export async function openMessage(
  body: Buffer,
  found: ScepFound,
  { keys, intake, random }: { keys: VaultKeys; intake: Pick<Intake, 'ask'>; random: (size: number) => Buffer },
): Promise<Asked> {
  const { messageType: kind } = found
  if (kind !== 'PKCSReq' && kind !== 'RenewalReq')
    throw new BulkheadError('REFUSED', `SCEP: ${kind} is not answered here.`)
  const signerKey = from64(found.signerKey)
  // The answer is encrypted to the signer, and only RSA keys receive.
  if (decodeKey(signerKey).kind !== 'rsa') throw new BulkheadError('BAD_REQUEST', 'SCEP: the signer has no RSA key.')
  const content = from64(found.content)
  if (!verifyFound(found.signer, content, publicKeyOf(signerKey))) throw unproven('its signature does not hold')
  const { request, failed } = decrypt(found, keys, random)
  let inside: RequestFound
  try {
    inside = await intake.ask('request', {}, request)
  } catch (cause) {
    if (cause instanceof BulkheadError && cause.code === 'UNAVAILABLE') throw cause
    throw closed(cause)
  }
  if (failed) throw closed(failed)
  const envelope = from64(found.encryptedContent)
  return {
    kind,
    digest: sha256Hex(request),
    ...checkRequest(request, inside),
    signer: found.signer.certificate,
    signerKey,
    bound: body.includes(content) && content.includes(envelope),
  }
}

/** What does not open is answered by random bytes of its length: the round through intake then tells nobody by its time whether padding held. */
function decrypt(
  found: ScepFound,
  { ra }: VaultKeys,
  random: (size: number) => Buffer,
): { request: Buffer; failed?: unknown } {
  const recipient = found.recipients.find(
    ({ issuer, serial }) =>
      from64(issuer).equals(ra.certificate.issuer) && from64(serial).equals(ra.certificate.serial),
  )
  if (!recipient) throw unproven('its envelope is not for the RA')
  const encryptedKey = from64(recipient.encryptedKey)
  const { issuer, serial } = ra.certificate
  try {
    const key = decryptKey(
      { issuer, serial, keyAlgorithm: recipient.keyAlgorithm, oaepDigest: 'sha1', encryptedKey },
      ra.key,
    )
    const contentAlgorithm = {
      oid: found.contentAlgorithm.oid,
      name: 'aes-256-cbc',
      iv: from64(found.contentAlgorithm.iv),
    } as const
    const encryptedContent = from64(found.encryptedContent)
    return { request: openEnvelope({ recipients: [], contentAlgorithm, encryptedContent }, key) }
  } catch (failed) {
    return { request: random(from64(found.encryptedContent).length), failed }
  }
}

/** The key, and the challenge, of a request that its key's owner signed: each must stand in the very bytes that were decrypted. */
function checkRequest(request: Buffer, found: RequestFound): Pick<Asked, 'spki' | 'key' | 'challenge'> {
  const info = from64(found.info)
  const spki = from64(found.spki)
  const { challenge } = found
  const stands =
    request.includes(info) && info.includes(spki) && (challenge === null || info.includes(challenge, 0, 'utf8'))
  if (!stands) throw unproven('what was read is not what was sent')
  const key = certifiable(spki)
  if (!verifySigned(info, found.signatureAlgorithm, from64(found.signature), key))
    throw unproven('its request is not signed by its key')
  return { spki, key, challenge }
}

/** RSA of 2048 to 4096 bits, or P-256, P-384, P-521. Throws BAD_REQUEST. */
function certifiable(spki: Buffer): KeyObject {
  let key: KeyObject
  try {
    key = publicKeyOf(spki)
  } catch (cause) {
    throw new BulkheadError('BAD_REQUEST', 'SCEP: a key of a kind that gets no certificate.', { cause })
  }
  const bits = key.asymmetricKeyDetails?.modulusLength
  if (bits !== undefined && (bits < 2048 || bits > 4096))
    throw new BulkheadError('BAD_REQUEST', `SCEP: an RSA key of ${bits} bits.`)
  return key
}

const unproven = (why: string) => new BulkheadError('UNPROVEN', `SCEP: the message does not count: ${why}.`)
const closed = (cause: unknown) => new BulkheadError('UNPROVEN', 'SCEP: the message does not open.', { cause })

const failures: Partial<Record<ErrorCode, FailInfo>> = {
  UNPROVEN: 'badMessageCheck',
  MALFORMED: 'badMessageCheck',
  BAD_REQUEST: 'badAlg',
  EXPIRED: 'badTime',
  NOT_FOUND: 'badRequest',
  CONFLICT: 'badRequest',
  REFUSED: 'badRequest',
}

/** What SCEP says of an error; undefined where it is none of the asker's doing. */
export function failInfoOf(error: unknown): FailInfo | undefined {
  return error instanceof BulkheadError ? failures[error.code] : undefined
}

/** The CertRep: with the certificate, or with what was wrong. */
export async function answerMessage(
  found: ScepFound,
  keys: VaultKeys,
  random: (size: number) => Buffer,
  outcome: { issued: Buffer } | { failInfo: FailInfo },
): Promise<Buffer> {
  const { digest, issuer, serial } = found.signer
  // Only names and key of the throw-away certificate are needed, and intake has read them: the vault parses no stranger's certificate.
  const recipient = {
    tbs: Buffer.alloc(0),
    issuer: from64(issuer),
    serial: from64(serial),
    spki: from64(found.signerKey),
  }
  const { bytes, seal } = prepareCertRep({
    ...('issued' in outcome
      ? { status: 'SUCCESS', issued: outcome.issued }
      : { status: 'FAILURE', failInfo: outcome.failInfo }),
    transactionID: found.transactionID,
    recipientNonce: from64(found.senderNonce),
    senderNonce: random(16),
    caCertificate: keys.ca.certificate.der,
    recipientCertificate: recipient as unknown as Certificate,
    raCertificate: keys.ra.certificate,
    randomBytes: random,
    contentAlgorithm: contentAlgorithms.get(found.contentAlgorithm.oid) ?? 'aes-128-cbc',
    digest,
  })
  return seal(await signLater(digest, bytes, keys.ra.key))
}
