import { BulkheadError } from '../../base/errors.ts'
import { type Approval, verifyApproval } from '../../trust/approval.ts'
import { controlDigest, decodeCancel, decodeThaw, ownersNeeded, previousOf, requireSound } from '../../trust/control.ts'
import { approvalLeaf } from '../../trust/leaves.ts'
import type { Role } from '../../trust/policy.ts'
import { decodeRoster, type Member, type Trusted } from '../../trust/roster.ts'
import { appendLeaves, type Desk } from '../desk.ts'
import { stopCancelled } from '../orders/cancel.ts'
import { findOrder } from '../orders/store.ts'
import { appendControl, keyOf } from './entry.ts'
import {
  countProposals,
  findProposal,
  type Proposal,
  proposalApprovals,
  storeProposal,
  storeProposalApproval,
} from './store.ts'

type Kind = Proposal['kind']
type Version = Desk['control']['control']['versions'][number]

const ROLES: Record<Kind, Role[]> = {
  roster: ['owner'],
  thaw: ['owner'],
  cancel: ['operator', 'approver', 'responder', 'owner'],
}
/** How many members it takes, as the control log will count. */
const neededFor = (kind: Kind, trusted: Trusted) =>
  kind === 'cancel' ? trusted.rules.quorum.change : ownersNeeded(trusted)

const DAY_MS = 86_400_000
const LIFE_MS = 30 * DAY_MS
const MOST_A_DAY = 50
const LONGEST = 50_000 // bytes of a roster; its approvals have to fit into the entry beside it

/** Takes a statement that members may now approve. Throws what the control log would refuse in it. */
export async function propose(desk: Desk, caller: string, kind: Kind, statement: string): Promise<string> {
  await requireWorth(desk, kind, statement)
  if (caller !== 'local') await requireRoom(desk, caller)
  const proposal_id = keyOf(statement)
  await storeProposal(desk.db, { proposal_id, kind, statement, created_by: caller })
  desk.log.info('proposal.made', { proposal: proposal_id, kind, by: caller })
  return proposal_id
}

async function requireWorth(desk: Desk, kind: Kind, statement: string) {
  if (kind === 'roster') return requireNext(desk, statement)
  if (kind === 'thaw') {
    const { upTo } = decodeThaw(statement)
    if (desk.control.control.freezes.some(({ index }) => index < upTo)) return
    throw new BulkheadError('REFUSED', 'Nothing is frozen that this would end.')
  }
  const { order, all } = decodeCancel(statement)
  if ((order === undefined) === (all === undefined))
    throw new BulkheadError('BAD_REQUEST', 'One order is cancelled, or all.')
  if (order !== undefined) await findOrder(desk.db, order)
}

function requireNext(desk: Desk, statement: string) {
  if (statement.length > LONGEST)
    throw new BulkheadError('LIMIT', `A roster has at most ${LONGEST} characters; this one has ${statement.length}.`)
  const next = decodeRoster(statement)
  const before = newestVersion(desk)
  if (next.version !== before.roster.version + 1 || next.previous !== previousOf(before.statement)) throw overtaken()
  requireSound(next, before.roster)
}

const newestVersion = (desk: Desk): Version => desk.control.control.versions.at(-1)!
const overtaken = () =>
  new BulkheadError('CONFLICT', 'The roster has another version by now: this proposal is overtaken.', {
    remedy: 'Look at it with bulkhead roster show, and propose again.',
  })

async function requireRoom(desk: Desk, caller: string) {
  if ((await countProposals(desk.db, caller, new Date(desk.now().getTime() - DAY_MS))) < MOST_A_DAY) return
  throw new BulkheadError('LIMIT', `You made ${MOST_A_DAY} proposals within a day.`, { remedy: 'Wait until tomorrow.' })
}

/**
 * Takes one approval. With the last that is needed the statement goes to the control log, where everybody judges it again. Any step may fail:
 * approving again goes on from there.
 */
