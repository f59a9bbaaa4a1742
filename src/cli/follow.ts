import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { BulkheadError } from '../base/errors.ts'
import { recall, remember } from '../base/remember.ts'
import type { Ledger } from '../ledger/api.ts'
import { ledgerClient } from '../ledger/client.ts'
import { type ControlView, createFollower, openMain, type Remembered, requireConsistent } from '../trust/follow.ts'
import type { Trusted } from '../trust/roster.ts'
import { openHome, orNotRunning } from './client.ts'
import { genesisPath, socketPath } from './home.ts'

/**
 * What this command line knows of the ledger, worked out by itself: it replays the control log from the pinned genesis, and remembers in the
 * home how far both logs had come. A log that is shorter than it was, or another, stops the command: somebody rewrote history.
 */
export type Followed = { pinned: Trusted; trusted: Trusted; view: ControlView; entries: string[]; main: Remembered }
type Seen = { control?: Remembered; main?: Remembered }

const seenPath = (home: string) => join(home, 'remembered.json')

/** Throws UNPROVEN where history is not what it was, NOT_RUNNING, UNAVAILABLE. */
export async function follow(home: string): Promise<Followed> {
  const pinned = openHome(home)
  const genesis = readFileSync(genesisPath(home), 'utf8')
  const before = recall<Seen>(seenPath(home)) ?? {}
  return withLedger(home, async ledger => {
    try {
      const view = createFollower(genesis, pinned, before.control)
      const entries = await readControl(ledger, view)
      const main = await readMain(ledger, pinned, before.main)
      keep(home, { control: view.head, main })
      return { pinned, trusted: view.trusted(), view, entries, main }
    } catch (error) {
      throw loud(error, home)
    }
  })
}

/** The roster as it is now. */
export const openRoster = async (home: string): Promise<Trusted> => (await follow(home)).trusted

/** Over the owner's own socket, which works while the console is away. */
export async function withLedger<T>(home: string, run: (ledger: Ledger) => Promise<T>): Promise<T> {
  const ledger = ledgerClient({ path: socketPath(home, 'ledger', 'cli') })
  try {
    return await run(ledger)
  } catch (error) {
    throw orNotRunning(home, error)
  } finally {
    ledger.close()
  }
}

async function readControl(ledger: Ledger, view: ControlView): Promise<string[]> {
  const all: string[] = []
  let from: number
  do {
    from = view.next
    const { checkpoint, entries } = await ledger.control({ from })
    view.take(checkpoint, entries)
    all.push(...entries)
  } while (view.next > from && view.next !== view.head.size)
  return all
}

async function readMain(ledger: Ledger, pinned: Trusted, before: Remembered | undefined): Promise<Remembered> {
  const { checkpoint } = await ledger.checkpoint({ log: 'main' })
  const now = openMain(checkpoint, pinned)
  const asks = before !== undefined && before.size > 0 && before.size < now.size
  const proof = asks ? (await ledger.consistency({ log: 'main', from: before.size, to: now.size })).hashes : []
  requireConsistent(before, now, proof)
  return now
}

/** Never less than another command has seen meanwhile. */
function keep(home: string, seen: Required<Seen>) {
  const other = recall<Seen>(seenPath(home)) ?? {}
  const further = (mine: Remembered, theirs: Remembered | undefined) =>
    theirs && theirs.size > mine.size ? theirs : mine
  const next = { control: further(seen.control, other.control), main: further(seen.main, other.main) }
  if (JSON.stringify(next) !== JSON.stringify(other)) remember(seenPath(home), next)
}

function loud(error: unknown, home: string): unknown {
  if (!(error instanceof BulkheadError) || error.code !== 'UNPROVEN') return error
  return new BulkheadError('UNPROVEN', `The ledger is not the one that this command line knows. ${error.message}`, {
    remedy: `Sign nothing. Tell the other members, and compare the ledger with a witness or a mirror: bulkhead ledger fsck. If you restored it on purpose and know why it is shorter, remove ${seenPath(home)}.`,
    cause: error,
  })
}
