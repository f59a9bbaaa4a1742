import { createCipheriv, createDecipheriv } from 'node:crypto'
import { BulkheadError } from '../../base/errors.ts'

/**
 * What the keyring writes, piece by piece: u32be length of what follows, the same inverted, nonce (12), ciphertext, tag (16). AES-256-GCM under the
 * epoch's key; the associated data names the file and the place in it, so that nobody moves, repeats or leaves out a piece unseen.
 */
export type Place = { file: 'snapshot' | 'segment' | 'copy'; epoch: number }
type Random = (size: number) => Buffer

export const KEY = 32
const HEAD = 8
const NONCE = 12
const TAG = 16
const MOST = 256 * 1024 * 1024 // far above what a hundred thousand records and a day's releases take

const aadOf = ({ file, epoch }: Place, index: number) => Buffer.from(`bulkhead-keyring/v1\n${file}\n${epoch}\n${index}`)

export function sealFrame(key: Buffer, place: Place, index: number, body: Buffer, random: Random): Buffer {
  if (body.length > MOST - NONCE - TAG) throw new BulkheadError('INTERNAL', 'The keyring holds more than it can write.')
  const nonce = random(NONCE) // never counted: a torn piece may be written again with another content
  const cipher = createCipheriv('aes-256-gcm', key, nonce)
  cipher.setAAD(aadOf(place, index))
  const sealed = Buffer.concat([nonce, cipher.update(body), cipher.final(), cipher.getAuthTag()])
  const head = Buffer.alloc(HEAD)
  head.writeUInt32BE(sealed.length, 0)
  head.writeUInt32BE(~sealed.length >>> 0, 4)
  return Buffer.concat([head, sealed])
}

/**
 * Hands out every piece in order. What one unfinished write can leave at the end (a head, a piece cut short, one whose pages did not all arrive,
 * zeros) is passed over: nobody was answered. Throws INTERNAL for anything else.
 */
export function readFrames(key: Buffer, place: Place, bytes: Buffer, each: (body: Buffer) => void): void {
  for (let at = 0, index = 0; at < bytes.length; index++) {
    if (bytes.length - at < HEAD) return
    const length = bytes.readUInt32BE(at)
    if (~length >>> 0 !== bytes.readUInt32BE(at + 4) || length > MOST || length < NONCE + TAG) {
      if (bytes.subarray(at).every(byte => byte === 0)) return
      throw damaged(place)
    }
    const end = at + HEAD + length
    if (end > bytes.length) return
    const body = openFrame(key, aadOf(place, index), bytes.subarray(at + HEAD, end))
    if (!body && end === bytes.length) return
    if (!body) throw damaged(place)
    each(body)
    body.fill(0) // it may hold keys
    at = end
  }
}

function openFrame(key: Buffer, aad: Buffer, sealed: Buffer): Buffer | undefined {
  const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, NONCE))
  decipher.setAAD(aad)
  decipher.setAuthTag(sealed.subarray(-TAG))
  try {
    const body = decipher.update(sealed.subarray(NONCE, -TAG))
    decipher.final() // which only verifies: there is nothing left
    return body
  } catch {
    return undefined
  }
}

export const damaged = ({ file, epoch }: Place) =>
  new BulkheadError('INTERNAL', `The vault's keyring is damaged: the ${file} of epoch ${epoch}.`, {
    remedy: 'Put its newest copy in its place.',
  })
