import { BulkheadError } from '../../base/errors.ts'
import { decodeBase64, decodeDecimal } from './base64.ts'
import { type Checkpoint, openCheckpoint } from './checkpoint.ts'
import { leafHash, verifyInclusion } from './merkle.ts'
import type { NoteSignature, NoteVerifier } from './note.ts'

/** C2SP tlog-proof: all that shows one entry to be in a log, in one .tlog-proof file. `extra` is not signed by anybody. */
export type TlogProof = { index: number; hashes: Buffer[]; checkpoint: string; extra?: Buffer }

const HEADER = 'c2sp.org/tlog-proof@v1'
const MAX_PROOF = 1_200_000

export function encodeProof({ index, hashes, checkpoint, extra }: TlogProof): string {
  const lines = [HEADER, ...(extra ? [`extra ${extra.toString('base64')}`] : []), `index ${index}`]
  for (const hash of hashes) lines.push(hash.toString('base64'))
  return `${lines.join('\n')}\n\n${checkpoint}`
}

/** Nothing is verified. Throws MALFORMED. */
export function decodeProof(text: string): TlogProof {
  if (text.length > MAX_PROOF) throw new BulkheadError('LIMIT', 'A proof file of this size is not read.')
  const blank = text.indexOf('\n\n')
  const [header, ...lines] = text.slice(0, Math.max(blank, 0)).split('\n', 70)
  if (header !== HEADER) throw new BulkheadError('MALFORMED', 'This is not a tlog-proof file of version 1.')
  const extra = lines[0]?.startsWith('extra ') ? decodeBase64(lines.shift()!.slice(6)) : undefined
  const index = lines.shift()
  if (!index?.startsWith('index ') || lines.length > 63)
    throw new BulkheadError('MALFORMED', 'A proof names its index and at most 63 hashes.')
  const proof = {
    index: decodeDecimal(index.slice(6)),
    hashes: lines.map(line => decodeBase64(line, 32)),
    checkpoint: text.slice(blank + 2),
  }
  return extra === undefined ? proof : { ...proof, extra }
}

/** Verifies that `entry` is in the log. The caller decides whether the verified signatures suffice. Throws MALFORMED or UNPROVEN. */
export function openProof(
  proof: TlogProof,
  entry: Uint8Array,
  origin: string,
  log: NoteVerifier,
  others: NoteVerifier[] = [],
): Checkpoint & { verified: NoteSignature[] } {
  const checkpoint = openCheckpoint(proof.checkpoint, origin, log, others)
  verifyInclusion(proof.index, checkpoint.size, leafHash(entry), proof.hashes, checkpoint.root)
  return checkpoint
}
