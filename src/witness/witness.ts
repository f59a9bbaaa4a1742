import type { KeyObject } from 'node:crypto'
import { BulkheadError } from '../base/errors.ts'
import { decodeBase64, decodeDecimal } from '../wire/tlog/base64.ts'
import { decodeCheckpoint, openCheckpoint } from '../wire/tlog/checkpoint.ts'
import { cosignatureSigner, verifierOf } from '../wire/tlog/cosignature.ts'
import { EMPTY_ROOT, verifyConsistency } from '../wire/tlog/merkle.ts'
import { encodeSignature, splitNote, type Vkey } from '../wire/tlog/note.ts'

/**
 * A C2SP tlog-witness: of each log it knows, it remembers the largest checkpoint and cosigns only what continues it. Two witnesses
 * in other hands make a rewritten past show. Whoever holds its key, or can take its state back, can cosign a second past.
 */
export type Witness = { addCheckpoint(request: string): WitnessAnswer }
export type WitnessAnswer = { status: 200 | 400 | 403 | 404 | 409 | 422; type?: string; body: string }
/** What a witness remembers of a log. `root`: 32 bytes. `note`: the signed checkpoint. */
export type Seen = { size: number; root: Buffer; note: string }
export type WitnessState = {
  /** Undefined for a log that was never seen. */
  read(origin: string): Seen | undefined
  /** Returns when it is on disk: a cosignature that is forgotten could be given for another past. */
  write(origin: string, seen: Seen): void
  /** Keeps a checkpoint that the log signed beside another of the same size: the two together convict it. */
  convict(origin: string, note: string): void
}
type Options = {
  name: string
  key: KeyObject
  /** Verifier keys of logs; the name of each is its log's origin. */
  logs: Vkey[]
  state: WitnessState
  /** In seconds. */
  clock: () => number
}

export const MAX_REQUEST = 64 * 1024 // bytes
const MAX_HASHES = 63

export function createWitness({ name, key, logs, state, clock }: Options): Witness {
  const known = new Map(logs.map(vkey => [vkey.name, vkey]))

  /** Runs without a pause from reading the state to writing it: two requests cannot both continue the same head. */
  function decide(request: string): WitnessAnswer {
    const { old, hashes, note } = decodeRequest(request)
    const { text } = splitNote(note)
    const { origin, size, root } = decodeCheckpoint(text)
    const vkey = known.get(origin)
    if (!vkey) return { status: 404, body: 'This witness does not know the log.\n' }
    openCheckpoint(note, origin, verifierOf(vkey))
    if (old > size) return { status: 400, body: 'The old size is larger than the checkpoint.\n' }
    const seen = state.read(origin) ?? { size: 0, root: EMPTY_ROOT }
    const forked = size === seen.size && !root.equals(seen.root)
    if (forked) state.convict(origin, note)
    if (forked || old !== seen.size) return { status: 409, type: 'text/x.tlog.size', body: `${seen.size}\n` }
    assertContinues(seen, { size, root }, hashes)
    if (size > seen.size) state.write(origin, { size, root, note })
    const signer = cosignatureSigner(name, key, clock())
    return { status: 200, body: encodeSignature({ name, keyId: signer.keyId, signature: signer.sign(text) }) }
  }

  return {
    addCheckpoint(request) {
      try {
        return decide(request)
      } catch (error) {
        const status = statusOf(error)
        if (status === undefined) throw error
        return { status, body: `${(error as BulkheadError).message}\n` }
      }
    },
  }
}

type Tree = Pick<Seen, 'size' | 'root'>

function assertContinues(seen: Tree, next: Tree, hashes: Buffer[]) {
  try {
    verifyConsistency(seen.size, next.size, seen.root, next.root, hashes)
  } catch (cause) {
    throw new BulkheadError('REFUSED', 'The proof does not show that the log only grew.', { cause })
  }
}

/** Undefined for what is no fault of the request. */
function statusOf(error: unknown): WitnessAnswer['status'] | undefined {
  const code = error instanceof BulkheadError ? error.code : undefined
  if (code === 'UNPROVEN') return 403
  if (code === 'REFUSED') return 422
  return code === 'MALFORMED' || code === 'LIMIT' ? 400 : undefined
}

/** `old <size>`, a hash a line, a blank line, the checkpoint. Throws MALFORMED or LIMIT. */
function decodeRequest(text: string): { old: number; hashes: Buffer[]; note: string } {
  const blank = text.indexOf('\n\n')
  if (blank < 0) throw new BulkheadError('MALFORMED', 'A request needs a blank line before the checkpoint.')
  const [first = '', ...lines] = text.slice(0, blank).split('\n', MAX_HASHES + 2)
  if (!first.startsWith('old ')) throw new BulkheadError('MALFORMED', 'A request begins with the old size.')
  if (lines.length > MAX_HASHES) throw new BulkheadError('LIMIT', `A proof has at most ${MAX_HASHES} hashes.`)
  return {
    old: decodeDecimal(first.slice(4)),
    hashes: lines.map(line => decodeBase64(line, 32)),
    note: text.slice(blank + 2),
  }
}
