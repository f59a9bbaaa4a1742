/**
 * Statements as every verifier reads them: canonical text (RFC 8785) and digests that name the statement's kind and this
 * installation. Written apart from the server's own code on purpose: what an operator signs is worked out here, from
 * what is on the screen.
 */
export type Bytes = Uint8Array<ArrayBuffer>
export type StatementType =
  | 'bulkhead-order/v1'
  | 'bulkhead-standing-order/v1'
  | 'bulkhead-group/v1'
  | 'bulkhead-invitation/v1'
  | 'bulkhead-roster/v1'
  | 'bulkhead-freeze/v1'
  | 'bulkhead-thaw/v1'
  | 'bulkhead-cancel/v1'

/** Canonical JSON of whole numbers, strings, booleans, null, lists and objects. Throws on anything else. */
export function canonical(value: unknown): string {
  if (value === null || typeof value === 'boolean') return String(value)
  if (typeof value === 'number') {
    if (!Number.isSafeInteger(value) || Object.is(value, -0)) throw new Error('A statement holds whole numbers only.')
    return String(value)
  }
  if (typeof value === 'string') {
    if (!value.isWellFormed()) throw new Error('A statement holds half a character.')
    return JSON.stringify(value)
  }
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (typeof value !== 'object') throw new Error(`A statement cannot hold a ${typeof value}.`)
  const members = Object.entries(value).filter(([, item]) => item !== undefined)
  members.sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${members.map(([key, item]) => `${JSON.stringify(key)}:${canonical(item)}`).join(',')}}`
}

/** The object behind canonical text. Throws when the text is any other spelling of it. */
export function parseCanonical(text: string): Record<string, unknown> {
  const value: unknown = JSON.parse(text)
  if (typeof value !== 'object' || value === null || Array.isArray(value) || canonical(value) !== text)
    throw new Error('The statement is not in canonical form.')
  return value as Record<string, unknown>
}

const encoder = new TextEncoder()

export async function sha256(...parts: (string | Uint8Array)[]): Promise<Bytes> {
  const chunks = parts.map(part => (typeof part === 'string' ? encoder.encode(part) : part))
  const whole = new Uint8Array(chunks.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const chunk of chunks) {
    whole.set(chunk, at)
    at += chunk.length
  }
  return new Uint8Array(await crypto.subtle.digest('SHA-256', whole))
}

export const toHex = (bytes: Uint8Array): string =>
  Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('')
export const sha256Hex = async (...parts: (string | Uint8Array)[]): Promise<string> => toHex(await sha256(...parts))

/** Throws on anything but pairs of hex digits. */
export function fromHex(text: string): Bytes {
  if (!/^([0-9a-f]{2})*$/.test(text)) throw new Error('Not hex.')
  return Uint8Array.from({ length: text.length / 2 }, (_, at) => Number.parseInt(text.slice(2 * at, 2 * at + 2), 16))
}

export const fromBase64 = (text: string): Bytes => Uint8Array.from(atob(text), char => char.charCodeAt(0))

export function toBase64(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += String.fromCharCode(byte)
  return btoa(text)
}

export const toBase64url = (bytes: Uint8Array): string =>
  toBase64(bytes).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')

export const genesisDigestOf = (genesis: string): Promise<string> => sha256Hex('bulkhead-roster/v1\n', genesis)

/** What a passkey signs for a statement: SHA-256(type ‖ "\n" ‖ genesis digest ‖ canonical text). */
export const statementDigest = (type: StatementType, genesisDigest: string, text: string): Promise<Bytes> =>
  sha256(`${type}\n`, fromHex(genesisDigest), text)

/** What a passkey signs to sign in; of a kind of its own, so that it can never approve anything. */
export const sessionDigest = (genesisDigest: string, challenge: string): Promise<Bytes> =>
  sha256('bulkhead-session/v1\n', fromHex(genesisDigest), challenge)

export const targetsDigest = (devices: string[]): Promise<string> => sha256Hex(`${[...devices].sort().join('\n')}\n`)

export const nonce = (): string => toHex(crypto.getRandomValues(new Uint8Array(16)))
