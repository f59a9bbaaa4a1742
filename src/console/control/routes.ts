import { createRoute, z } from '@hono/zod-openapi'
import { trustedNow } from '../../ledger/client.ts'
import { standingOf } from '../../trust/standing.ts'
import { approveIn, freezeIn, proposalIn, proposalOut, proposalsOut, standingOut } from '../api.ts'
import { type Desk, seconds } from '../desk.ts'
import { type Api, answers, takes } from '../routing.ts'
import { freeze } from './entry.ts'
import { approveProposal, propose, shownProposal } from './proposals.ts'
import { findProposal, listProposals } from './store.ts'

const proposalId = { params: z.object({ proposal: z.string().regex(/^[0-9a-f]{32}$/, 'a proposal') }) }
const standing = createRoute({ method: 'get', path: '/api/roster/standing', responses: answers(standingOut) })
const list = createRoute({ method: 'get', path: '/api/proposals', responses: answers(proposalsOut) })
const show = createRoute({
  method: 'get',
  path: '/api/proposals/{proposal}',
  request: proposalId,
  responses: answers(proposalOut),
})
const make = createRoute({
  method: 'post',
  path: '/api/proposals',
  request: takes(proposalIn),
  responses: answers(proposalOut),
})
const approve = createRoute({
  method: 'post',
  path: '/api/proposals/{proposal}/approvals',
  request: { ...proposalId, ...takes(approveIn) },
  responses: answers(proposalOut),
})
const stop = createRoute({
  method: 'post',
  path: '/api/freeze',
  request: takes(freezeIn),
  responses: answers(standingOut),
})

/** What holds by the control log, and what members propose for it: roster versions, thaws, cancellations. Freezing asks nobody else. */
export function controlRoutes(api: Api, desk: Desk) {
  const shown = async (id: string) => shownProposal(desk, await findProposal(desk.db, id))
  api.openapi(standing, context => context.json(standingNow(desk), 200))
  api.openapi(list, async context => {
    const rows = await listProposals(desk.db)
    const proposals = await Promise.all(rows.map(row => readable(desk, () => shownProposal(desk, row))))
    return context.json({ proposals: proposals.filter(one => one !== undefined) }, 200)
  })
  api.openapi(show, async context => context.json(await shown(context.req.valid('param').proposal), 200))
  api.openapi(make, async context => {
    const { kind, statement, approval } = context.req.valid('json')
    const id = await propose(desk, context.get('caller'), kind, statement)
    if (approval) await approveProposal(desk, id, approval)
    return context.json(await shown(id), 200)
  })
  api.openapi(approve, async context => {
    const { proposal } = context.req.valid('param')
    await approveProposal(desk, proposal, context.req.valid('json').approval)
    return context.json(await shown(proposal), 200)
  })
  api.openapi(stop, async context => {
    await freeze(desk, context.req.valid('json'))
    return context.json(standingNow(desk), 200)
  })
}

/** A row that was tampered with is logged and passed over, so that it holds up no other. */
async function readable<T>(desk: Desk, read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read()
  } catch (error) {
    desk.log.error('proposal.unreadable', {}, error)
    return undefined
  }
}

/** Throws UNAVAILABLE before the control log was read. */
const standingNow = ({ control, now }: Desk) => trustedNow(control) && standingOf(control, seconds(now()))
