import { generateKeyPairSync, sign } from 'node:crypto'
import type { Bytes } from '../people/bytes.ts'
import type { Hpke } from '../people/keys.ts'
import type { SessionKey } from '../people/session.ts'
import { hpkeOpen, hpkeSeal, x25519Private } from '../wire/hpke.ts'

/** What src/people asks of its surroundings, by Node's own modules: WebCrypto would take each seal through several threads' queues. */
const bytesOf = (buffer: Uint8Array): Bytes => new Uint8Array(buffer)

export const nodeHpke: Hpke = {
  seal: async (recipient, plaintext, aad) => bytesOf(hpkeSeal(recipient, plaintext, aad)),
  open: async (privateKey, sealed, aad) => bytesOf(hpkeOpen(x25519Private(privateKey), sealed, aad)),
}

/** Ed25519, in this process's memory only. */
export function nodeSessionKey(): SessionKey {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  return {
    publicKey: publicKey.export({ format: 'raw-public' }).toString('base64'),
    sign: async bytes => bytesOf(sign(null, bytes, privateKey)),
  }
}
