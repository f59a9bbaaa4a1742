import { createPrivateKey, type KeyObject } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { type HashReader, leafHash, nodeHash } from '../../../src/wire/tlog/merkle.ts'

/** For tests: the shared vector, keys from seeds, and the plainest possible tree to compare with. */
export type Vector = {
  logName: string
  logSeed: string
  logVkey: string
  witnessName: string
  witnessSeed: string
  witnessVkey: string
  time: number
  entries: string[]
  root: string
  checkpoint: string
  inclusion: { index: number; hashes: string[] }
  consistency: { from: number; oldRoot: string; hashes: string[] }
}

export const vector = JSON.parse(readFileSync(new URL('../../vectors/tlog.json', import.meta.url), 'utf8')) as Vector

export function privateKeyOf(seed: string): KeyObject {
  const pkcs8 = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), Buffer.from(seed, 'hex')])
  return createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' })
}

/** RFC 6962 section 2.1, word for word. */
export function naiveRoot(leaves: Buffer[]): Buffer {
  if (leaves.length === 1) return leaves[0]!
  let split = 1
  while (split * 2 < leaves.length) split *= 2
  return nodeHash(naiveRoot(leaves.slice(0, split)), naiveRoot(leaves.slice(split)))
}

export const leavesOf = (entries: string[]) => entries.map(entry => leafHash(Buffer.from(entry)))

export function readerOf(leaves: Buffer[]): HashReader {
  return (level, index) => {
    const subtree = leaves.slice(index * 2 ** level, (index + 1) * 2 ** level)
    if (subtree.length !== 2 ** level)
      throw new Error(`asked for an incomplete subtree: level ${level}, index ${index}`)
    return naiveRoot(subtree)
  }
}
