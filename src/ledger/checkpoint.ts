import { createPublicKey, type KeyObject } from 'node:crypto'
import { BulkheadError } from '../base/errors.ts'
import { encodeCheckpoint, openCheckpoint } from '../wire/tlog/checkpoint.ts'
import { cosignatureSigner, newestTime, verifierOf } from '../wire/tlog/cosignature.ts'
import { noteSigner, signNote, vkeyOf } from '../wire/tlog/note.ts'

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

const publicOf = (key: KeyObject) => (key.type === 'private' ? createPublicKey(key) : key)
