import { createPublicKey, type KeyObject } from 'node:crypto'
import { BulkheadError } from '../base/errors.ts'
import { encodeCheckpoint, openCheckpoint } from '../wire/tlog/checkpoint.ts'
import { cosignatureSigner, newestTime, verifierOf } from '../wire/tlog/cosignature.ts'
import { encodeNote, type NoteSignature, noteSigner, signNote, splitNote, vkeyOf } from '../wire/tlog/note.ts'

/** How one log signs. `origin` is also the name of its key; `clock` is the ledger's key for times. */
export type Signing = { origin: string; key: KeyObject; clockName: string; clockKey: KeyObject }
/** `time` in seconds. */
export type Head = { size: number; root: Buffer; time: number; note: string }

/** Signs size and root with the log's key, and the time with the clock's. */
export function signHead(
  { origin, key, clockName, clockKey }: Signing,
  size: number,
  root: Buffer,
  time: number,
): Head {
  const signers = [noteSigner(origin, key), cosignatureSigner(clockName, clockKey, time)]
  return { size, root, time, note: signNote(encodeCheckpoint({ origin, size, root }), signers) }
}

/** Reads a checkpoint that both keys have signed. Private or public keys do. Throws MALFORMED or UNPROVEN. */
export function openHead({ origin, key, clockName, clockKey }: Signing, note: string): Head {
  const clock = vkeyOf(clockName, 4, publicOf(clockKey))
  const log = verifierOf(vkeyOf(origin, 1, publicOf(key)))
  const { size, root, verified } = openCheckpoint(note, origin, log, [verifierOf(clock)])
  const time = newestTime(verified, [clock])
  if (time === null) throw new BulkheadError('UNPROVEN', "The ledger's clock has not signed this checkpoint.")
  return { size, root, time, note }
}

/**
 * The head with witnesses' lines behind our own. None takes the place of ours: whoever knows our keys refuses a note in which one of
 * them does not hold. Of two lines of one key the later counts, for its time is the newer.
 */
export function withLines(head: Head, lines: NoteSignature[]): Head {
  const { text, signatures } = splitNote(head.note)
  const own = signatures.slice(0, OWN_LINES)
  const all = new Map(lines.map(line => [idOf(line), line]))
  for (const line of own) all.delete(idOf(line))
  return { ...head, note: encodeNote(text, [...own, ...all.values()]) }
}

/** What others have signed of a head of ours. */
export const linesOf = ({ note }: Head): NoteSignature[] => splitNote(note).signatures.slice(OWN_LINES)

const OWN_LINES = 2 // the log's and the clock's, which signHead puts first
const idOf = ({ name, keyId }: NoteSignature) => `${keyId} ${name}`

const publicOf = (key: KeyObject) => (key.type === 'private' ? createPublicKey(key) : key)
