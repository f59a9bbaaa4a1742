import {
  type ControlView,
  createFollower,
  openMain,
  type Remembered,
  requireConsistent,
} from '../../src/trust/follow.ts'
import { openGenesis } from '../../src/trust/roster.ts'

/** What the console relays of both logs. Nothing of it is believed. */
export type ControlPage = { checkpoint: string; entries: string[] }
export type MainHead = { checkpoint: string; proof: string[] }
export type Heads = { control: Remembered; main: Remembered }
export type Shown = {
  genesis: string
  genesisDigest: string
  /** From the first entry on. */
  control: ControlPage[]
  main: MainHead
  /** What this browser has seen before. */
  remembered: Partial<Heads>
}
export type Judged = { view: ControlView; heads: Heads }

/**
 * The server's own judgement, by its own code: the control log is replayed from the pinned genesis, with every owner's signature, and both logs
 * go on from where this browser has seen them last. Throws UNPROVEN or MALFORMED. Pure, so that it can be tried again (node/answers.ts).
 */
export function judge({ genesis, genesisDigest, control, main, remembered }: Shown): Judged {
  const pinned = openGenesis(genesis, genesisDigest)
  const view = createFollower(genesis, pinned, remembered.control)
  for (const { checkpoint, entries } of control) view.take(checkpoint, entries)
  const head = openMain(main.checkpoint, pinned)
  requireConsistent(remembered.main, head, main.proof)
  return { view, heads: { control: view.head, main: head } }
}
