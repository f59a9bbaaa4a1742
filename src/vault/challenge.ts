import { createHmac, timingSafeEqual } from 'node:crypto'
import { uuidBytes, uuidText } from '../trust/token.ts'

/**
 * The SCEP challenge: kind, 1 byte ‖ what it is bound to ‖ path id, 16 ‖ expiry, u32 seconds ‖ HMAC-SHA256, the first 24 bytes; base64url.
 * Bound to: an invitation's id (16 bytes), or, for a renewal, the SHA-256 of the certificate that is renewed (32 bytes).
 */
export type Challenge =
  | { kind: 'enrolment'; invitation: string; path: string; expiresAt: number }
  | { kind: 'renewal'; certificate: string /* hex */; path: string; expiresAt: number }

const ENROLMENT = 1
const RENEWAL = 2
const MAC = 24
const LENGTHS = new Map([
  [ENROLMENT, 1 + 16 + 16 + 4 + MAC],
  [RENEWAL, 1 + 32 + 16 + 4 + MAC],
])

export function encodeChallenge(challenge: Challenge, key: Uint8Array): string {
  const time = Buffer.alloc(4)
  time.writeUInt32BE(challenge.expiresAt)
  const enrolment = challenge.kind === 'enrolment'
  const bound = enrolment ? uuidBytes(challenge.invitation) : Buffer.from(challenge.certificate, 'hex')
  const body = Buffer.concat([Buffer.from([enrolment ? ENROLMENT : RENEWAL]), bound, uuidBytes(challenge.path), time])
  return Buffer.concat([body, mac(body, key)]).toString('base64url')
}

/** Undefined when it is not ours. Its expiry is the caller's to check. */
export function openChallenge(text: string, key: Uint8Array): Challenge | undefined {
  if (text.length > 120) return undefined
  const bytes = Buffer.from(text, 'base64url')
  const kind = bytes[0]
  if (kind === undefined || bytes.length !== LENGTHS.get(kind) || bytes.toString('base64url') !== text) return undefined
  const body = bytes.subarray(0, -MAC)
  if (!timingSafeEqual(bytes.subarray(-MAC), mac(body, key))) return undefined
  const path = uuidText(body.subarray(-20, -4))
  const expiresAt = body.readUInt32BE(body.length - 4)
  const bound = body.subarray(1, -20)
  if (kind === ENROLMENT) return { kind: 'enrolment', invitation: uuidText(bound), path, expiresAt }
  return { kind: 'renewal', certificate: bound.toString('hex'), path, expiresAt }
}

const mac = (body: Uint8Array, key: Uint8Array) =>
  createHmac('sha256', key).update('bulkhead-challenge/v1\n').update(body).digest().subarray(0, MAC)
