import { setTimeout as sleep } from 'node:timers/promises'
import type { Approval } from '../../trust/approval.ts'
import { sha256Hex } from '../../trust/statement.ts'
import { appendLeaves, type Desk, type Leaf, seconds } from '../desk.ts'

const PATIENCE_MS = 5_000
const LOOK_MS = 20

/** The unique key of a statement's entry; also what a proposal is called. */
export const keyOf = (statement: string): string => sha256Hex(statement).slice(0, 32)

/** Appends what the ledger finds right, and waits until it was read here, so that whoever asks next sees it. */
export async function appendControl(desk: Desk, entry: Leaf): Promise<void> {
  const [index] = await appendLeaves(desk, 'control', [{ ...entry, at: seconds(desk.now()) }])
  for (const late = Date.now() + PATIENCE_MS; desk.control.head.size <= index! && Date.now() < late; )
    await sleep(LOOK_MS)
}

/** A freeze takes one responder, or a paper code: whoever holds one stops everything at once. */
export async function freeze(desk: Desk, asked: { statement: string; approval: Approval } | { code: string }) {
  const entry =
    'code' in asked
      ? { type: 'freeze', unique: `freeze:${sha256Hex(asked.code)}`, code: asked.code }
      : {
          type: 'freeze',
          unique: `freeze:${keyOf(asked.statement)}`,
          statement: asked.statement,
          approvals: [asked.approval],
        }
  await appendControl(desk, entry)
  desk.log.info('control.frozen', { by: desk.control.frozen()?.by ?? '' })
}
