import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createPrivateKey,
  createPublicKey,
  decapsulate,
  encapsulate,
  hkdfSync,
  type KeyObject,
} from 'node:crypto'
import { BulkheadError } from '../base/errors.ts'

/** HPKE (RFC 9180), base mode, single shot: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM. Proved against another implementation. */
const KEM_ID = 0x0020
const KDF_ID = 0x0001
const AEAD_ID = 0x0002
const ENC = 32
const TAG = 16
const KEY = 32
const NONCE = 12

const u16 = (value: number) => Buffer.from([value >> 8, value & 255])
const suite = Buffer.concat([Buffer.from('HPKE'), u16(KEM_ID), u16(KDF_ID), u16(AEAD_ID)])
const empty = Buffer.alloc(0)
const labeled = (label: string, data: Uint8Array) =>
  Buffer.concat([Buffer.from('HPKE-v1'), suite, Buffer.from(label), data])

const noSecret = labeled('secret', empty)
const keyLabel = Buffer.concat([u16(KEY), labeled('key', empty)])
const nonceLabel = Buffer.concat([u16(NONCE), labeled('base_nonce', empty)])
/** LabeledExtract and LabeledExpand (RFC 9180, 4) in one step, which is HKDF. */
const derive = (salt: Uint8Array, label: Uint8Array, info: Uint8Array, length: number): Buffer =>
  Buffer.from(hkdfSync('sha256', noSecret, salt, Buffer.concat([label, info]), length))

const hashOf = (label: string, data: Uint8Array) =>
  createHmac('sha256', Buffer.alloc(32)).update(labeled(label, data)).digest()
const noPsk = hashOf('psk_id_hash', empty)
const noInfo = hashOf('info_hash', empty)

const publicKeys = new Map<string, KeyObject>()

/** An X25519 public key from its 32 raw bytes; kept, since few recipients get many messages. */
export function x25519Public(raw: Uint8Array): KeyObject {
  const name = Buffer.from(raw).toString('base64')
  let key = publicKeys.get(name)
  if (!key) {
    if (raw.length !== 32) throw new BulkheadError('MALFORMED', 'An X25519 public key has 32 bytes.')
    key = createPublicKey({ key: Buffer.from(raw), format: 'raw-public', asymmetricKeyType: 'x25519' })
    if (publicKeys.size > 4096) publicKeys.clear()
    publicKeys.set(name, key)
  }
  return key
}
export const x25519Private = (raw: Uint8Array): KeyObject =>
  createPrivateKey({
    key: Buffer.from(raw.buffer, raw.byteOffset, raw.length),
    format: 'raw-private',
    asymmetricKeyType: 'x25519',
  })
export const rawPublic = (key: KeyObject): Buffer => rawOf(createPublicKey(key))
const rawOf = (publicKey: KeyObject) => publicKey.export({ format: 'raw-public' })

/** `shared`: the secret of DHKEM (section 4.1), which Node's own encapsulate and decapsulate make. */
function schedule(shared: Uint8Array, info: Uint8Array) {
  const infoHash = info.length === 0 ? noInfo : hashOf('info_hash', info)
  const context = Buffer.concat([Buffer.from([0]), noPsk, infoHash]) // 0: mode_base
  return { key: derive(shared, keyLabel, context, KEY), nonce: derive(shared, nonceLabel, context, NONCE) }
}

/** enc (32 bytes) ‖ ciphertext ‖ tag. `recipient`: 32 raw bytes. */
export function hpkeSeal(
  recipient: Uint8Array,
  plaintext: Uint8Array,
  aad: Uint8Array,
  info: Uint8Array = empty,
): Buffer {
  const { sharedKey, ciphertext: enc } = encapsulate(x25519Public(recipient))
  const { key, nonce } = schedule(sharedKey, info)
  const cipher = createCipheriv('aes-256-gcm', key, nonce)
  cipher.setAAD(aad)
  return Buffer.concat([enc, cipher.update(plaintext), cipher.final(), cipher.getAuthTag()])
}

/** Throws UNPROVEN when it was sealed to another key, for another place, or changed. */
export function hpkeOpen(privateKey: KeyObject, sealed: Uint8Array, aad: Uint8Array, info: Uint8Array = empty): Buffer {
  if (sealed.length < ENC + TAG) throw new BulkheadError('MALFORMED', 'A sealed value that is too short.')
  const enc = sealed.subarray(0, ENC)
  try {
    const { key, nonce } = schedule(decapsulate(privateKey, enc), info)
    const decipher = createDecipheriv('aes-256-gcm', key, nonce)
    decipher.setAAD(aad)
    decipher.setAuthTag(sealed.subarray(sealed.length - TAG))
    return Buffer.concat([decipher.update(sealed.subarray(ENC, sealed.length - TAG)), decipher.final()])
  } catch (cause) {
    throw new BulkheadError('UNPROVEN', 'A sealed value that does not open here.', { cause })
  }
}
