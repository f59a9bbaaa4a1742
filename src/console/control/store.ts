import { BulkheadError } from '../../base/errors.ts'
import type { Approval } from '../../trust/approval.ts'
import type { Database } from '../database.ts'

/** Proposals with their approvals. Whoever changes a row hides or delays a change; statement and approvals prove themselves. */
export type Proposal = {
  proposal_id: string
  kind: 'roster' | 'thaw' | 'cancel'
  statement: string
  created_by: string
  created_at: Date
}
const columns = ['proposal_id', 'kind', 'statement', 'created_by', 'created_at'] as const
const NEWEST = 100
const DAY_MS = 86_400_000
const KEPT_DAYS = 31 // an entry is refused 30 days after its statement

export async function findProposal(db: Database, id: string): Promise<Proposal> {
  const row = await db.selectFrom('console.proposal').select(columns).where('proposal_id', '=', id).executeTakeFirst()
  if (row) return row
  throw new BulkheadError('NOT_FOUND', `There is no proposal ${id}.`, { remedy: 'See: bulkhead roster show' })
}

export const listProposals = (db: Database): Promise<Proposal[]> =>
  db.selectFrom('console.proposal').select(columns).orderBy('created_at', 'desc').limit(NEWEST).execute()

/** The same statement again is the same proposal. */
export async function storeProposal(db: Database, proposal: Omit<Proposal, 'created_at'>) {
  await db
    .insertInto('console.proposal')
    .values(proposal)
    .onConflict(conflict => conflict.doNothing())
    .execute()
}

export async function countProposals(db: Database, member: string, since: Date): Promise<number> {
  const { count } = await db
    .selectFrom('console.proposal')
    .select(db.fn.countAll<string>().as('count'))
    .where('created_by', '=', member)
    .where('created_at', '>', since)
    .executeTakeFirstOrThrow()
  return Number(count)
}

export const proposalApprovals = (db: Database, id: string): Promise<{ member_id: string; approval: Approval }[]> =>
  db
    .selectFrom('console.proposal_approval')
    .select(['member_id', 'approval'])
    .where('proposal_id', '=', id)
    .orderBy('at')
    .execute()

export async function storeProposalApproval(db: Database, id: string, member: string, approval: Approval) {
  await db
    .insertInto('console.proposal_approval')
    .values({ proposal_id: id, member_id: member, approval: JSON.stringify(approval) })
    .onConflict(conflict => conflict.doNothing())
    .execute()
}

export async function sweepProposals(db: Database, now: Date) {
  await db
    .deleteFrom('console.proposal')
    .where('created_at', '<', new Date(now.getTime() - KEPT_DAYS * DAY_MS))
    .execute()
}
