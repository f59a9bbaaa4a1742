import type { ErrorCode } from '../base/errors.ts'

/**
 * What intake is asked and what it answers, over its standard streams (base/frame.ts). It holds no key but public ones, and nobody believes
 * it more than the bytes prove: whoever asks verifies signatures itself, over the exact bytes.
 */
export type Candidate = {
  certificate: string /* SHA-256 hex */
  device: string
  sealTo: string /* X25519 raw, base64: the vault's, for what it uses itself */
  /** Who reads what the device reports: both halves' public keys (X25519 raw, base64) and the genesis digest (hex). Null for vouchers of old. */
  report: { unit: string; unitKey: string; releaseKey: string; genesis: string } | null
}

export type DeviceRequest = {
  kind: 'checkin' | 'connect'
  /** Mdm-Signature as received, or null where TLS proved the certificate. */
  signature: string | null
  /** SHA-256 (hex) of the certificate that TLS proved, with `signature: null`. */
  certificate: string | null
  candidates: Candidate[]
}

/** A CMS signer as intake found it; what the asker verifies. Buffers are base64. */
export type SignerFound = {
  certificate: string // SHA-256 hex of the certificate that was in the CMS
  attributes: string | null // DER SET OF signed attributes, or null when the body itself is signed
  digest: 'sha1' | 'sha256' | 'sha384' | 'sha512'
  signature: string
}

export type CheckinFound = {
  signer: SignerFound | null
  device: string | null // null: the certificate is none of the candidates; then nothing below is there
  message: CheckinMessage | null
  /** Why the message itself did not decode, although its signer was found. */
  malformed?: string
}
export type CheckinMessage = {
  type: string
  user: string | null // the user channel's identifier, for the asker to hash at once
  facts: Record<string, unknown> // allow-listed values only
  sealed: string | null // HPKE of all the rest
  push: { sealed: string; topic: string; unlockToken: string | null } | null
  bootstrapToken: string | null // sealed
  tokenServiceType: string | null
  endpoint: string | null // DeclarativeManagement
}

export type ConnectFound = {
  signer: SignerFound | null
  device: string | null
  message: ConnectMessage | null
  malformed?: string
}
export type ConnectMessage = {
  status: 'Idle' | 'Acknowledged' | 'Error' | 'CommandFormatError' | 'NotNow'
  user: string | null
  command: string | null // CommandUUID, only when it is a UUID
  code: number | null
  domain: string | null
  facts: Record<string, unknown> | null
  sealed: string | null
  /** Why the rest is not sealed, although there is a rest. */
  unread?: string
}

export type ScepFound = {
  messageType: string
  transactionID: string
  senderNonce: string
  signer: SignerFound & { issuer: string; serial: string }
  signerCertificate: string // DER
  signerKey: string // SPKI
  content: string // what the signature covers
  recipients: { issuer: string; serial: string; keyAlgorithm: string; encryptedKey: string }[]
  contentAlgorithm: { oid: string; iv: string }
  encryptedContent: string
}
export type RequestFound = {
  info: string
  spki: string
  challenge: string | null
  signatureAlgorithm: string
  signature: string
}

export type IntakeMethods = {
  device: { ask: DeviceRequest; answer: CheckinFound | ConnectFound }
  scep: { ask: Record<string, never>; answer: ScepFound }
  request: { ask: Record<string, never>; answer: RequestFound }
}

export type IntakeAsk = { id: number; method: keyof IntakeMethods; params: unknown }
export type IntakeAnswer = { id: number; result?: unknown; error?: { code: ErrorCode; message: string } }

/** Names what a sealed value is and whose, so that it opens nowhere else. */
export type SealedPlace =
  | 'device.sealed'
  | 'device.push'
  | 'device.unlock'
  | 'device.bootstrap'
  | 'result.sealed'
  | 'user.sealed'
  | 'user.push'
export const sealAad = (place: SealedPlace, device: string): Buffer =>
  Buffer.from(`bulkhead-seal/v1\n${place}\n${device}`)

/** What only people read, in two halves: the vault opens the outer one for a release that is logged, the unit's operators the inner one. */
export const isReport = (place: SealedPlace): boolean =>
  place === 'device.sealed' || place === 'result.sealed' || place === 'user.sealed'
/** The inner half's associated data: the record's, and which report it is. */
export const reportAad = (place: SealedPlace, inner: Uint8Array): Buffer =>
  Buffer.concat([inner, Buffer.from(`\n${place}`)])
