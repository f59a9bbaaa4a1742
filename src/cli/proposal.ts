import { BulkheadError } from '../base/errors.ts'
import type { Proposal } from '../console/api.ts'
import { type ControlKind, controlDigest } from '../trust/control.ts'
import { sha256Hex } from '../trust/statement.ts'
import { type Args, text } from './args.ts'
import { type ConsoleClient, consoleClient } from './client.ts'
import { confirm } from './confirm.ts'
import type { Followed } from './follow.ts'
import { say } from './output.ts'
import { approve, memberOf, type SoftwarePasskey } from './passkey.ts'

/** What members approve for the control log: the statement is read here, and nothing else that the console says of it is believed. */
type Kind = Proposal['kind']

export const findProposals = async (console: ConsoleClient, kind: Kind): Promise<Proposal[]> =>
  (await console.get<{ proposals: Proposal[] }>('/api/proposals')).proposals.filter(
    one => one.kind === kind && one.state === 'open',
  )

/** The proposal that was asked for. Throws UNPROVEN where the console shows another. */
export async function findProposal(console: ConsoleClient, id: string, kind: Kind): Promise<Proposal> {
  const shown = await console.get<Proposal>(`/api/proposals/${encodeURIComponent(id)}`)
  if (sha256Hex(shown.statement).slice(0, 32) === id && shown.kind === kind) return shown
  throw new BulkheadError('UNPROVEN', 'The console shows another proposal for this one. Nothing was signed.', {
    remedy: 'Ask whoever proposed it for its digest; if it happens again, the console is not to be trusted.',
  })
}

type Sign = { args: Args; known: Followed; passkey: SoftwarePasskey; kind: Kind; statement: string; words: string[] }

/** Shows what is signed, asks where somebody is there to answer, signs it and hands it in: to the open proposal, or as a new one. */
export async function signProposal({ args, known, passkey, kind, statement, words }: Sign): Promise<Proposal> {
  const member = memberOf(passkey, known.trusted)
  const digest = digestOf(kind, statement, known)
  requireDigest(args, digest)
  for (const line of words) say(line)
  say(`Digest ${digest.toString('hex')}`)
  await confirm(`Type yes to approve this as ${member.alias}: `)
  const approval = approve(passkey, digest, known.pinned.roster)
  const body = { kind, statement, approval }
  const done = await consoleClient(args.home).post<Proposal>('/api/proposals', body)
  say(`Approved by ${member.alias}.`)
  return done
}

export const digestOf = (kind: ControlKind, statement: string, { pinned }: Pick<Followed, 'pinned'>) =>
  controlDigest(kind, statement, pinned)

function requireDigest(args: Args, digest: Buffer) {
  const told = text(args, 'digest')
  if (told === undefined || told === digest.toString('hex')) return
  throw new BulkheadError('UNPROVEN', `It has another digest: ${digest.toString('hex')}. Nothing was signed.`, {
    remedy: 'Copy the digest that was printed when it was proposed.',
  })
}

/** How far it is, in one line. */
export const progress = ({ state, approvals, needed, missing }: Proposal) =>
  state === 'open'
    ? `${approvals.length} of ${needed} approvals. Still able to approve: ${missing.join(', ') || 'nobody'}.\n`
    : `Approved by ${approvals.join(', ')}. It is ${state}.\n`