export async function approveProposal(desk: Desk, id: string, approval: Approval): Promise<void> {
  const row = await findProposal(desk.db, id)
  requireOwnId(row)
  const state = await stateOf(desk, row)
  if (state === 'overtaken') throw overtaken()
  if (state !== 'open') throw new BulkheadError('CONFLICT', `The proposal is ${state} already.`)
  const { kind, statement } = row
  const member = requireMember(desk, row, approval)
  const digest = controlDigest(kind, statement, desk.pinned).toString('hex')
  await appendLeaves(desk, 'main', [approvalLeaf(digest, member.id, approval)])
  await storeProposalApproval(desk.db, id, member.id, approval)
  desk.log.info('proposal.approval', { proposal: id, kind, member: member.id })
  const approvals = await heldApprovals(desk, row)
  if (approvals.length < neededFor(kind, desk.trusted)) return
  const version = kind === 'roster' ? decodeRoster(statement).version : undefined
  await appendControl(desk, {
    ...{ type: kind, unique: `${kind}:${version ?? id}`, statement },
    ...(version !== undefined && { version }),
    approvals: approvals.map(one => one.approval),
  })
  if (kind === 'cancel') await stopCancelled(desk)
}

function requireOwnId({ proposal_id, statement }: Proposal) {
  if (keyOf(statement) !== proposal_id)
    throw new BulkheadError('UNPROVEN', 'The row of a proposal holds another statement.', {
      remedy: 'Propose it again.',
    })
}

function requireMember(desk: Desk, { kind, statement }: Proposal, approval: Approval): Member {
  const member = verifyApproval(approval, controlDigest(kind, statement, desk.pinned), desk.trusted)
  if (member.roles.some(role => ROLES[kind].includes(role))) return member
  throw new BulkheadError('FORBIDDEN', `${member.alias} has no role that may approve this: ${ROLES[kind].join(', ')}.`)
}

/** One for each member whose approval holds now. */
async function heldApprovals(desk: Desk, row: Proposal): Promise<{ member: Member; approval: Approval }[]> {
  const held = new Map<string, { member: Member; approval: Approval }>()
  for (const { approval } of await proposalApprovals(desk.db, row.proposal_id)) {
    try {
      const member = requireMember(desk, row, approval)
      held.set(member.id, { member, approval })
    } catch (error) {
      desk.log.error('approval.unproven', { proposal: row.proposal_id }, error)
    }
  }
  return [...held.values()]
}

type State = 'open' | 'done' | 'overtaken' | 'expired'

/** What became of it, by the control log and not by a row. */
async function stateOf(desk: Desk, { kind, statement, proposal_id, created_at }: Proposal): Promise<State> {
  if (kind === 'roster') {
    if (desk.control.control.versions.some(version => version.statement === statement)) return 'done'
    if (decodeRoster(statement).version <= newestVersion(desk).roster.version) return 'overtaken'
  } else {
    if (await desk.ledger.find({ log: 'control', unique: `${kind}:${proposal_id}` })) return 'done'
    if (kind === 'thaw' && !desk.control.control.freezes.some(({ index }) => index < decodeThaw(statement).upTo))
      return 'overtaken'
  }
  return created_at.getTime() + LIFE_MS < desk.now().getTime() ? 'expired' : 'open'
}

/** As it is shown: the statement is for clients to check, the rest is worked out from it and from what holds now. */
export async function shownProposal(desk: Desk, row: Proposal) {
  const { kind, statement, created_by, created_at } = row
  requireOwnId(row)
  const members = (await heldApprovals(desk, row)).map(({ member }) => member)
  const able = desk.trusted.roster.members.filter(({ roles }) => roles.some(role => ROLES[kind].includes(role)))
  return {
    proposal: row.proposal_id,
    kind,
    state: await stateOf(desk, row),
    statement,
    digest: controlDigest(kind, statement, desk.pinned).toString('hex'),
    needed: neededFor(kind, desk.trusted),
    approvals: members.map(({ alias }) => alias),
    missing: able.filter(({ id }) => !members.some(member => member.id === id)).map(({ alias }) => alias),
    createdBy: desk.trusted.roster.members.find(({ id }) => id === created_by)?.alias ?? created_by,
    createdAt: created_at.toISOString(),
  }
}
