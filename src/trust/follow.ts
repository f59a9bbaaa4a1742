import { BulkheadError } from '../base/errors.ts'
import { openCheckpoint } from '../wire/tlog/checkpoint.ts'
import { newestTime, verifierOf } from '../wire/tlog/cosignature.ts'
import { leafHash, nodeHash, treeRoot, verifyConsistency } from '../wire/tlog/merkle.ts'
import { decodeVkey } from '../wire/tlog/note.ts'
import { createControl, type Freeze } from './control.ts'
import type { Trusted } from './roster.ts'

/** How old the newest signed time may be, in seconds. Older than that nobody knows whether a freeze has come. */
export const FRESH = 30

/** `root`: hex. What one who follows the log writes down, so that nobody shows it a shorter or another one later. */
export type Remembered = { size: number; root: string }
export type ControlView = ReturnType<typeof createFollower>

/** One who follows the control log from the genesis, entry by entry, and believes only what adds up to the signed root. */
export function createFollower(genesis: string, pinned: Trusted, remembered?: Remembered) {
  const { keys, name } = pinned.roster
  const origin = `${name}/control`
  const [log, clock] = [decodeVkey(keys.ledgerControl), decodeVkey(keys.ledgerClock)]
  const verifiers = [verifierOf(log), verifierOf(clock)] as const
  const control = createControl(genesis, pinned)
  const subtrees = new Map<string, Buffer>()
  const leaves: Buffer[] = [] // those believed
  const passedOver: { index: number; why: string }[] = []
  const waiting: string[] = [] // of a page whose log goes on
  let time = 0
  let note = ''
  let head: Remembered = { size: 0, root: '' }

  function read(level: number, index: number): Buffer {
    const key = `${level}/${index}`
    const hash = subtrees.get(key) ?? nodeHash(read(level - 1, 2 * index), read(level - 1, 2 * index + 1))
    subtrees.set(key, hash)
    return hash
  }

  function requireContinued(size: number, root: Buffer) {
    if (!treeRoot(size, read).equals(root))
      throw unproven('The entries of the control log are not those of its checkpoint.')
    const before = head.size > 0 ? head : remembered
    if (!before || before.size === 0) return
    if (size < before.size) throw unproven('The control log is shorter than it was.')
    if (treeRoot(before.size, read).toString('hex') !== before.root)
      throw unproven('The control log is another than it was.')
  }

  return {
    control,
    /** Seconds: the newest time that the ledger's clock has signed. */
    get time() {
      return time
    },
    get head(): Remembered {
      return head
    },
    /** Entries that do not count, with the reason. */
    get passedOver(): readonly { index: number; why: string }[] {
      return passedOver
    },
    /** How many entries were hashed, so from where the next page has to go on. */
    get next() {
      return head.size + waiting.length
    },

    /** Takes a page that begins at `next`. Entries count once the root over them was signed. Throws UNPROVEN; what was believed stays. */
    take(checkpoint: string, entries: readonly string[]): void {
      if (checkpoint === note && entries.length === 0) return
      const opened = openCheckpoint(checkpoint, origin, verifiers[0], [verifiers[1]])
      const from = this.next
      if (from + entries.length > opened.size) throw unproven('There are more entries than the checkpoint covers.')
      entries.forEach((entry, at) => {
        subtrees.set(`0/${from + at}`, leafHash(Buffer.from(entry)))
        waiting.push(entry)
      })
      if (from + entries.length < opened.size) return // more pages to come
      try {
        requireContinued(opened.size, opened.root)
      } catch (error) {
        waiting.length = 0
        subtrees.clear() // what did not add up must not be the ground of the next try
        for (const [at, hash] of leaves.entries()) subtrees.set(`0/${at}`, hash)
        throw error
      }
      for (const entry of waiting.splice(0)) {
        const why = control.apply(entry)
        if (why !== undefined) passedOver.push({ index: control.size - 1, why })
      }
      for (let at = leaves.length; at < opened.size; at++) leaves.push(read(0, at))
      head = { size: opened.size, root: opened.root.toString('hex') }
      time = Math.max(time, newestTime(opened.verified, [clock]) ?? 0)
      note = checkpoint
    },

    isFresh: (now: number) => time > 0 && now - time <= FRESH,
    /** The first freeze that stands. */
    frozen: (): Freeze | undefined => control.freezes[0],
    /** The roster with what counts at the newest time. */
    trusted: (): Trusted => control.trustedAt(time),
  }
}

/** The head of the main log that its key has signed. Throws UNPROVEN. */
export function openMain(checkpoint: string, { roster: { name, keys } }: Trusted): Remembered {
  const { size, root } = openCheckpoint(checkpoint, `${name}/main`, verifierOf(decodeVkey(keys.ledgerMain)))
  return { size, root: root.toString('hex') }
}

/** Throws UNPROVEN unless the log that is seen now begins with the one that was remembered. `proof`: of consistency, in base64; none is needed without `before`. */
export function requireConsistent(before: Remembered | undefined, now: Remembered, proof: readonly string[]): void {
  if (!before || before.size === 0) return
  if (now.size < before.size) throw unproven('The main log is shorter than it was.')
  const hashes = proof.map(hash => Buffer.from(hash, 'base64'))
  try {
    verifyConsistency(before.size, now.size, Buffer.from(before.root, 'hex'), Buffer.from(now.root, 'hex'), hashes)
  } catch {
    throw unproven('The main log is another than it was.')
  }
}

const unproven = (message: string) => new BulkheadError('UNPROVEN', message)
