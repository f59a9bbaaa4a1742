import { BulkheadError } from '../../base/errors.ts'
import { decodeBase64, decodeDecimal } from './base64.ts'
import { type NoteSignature, type NoteVerifier, openNote } from './note.ts'

/** C2SP tlog-checkpoint: the signed head of a log. */

/** `root`: 32 bytes. `extensions`: further lines, which this project never writes. */
export type Checkpoint = { origin: string; size: number; root: Buffer; extensions: string[] }

export function encodeCheckpoint({ origin, size, root }: { origin: string; size: number; root: Uint8Array }): string {
  return `${origin}\n${size}\n${Buffer.from(root).toString('base64')}\n`
}

/** The text of a note. Throws MALFORMED. */
export function decodeCheckpoint(text: string): Checkpoint {
  const lines = text.split('\n')
  const end = lines.pop()
  const [origin, size, root, ...extensions] = lines
  if (end !== '' || !origin || size === undefined || root === undefined || extensions.includes(''))
    throw new BulkheadError('MALFORMED', 'A checkpoint is origin, size and root, a line each.')
  return { origin, size: decodeDecimal(size), root: decodeBase64(root, 32), extensions }
}

/**
 * Opens a signed checkpoint of the log `origin`. `log` is the log's own key and must have signed; `others` are witnesses and clocks.
 * Throws MALFORMED or UNPROVEN.
 */
export function openCheckpoint(
  note: string,
  origin: string,
  log: NoteVerifier,
  others: NoteVerifier[] = [],
): Checkpoint & { verified: NoteSignature[]; unknown: NoteSignature[] } {
  const { text, verified, unknown } = openNote(note, [log, ...others])
  const checkpoint = decodeCheckpoint(text)
  if (checkpoint.origin !== origin) throw new BulkheadError('UNPROVEN', 'This is a checkpoint of another log.')
  if (!verified.some(line => line.keyId === log.keyId && line.name === log.name))
    throw new BulkheadError('UNPROVEN', 'The log itself has not signed this checkpoint.')
  return { ...checkpoint, verified, unknown }
}
