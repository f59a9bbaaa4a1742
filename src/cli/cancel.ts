import { randomBytes } from 'node:crypto'
import { BulkheadError } from '../base/errors.ts'
import { canonical } from '../trust/canonical.ts'
import { decodeCancel } from '../trust/control.ts'
import { type Args, flag, needed } from './args.ts'
import { consoleClient } from './client.ts'
import { follow } from './follow.ts'
import { orderId } from './orderid.ts'
import { show } from './output.ts'
import { loadPasskey } from './passkey.ts'
import { findProposals, progress, signProposal } from './proposal.ts'

/** `order cancel`: a statement of the control log, which every edge obeys whatever the database says of the order. */
export async function cancel(args: Args): Promise<number> {
  const [given] = args.words
  const all = flag(args, 'all')
  if (all === (given !== undefined))
    throw new BulkheadError('USAGE', 'One order is cancelled, or all.', {
      remedy: 'Write: bulkhead order cancel ORDER --passkey FILE, or bulkhead order cancel --all --passkey FILE',
    })
  const known = await follow(args.home)
  const order = given && (await orderId(consoleClient(args.home), given))
  const passkey = loadPasskey(needed(args, 'passkey'))
  const statement =
    (await openCancel(args, order)) ?? newCancel(order === undefined ? { all: known.main.size } : { order })
  const meant = decodeCancel(statement)
  const words =
    meant.order === undefined
      ? [
          `Ends every order of the first ${meant.all} entries of the main log: all that were approved, standing ones too.`,
        ]
      : [`Ends the order ${meant.order}.`]
  const done = await signProposal({
    ...{ args, known, passkey, kind: 'cancel', statement },
    words: [...words, 'What devices have already received is not undone.'],
  })
  const state = done.state === 'done' ? 'cancelled' : done.state
  return show(args, { ...(order === undefined ? { all: meant.all } : { order }), state }, () => progress(done))
}

const newCancel = (what: { order: string } | { all: number }) =>
  canonical({
    type: 'bulkhead-cancel/v1',
    ...what,
    at: Math.floor(Date.now() / 1000),
    nonce: randomBytes(16).toString('hex'),
  })

/** What another member proposed and approved, where the roster asks more than one. */
async function openCancel(args: Args, order: string | undefined): Promise<string | undefined> {
  const open = await findProposals(consoleClient(args.home), 'cancel')
  return open.find(({ statement, approvals }) => approvals.length > 0 && decodeCancel(statement).order === order)
    ?.statement
}
