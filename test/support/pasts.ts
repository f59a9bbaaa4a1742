import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { encodeCheckpoint } from '../../src/wire/tlog/checkpoint.ts'
import { consistencyProof, leafHash, treeRoot } from '../../src/wire/tlog/merkle.ts'
import { noteSigner, signNote, type Vkey, vkeyOf } from '../../src/wire/tlog/note.ts'
import { readerOf } from '../foreign/tlog/vector.ts'

/** A log that can be asked for any of its heads, and has a second past where one is wanted. */
export type Past = ReturnType<typeof pastOf>

export function logKey(): KeyObject {
  return generateKeyPairSync('ed25519').privateKey
}

/** `story`: what its entries say, so that another story is another past. */
export function pastOf(origin: string, key: KeyObject, story: string, size = 40) {
  const entries = Array.from({ length: size }, (_, at) => Buffer.from(`{"at":${at},"story":"${story}"}`))
  const read = readerOf(entries.map(entry => leafHash(entry)))
  const vkey: Vkey = vkeyOf(origin, 1, key)
  const checkpoint = (size: number) =>
    signNote(encodeCheckpoint({ origin, size, root: treeRoot(size, read) }), [noteSigner(origin, key)])
  const proof = (from: number, to: number) => consistencyProof(from, to, read).map(hash => hash.toString('base64'))
  /** The body of add-checkpoint. */
  const request = (from: number, to: number, hashes = proof(from, to)) =>
    [`old ${from}`, ...hashes, '', checkpoint(to)].join('\n')
  return { vkey, entries, checkpoint, proof, request }
}
