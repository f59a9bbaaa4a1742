import { answerTo } from './answers.ts'
import { Buffer } from './buffer.ts'
import { type PageKey, pageKey, verifyInPage } from './keys.ts'
import { sha256 } from './sha256.ts'

/**
 * Takes the place of node:crypto in this page (vite.config.ts), for the server's own code that judges the control log. It hashes and verifies,
 * and does nothing else: what it lacks is no function here. Signatures are WebCrypto's answer, by way of answers.ts.
 */
Object.assign(globalThis, { Buffer })
export type KeyObject = PageKey

export function createHash(name: string) {
  requireSha256(name)
  const parts: Uint8Array[] = []
  const hasher = {
    update(part: string | Uint8Array) {
      parts.push(typeof part === 'string' ? Buffer.from(part) : part)
      return hasher
    },
    digest(encoding?: 'hex') {
      const digest = Buffer.from(sha256(Buffer.concat(parts)))
      return encoding === undefined ? digest : digest.toString(encoding)
    },
  }
  return hasher
}

export function hash(name: string, bytes: Uint8Array, encoding: 'latin1'): string {
  requireSha256(name)
  return Buffer.from(sha256(bytes)).toString(encoding)
}

function requireSha256(name: string) {
  if (name !== 'sha256') throw new TypeError(`There is no ${name} here.`)
}

/** Throws where the bytes are no key of a kind that passkeys, logs and makers of authenticators have. */
export function createPublicKey({ key }: { key: Uint8Array }): PageKey {
  const made = pageKey(key)
  if (answerTo({ id: `key ${idOf(made.spki)}`, ask: async () => (await made.usable('SHA-256')) !== undefined }))
    return made
  throw new TypeError('This is no public key.')
}

/** As node:crypto: the hash is null for Ed25519, and ECDSA signatures are in DER. */
export function verify(name: string | null, data: Uint8Array, key: PageKey, signature: Uint8Array): boolean {
  const id = `signature ${name} ${[key.spki, data, signature].map(idOf).join(' ')}`
  return answerTo({ id, ask: () => verifyInPage(name, data, key, signature) })
}

const idOf = (bytes: Uint8Array): string => Buffer.from(sha256(bytes)).toString('base64')

const absent = (): never => {
  throw new TypeError('This page makes no such thing.')
}

// Named by modules that come along with what is used.
export { absent as sign }
