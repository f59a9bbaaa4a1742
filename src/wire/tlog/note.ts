import { createHash, createPublicKey, type KeyObject, sign, verify } from 'node:crypto'
import { BulkheadError } from '../../base/errors.ts'
import { decodeBase64 } from './base64.ts'

/** C2SP signed-note: a text, a blank line, and one line for each signature. */

/** 1: Ed25519 over the text. 4: a timestamped Ed25519 cosignature (cosignature.ts). */
export type NoteAlgorithm = 1 | 4
export type Vkey = { name: string; algorithm: NoteAlgorithm; publicKey: Buffer; keyId: number }
/** One signature line; `signature` is what follows the key id. */
export type NoteSignature = { name: string; keyId: number; signature: Buffer }
export type NoteSigner = { name: string; keyId: number; sign(text: string): Buffer }
export type NoteVerifier = { name: string; keyId: number; verify(text: string, signature: Buffer): boolean }
/** `verified`: by known keys, each once. `unknown`: signatures of keys nobody named. */
export type OpenNote = { text: string; verified: NoteSignature[]; unknown: NoteSignature[] }

const MAX_NOTE = 1_000_000
const MAX_SIGNATURES = 100
const SPKI_ED25519 = Buffer.from('302a300506032b6570032100', 'hex')

/** The first four bytes of SHA-256(name, LF, algorithm, public key), as a number. */
export function keyId(name: string, algorithm: NoteAlgorithm, publicKey: Uint8Array): number {
  return createHash('sha256')
    .update(`${name}\n`)
    .update(Buffer.of(algorithm))
    .update(publicKey)
    .digest()
    .readUInt32BE(0)
}

export function vkeyOf(name: string, algorithm: NoteAlgorithm, key: KeyObject): Vkey {
  assertKeyName(name)
  const publicKey = rawPublicKey(key)
  return { name, algorithm, publicKey, keyId: keyId(name, algorithm, publicKey) }
}

export function encodeVkey({ name, algorithm, publicKey, keyId }: Vkey): string {
  return `${name}+${hex8(keyId)}+${Buffer.concat([Buffer.of(algorithm), publicKey]).toString('base64')}`
}

/** Throws MALFORMED: a shape that is no vkey, an algorithm other than 1 and 4, or a key id that is not the key's. */
export function decodeVkey(text: string): Vkey {
  const match = text.length > 1000 ? null : /^([^+]+)\+([0-9a-f]{8})\+(.+)$/.exec(text)
  if (!match) throw malformed('A verifier key is name+id+key.')
  const [, name, id, key] = match as unknown as [string, string, string, string]
  assertKeyName(name)
  const bytes = decodeBase64(key, 33)
  const algorithm = bytes[0]
  if (algorithm !== 1 && algorithm !== 4) throw malformed(`Signature algorithm ${algorithm} is not known.`)
  const publicKey = bytes.subarray(1)
  const expected = keyId(name, algorithm, publicKey)
  if (hex8(expected) !== id) throw malformed('The id of this verifier key is not that of its key.')
  return { name, algorithm, publicKey, keyId: expected }
}

/** Signs notes with an Ed25519 private key. */
export function noteSigner(name: string, privateKey: KeyObject): NoteSigner {
  const vkey = vkeyOf(name, 1, privateKey)
  return { name, keyId: vkey.keyId, sign: text => sign(null, Buffer.from(text), privateKey) }
}

/** For algorithm 1 only; `verifierOf` (cosignature.ts) takes either. */
export function noteVerifier(vkey: Vkey): NoteVerifier {
  const key = publicKeyObject(vkey.publicKey)
  const check = (text: string, signature: Buffer) =>
    signature.length === 64 && verify(null, Buffer.from(text), key, signature)
  return { name: vkey.name, keyId: vkey.keyId, verify: check }
}

/** `text` ends with a line feed. The signers sign in the order given. Throws MALFORMED for a text that no note can hold. */
export function signNote(text: string, signers: NoteSigner[]): string {
  assertText(text)
  return encodeNote(
    text,
    signers.map(signer => ({ name: signer.name, keyId: signer.keyId, signature: signer.sign(text) })),
  )
}

