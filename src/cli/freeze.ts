import { randomBytes } from 'node:crypto'
import { BulkheadError } from '../base/errors.ts'
import type { Proposal } from '../console/api.ts'
import type { Ledger } from '../ledger/api.ts'
import { canonical } from '../trust/canonical.ts'
import { controlDigest, decodeThaw } from '../trust/control.ts'
import { sha256Hex } from '../trust/statement.ts'
import { type Args, needed, text } from './args.ts'
import { consoleClient, openHome } from './client.ts'
import { type Followed, follow, withLedger } from './follow.ts'
import { readFreezeCode } from './freezecodes.ts'
import { say, show } from './output.ts'
import { approve, loadPasskey, memberOf } from './passkey.ts'
import { findProposals, progress, signProposal } from './proposal.ts'

export const run = (args: Args): Promise<number> => (args.command === 'freeze' ? freeze(args) : thaw(args))

const now = () => Math.floor(Date.now() / 1000)
const nonce = () => randomBytes(16).toString('hex')

/** One responder, or one paper code. It asks nothing and goes straight to the ledger: minutes count, and the console may be away. */
async function freeze(args: Args): Promise<number> {
  const code = text(args, 'code')
  const entry = code === undefined ? await signedFreeze(args) : codeFreeze(readFreezeCode(code))
  const index = await withLedger(args.home, ledger => append(ledger, canonical(entry)))
  return show(
    args,
    { frozen: true, index },
    () => 'Frozen: no edge delivers anything. To end it: bulkhead unfreeze --passkey FILE\n',
  )
}

async function signedFreeze(args: Args) {
  const trusted = openHome(args.home)
  const passkey = loadPasskey(needed(args, 'passkey'))
  const statement = canonical({ type: 'bulkhead-freeze/v1', at: now(), nonce: nonce() })
  const approvals = [approve(passkey, controlDigest('freeze', statement, trusted), trusted.roster)]
  return { type: 'freeze', unique: `freeze:${sha256Hex(statement).slice(0, 32)}`, at: now(), statement, approvals }
}

function codeFreeze(code: string) {
  if (/^[0-9a-f-]{16,80}$/.test(code)) return { type: 'freeze', unique: `freeze:${sha256Hex(code)}`, at: now(), code }
  throw new BulkheadError('USAGE', 'This is not a paper code.', {
    remedy: 'Type it as it is printed, for example --code 0f3a-91bc-…',
  })
}

async function append(ledger: Ledger, entry: string): Promise<number> {
  const [outcome] = await ledger.append({ log: 'control', entries: [{ entry }] })
  if (!('code' in outcome!)) return outcome!.index
  if (outcome.code === 'CONFLICT')
    throw new BulkheadError('REFUSED', 'This paper code was used before.', { remedy: 'Take the next one.' })
  throw new BulkheadError('REFUSED', outcome.message, {
    remedy: 'Use the passkey of a responder or an owner, or a paper code that was not used.',
  })
}

/** Proposes the end of all freezes that are seen here, or approves what another owner proposed. */
async function thaw(args: Args): Promise<number> {
  const known = await follow(args.home)
  const passkey = loadPasskey(needed(args, 'passkey'))
  memberOf(passkey, known.trusted)
  const { freezes } = known.view.control
  if (freezes.length === 0) return show(args, { frozen: false }, () => 'Nothing is frozen.\n')
  const statement = (await openThaw(args, known)) ?? newThaw(known)
  const { upTo } = decodeThaw(statement)
  const words = freezes
    .filter(({ index }) => index < upTo)
    .map(({ at, by }) => `Ends the freeze of ${new Date(at * 1000).toISOString()}, by ${by}.`)
  const done = await signProposal({ args, known, passkey, kind: 'thaw', statement, words })
  if (done.state === 'done')
    say('What waited is delivered from now on, unless it was cancelled: bulkhead order cancel --all')
  return show(args, { frozen: done.state !== 'done', ...shown(done) }, () => progress(done))
}

const shown = ({ proposal, state, approvals, needed: quorum, missing }: Proposal) => ({
  proposal,
  state,
  approvals,
  quorum,
  missing,
})

/** One that ends every freeze that stands now: a later freeze needs another thaw. */
async function openThaw(args: Args, { view }: Followed): Promise<string | undefined> {
  const newest = Math.max(...view.control.freezes.map(({ index }) => index))
  const open = await findProposals(consoleClient(args.home), 'thaw')
  return open.find(({ statement }) => decodeThaw(statement).upTo > newest)?.statement
}

const newThaw = ({ view }: Followed) =>
  canonical({ type: 'bulkhead-thaw/v1', upTo: view.head.size, at: now(), nonce: nonce() })
