import { type KeyObject, sign, verify } from 'node:crypto'
import { BulkheadError } from '../../base/errors.ts'
import {
  type NoteSignature,
  type NoteSigner,
  type NoteVerifier,
  noteVerifier,
  publicKeyObject,
  type Vkey,
  vkeyOf,
} from './note.ts'

/** C2SP tlog-cosignature, Ed25519 (type 0x04): u64be time in seconds, then the signature over time and checkpoint. */

const signedBytes = (time: number, text: string) => Buffer.from(`cosignature/v1\ntime ${time}\n${text}`)

/** Cosigns at `time`, in whole seconds since 1970. */
export function cosignatureSigner(name: string, privateKey: KeyObject, time: number): NoteSigner {
  if (!Number.isSafeInteger(time) || time < 0)
    throw new BulkheadError('BAD_REQUEST', 'A cosignature needs a time in whole seconds.')
  const stamp = Buffer.alloc(8)
  stamp.writeBigUInt64BE(BigInt(time))
  const sealed = (text: string) => Buffer.concat([stamp, sign(null, signedBytes(time, text), privateKey)])
  return { name, keyId: vkeyOf(name, 4, privateKey).keyId, sign: sealed }
}

/** Verifies either algorithm that a vkey can name. */
export function verifierOf(vkey: Vkey): NoteVerifier {
  if (vkey.algorithm === 1) return noteVerifier(vkey)
  const key = publicKeyObject(vkey.publicKey)
  const check = (text: string, signature: Buffer) => {
    if (signature.length !== 72) return false
    const time = signature.readBigUInt64BE(0)
    if (time > BigInt(Number.MAX_SAFE_INTEGER)) return false
    return verify(null, signedBytes(Number(time), text), key, signature.subarray(8))
  }
  return { name: vkey.name, keyId: vkey.keyId, verify: check }
}

/** When a verified cosignature was made, in seconds. Only for signatures that `openNote` has verified with an algorithm 4 key. */
export function cosignatureTime({ signature }: NoteSignature): number {
  if (signature.length !== 72) throw new BulkheadError('MALFORMED', 'This signature carries no time.')
  return Number(signature.readBigUInt64BE(0))
}

/** The newest time that one of `clocks` has signed; null where none did. */
export function newestTime(verified: NoteSignature[], clocks: Vkey[]): number | null {
  const times = verified
    .filter(line =>
      clocks.some(clock => clock.algorithm === 4 && clock.keyId === line.keyId && clock.name === line.name),
    )
    .map(cosignatureTime)
  return times.length === 0 ? null : Math.max(...times)
}
