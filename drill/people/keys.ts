import { createPrivateKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { bytesOf } from '../files.ts'

/** Everything in a folder that could be a private key of 32 bytes: raw, or in a PEM of X25519 or Ed25519. */
export function keysIn(folder: string): Buffer[] {
  const found = new Map<string, Buffer>()
  const add = (key: Buffer) => key.length === 32 && found.set(key.toString('hex'), key)
  for (const { path, bytes } of bytesOf(folder)) {
    if (bytes.length > 64 * 1024 || /\/pg\//.test(path)) continue
    if (bytes.length === 32) add(bytes)
    for (const [pem] of readFileSync(path, 'latin1').matchAll(
      /-----BEGIN PRIVATE KEY-----[^-]+-----END PRIVATE KEY-----/g,
    ))
      try {
        const { d } = createPrivateKey(pem).export({ format: 'jwk' })
        if (d) add(Buffer.from(d, 'base64url'))
      } catch {}
    for (const [text] of bytes.toString('latin1').matchAll(/[A-Za-z0-9+/]{43}=/g)) add(Buffer.from(text, 'base64'))
  }
  return [...found.values()]
}
