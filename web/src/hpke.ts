import { BulkheadError } from '../../src/base/errors.ts'
import { type Bytes, concat, fromBase64, toBase64 } from '../../src/people/bytes.ts'
import { hkdf, hmac } from '../../src/people/hash.ts'
import { type Hpke, X25519_PKCS8 } from '../../src/people/keys.ts'

/**
 * HPKE (RFC 9180), base mode, single shot: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM, over this browser's WebCrypto. The same as
 * src/wire/hpke.ts, which the tests hold it against.
 */
const u16 = (value: number) => Uint8Array.of(value >> 8, value & 255)
const kemSuite = concat('KEM', u16(0x0020))
const suite = concat('HPKE', u16(0x0020), u16(0x0001), u16(0x0002))
const none = new Uint8Array(0)
const ENC = 32
const TAG = 16

const labeled = (id: Bytes, label: string, data: Uint8Array) => concat('HPKE-v1', id, label, data)

type Extract = { id: Bytes; salt: Uint8Array; label: string; ikm: Uint8Array }
/** LabeledExtract and LabeledExpand (section 4) in one step, which is HKDF. */
const derive = ({ id, salt, label, ikm }: Extract, name: string, info: Uint8Array, length: number): Bytes =>
  hkdf(labeled(id, label, ikm), salt, concat(u16(length), labeled(id, name, info)), length)

const extract = hmac(none)
const noPsk = extract(labeled(suite, 'psk_id_hash', none))

async function keyOf(dh: Bytes, enc: Bytes, recipient: Bytes, info: Uint8Array, use: 'encrypt' | 'decrypt') {
  const shared = { id: kemSuite, salt: none, label: 'eae_prk', ikm: dh }
  const salt = derive(shared, 'shared_secret', concat(enc, recipient), 32)
  const context = concat(Uint8Array.of(0), noPsk, extract(labeled(suite, 'info_hash', info)))
  const secret = { id: suite, salt, label: 'secret', ikm: none }
  const key = await crypto.subtle.importKey('raw', derive(secret, 'key', context, 32), 'AES-GCM', false, [use])
  return { key, iv: derive(secret, 'base_nonce', context, 12) }
}

/** Few recipients get many messages. */
const recipients = new Map<string, CryptoKey>()
async function publicKeyOf(raw: Bytes): Promise<CryptoKey> {
  const name = toBase64(raw)
  const known = recipients.get(name) ?? (await crypto.subtle.importKey('raw', raw, 'X25519', false, []))
  if (recipients.size > 4096) recipients.clear()
  recipients.set(name, known)
  return known
}

async function agree(privateKey: CryptoKey, publicKey: CryptoKey): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.deriveBits({ name: 'X25519', public: publicKey }, privateKey, 256))
}

/** enc (32 bytes) ‖ ciphertext ‖ tag. */
export async function sealInBrowser(
  recipient: Bytes,
  plaintext: Bytes,
  aad: Bytes,
  info: Uint8Array = none,
): Promise<Bytes> {
  const pair = await crypto.subtle.generateKey('X25519', false, ['deriveBits'])
  const ephemeral = pair as { privateKey: CryptoKey; publicKey: CryptoKey }
  const enc = new Uint8Array(await crypto.subtle.exportKey('raw', ephemeral.publicKey))
  const dh = await agree(ephemeral.privateKey, await publicKeyOf(recipient))
  const { key, iv } = await keyOf(dh, enc, recipient, info, 'encrypt')
  const sealed = await crypto.subtle.encrypt({ name: 'AES-GCM', iv, additionalData: aad }, key, plaintext)
  return concat(enc, new Uint8Array(sealed))
}

/** Throws MALFORMED where it is too short, UNPROVEN where it was sealed to another key, for another place, or changed. */
export async function openInBrowser(
  privateKey: Bytes,
  sealed: Bytes,
  aad: Bytes,
  info: Uint8Array = none,
): Promise<Bytes> {
  if (sealed.length < ENC + TAG) throw new BulkheadError('MALFORMED', 'A sealed value that is too short.')
  const enc = sealed.slice(0, ENC)
  try {
    const own = await crypto.subtle.importKey('pkcs8', concat(X25519_PKCS8, privateKey), 'X25519', true, ['deriveBits'])
    const { x } = await crypto.subtle.exportKey('jwk', own)
    const dh = await agree(own, await publicKeyOf(enc))
    const { key, iv } = await keyOf(dh, enc, fromBase64(x!), info, 'decrypt')
    const opened = await crypto.subtle.decrypt({ name: 'AES-GCM', iv, additionalData: aad }, key, sealed.slice(ENC))
    return new Uint8Array(opened)
  } catch (cause) {
    throw new BulkheadError('UNPROVEN', 'A sealed value that does not open here.', { cause })
  }
}

export const browserHpke: Hpke = {
  seal: (recipient, plaintext, aad) => sealInBrowser(recipient, plaintext, aad),
  open: (privateKey, sealed, aad) => openInBrowser(privateKey, sealed, aad),
}
