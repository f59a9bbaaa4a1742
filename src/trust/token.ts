import { createHmac, hash, timingSafeEqual } from 'node:crypto'

/** A path token: base64url(id, 16 bytes ‖ HMAC-SHA256(key, kind ‖ id), 16 bytes). Checked in memory before anything else happens to a request. */
export type TokenKind = 'invitation' | 'device'
const LENGTH = 43

export function encodeToken(kind: TokenKind, id: string, key: Uint8Array): string {
  const bytes = uuidBytes(id)
  return Buffer.concat([bytes, mac(kind, bytes, key)]).toString('base64url')
}

/** The id inside, or undefined when the token is not ours. */
export function openToken(kind: TokenKind, token: string, key: Uint8Array): string | undefined {
  if (token.length !== LENGTH) return undefined
  const bytes = Buffer.from(token, 'base64url')
  if (bytes.length !== 32 || !timingSafeEqual(bytes.subarray(16), mac(kind, bytes.subarray(0, 16), key)))
    return undefined
  if (bytes.toString('base64url') !== token) return undefined // one spelling for each token
  return uuidText(bytes)
}

const mac = (kind: TokenKind, id: Uint8Array, key: Uint8Array) =>
  createHmac('sha256', key).update(`bulkhead-path/v1\n${kind}\n`).update(id).digest().subarray(0, 16)

export const uuidBytes = (id: string): Buffer => Buffer.from(id.replaceAll('-', ''), 'hex')

export function uuidText(bytes: Uint8Array): string {
  const hex = Buffer.from(bytes.buffer, bytes.byteOffset, 16).toString('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}

/** The CommandUUID of a delivery: worked out from order, device, channel and serial, so a repeated delivery repeats it and no table can change it. */
export function commandUuid(order: string, device: string, channel = '', serial = 0): string {
  const hex = hash('sha256', `bulkhead-command/v1\n${order}\n${device}\n${channel}\n${serial}`, 'hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20, 32)}`
}