export function encodeNote(text: string, signatures: NoteSignature[]): string {
  return `${text}\n${signatures.map(encodeSignature).join('')}`
}

/** One line, with its line feed: what a witness answers. */
export function encodeSignature({ name, keyId, signature }: NoteSignature): string {
  const id = Buffer.alloc(4)
  id.writeUInt32BE(keyId)
  return `— ${name} ${Buffer.concat([id, signature]).toString('base64')}\n`
}

/**
 * Opens a note with the keys known. Unknown keys are passed over.
 * Throws MALFORMED for what is no note, UNPROVEN where a known key's signature fails or no known key signed.
 */
export function openNote(note: string, known: NoteVerifier[]): OpenNote {
  const { text, signatures } = splitNote(note)
  const verified = new Map<NoteVerifier, NoteSignature>()
  const unknown: NoteSignature[] = []
  for (const line of signatures) {
    const verifier = known.find(each => each.keyId === line.keyId && each.name === line.name)
    if (!verifier) unknown.push(line)
    else if (!verified.has(verifier)) {
      if (!verifier.verify(text, line.signature))
        throw new BulkheadError('UNPROVEN', `The signature of ${line.name} does not hold.`)
      verified.set(verifier, line)
    }
  }
  if (verified.size === 0) throw new BulkheadError('UNPROVEN', 'No known key has signed this note.')
  return { text, verified: [...verified.values()], unknown }
}

/** Text and signature lines, nothing verified. Throws MALFORMED. */
export function splitNote(note: string): { text: string; signatures: NoteSignature[] } {
  if (note.length > MAX_NOTE) throw new BulkheadError('LIMIT', `A note has at most ${MAX_NOTE} characters.`)
  const blank = note.lastIndexOf('\n\n') // the last one: a text may hold blank lines, signatures may not
  if (blank < 0 || !note.endsWith('\n') || blank + 2 === note.length)
    throw malformed('A note needs a blank line and signatures.')
  const text = note.slice(0, blank + 1)
  assertText(text)
  const lines = note.slice(blank + 2, -1).split('\n', MAX_SIGNATURES + 1)
  if (lines.length > MAX_SIGNATURES)
    throw new BulkheadError('LIMIT', `A note has at most ${MAX_SIGNATURES} signatures.`)
  return { text, signatures: lines.map(decodeSignature) }
}

/** One signature line without its line feed. Throws MALFORMED. */
export function decodeSignature(line: string): NoteSignature {
  const match = /^— (\S+) (\S+)$/u.exec(line)
  if (!match) throw malformed('A signature line is a dash, a name and base64.')
  assertKeyName(match[1]!)
  const bytes = decodeBase64(match[2]!)
  if (bytes.length < 5) throw malformed('A signature is shorter than its key id.')
  return { name: match[1]!, keyId: bytes.readUInt32BE(0), signature: bytes.subarray(4) }
}

export function rawPublicKey(key: KeyObject): Buffer {
  const spki = (key.type === 'private' ? createPublicKey(key) : key).export({ type: 'spki', format: 'der' })
  if (spki.length !== 44 || !spki.subarray(0, 12).equals(SPKI_ED25519))
    throw malformed('Notes are signed with Ed25519 keys.')
  return spki.subarray(12)
}

export function publicKeyObject(publicKey: Buffer): KeyObject {
  try {
    return createPublicKey({ key: Buffer.concat([SPKI_ED25519, publicKey]), format: 'der', type: 'spki' })
  } catch (cause) {
    throw new BulkheadError('MALFORMED', 'This is no Ed25519 public key.', { cause })
  }
}

function assertText(text: string) {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  if (!text.endsWith('\n') || /[\x00-\x09\x0b-\x1f]/.test(text) || !text.isWellFormed())
    throw malformed('A note is UTF-8 without control characters and ends with a line feed.')
}

function assertKeyName(name: string) {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  if (name === '' || /[\s+\x00-\x1f]/u.test(name) || !name.isWellFormed())
    throw malformed('A key name has neither spaces nor a plus.')
}

const hex8 = (id: number) => id.toString(16).padStart(8, '0')
const malformed = (message: string) => new BulkheadError('MALFORMED', message)
