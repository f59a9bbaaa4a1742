/** Bytes as WebCrypto takes them. Nothing in this folder imports a module of Node's: it runs in an operator's browser as it stands. */
export type Bytes = Uint8Array<ArrayBuffer>

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export const utf8 = (text: string): Bytes => encoder.encode(text)
/** Throws TypeError where the bytes are no UTF-8. */
export const textOf = (bytes: Uint8Array): string => decoder.decode(bytes)

export function concat(...parts: (string | Uint8Array)[]): Bytes {
  const chunks = parts.map(part => (typeof part === 'string' ? utf8(part) : part))
  const whole = new Uint8Array(chunks.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const chunk of chunks) {
    whole.set(chunk, at)
    at += chunk.length
  }
  return whole
}

export const toHex = (bytes: Uint8Array): string =>
  Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('')

export function toBase64(bytes: Uint8Array & { toBase64?(): string }): string {
  if (bytes.toBase64) return bytes.toBase64() // where the platform has it already
  let text = ''
  for (let at = 0; at < bytes.length; at += 4096) text += String.fromCharCode(...bytes.subarray(at, at + 4096))
  return btoa(text)
}

/** Throws where the text is no base64. Also takes base64url. */
export function fromBase64(text: string): Bytes {
  const raw = atob(text.replaceAll('-', '+').replaceAll('_', '/'))
  const bytes = new Uint8Array(raw.length)
  for (let at = 0; at < raw.length; at++) bytes[at] = raw.charCodeAt(at)
  return bytes
}

export const sameBytes = (one: Uint8Array, other: Uint8Array): boolean =>
  one.length === other.length && one.every((byte, at) => byte === other[at])

export const randomBytes = (length: number): Bytes => crypto.getRandomValues(new Uint8Array(length))
