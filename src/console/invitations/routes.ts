import { createRoute } from '@hono/zod-openapi'
import { BulkheadError } from '../../base/errors.ts'
import type { Approval } from '../../trust/approval.ts'
import { decodeInvitation, type Invitation, invitationDigest, verifyInvitation } from '../../trust/invitation.ts'
import { invitationOut, invitationsOut, signedIn } from '../api.ts'
import { appendLeaves, type Desk, requireOpen, seconds } from '../desk.ts'
import { type Api, answers, takes } from '../routing.ts'
import { usesOf } from './uses.ts'

const list = createRoute({ method: 'get', path: '/api/invitations', responses: answers(invitationsOut) })
const create = createRoute({
  method: 'post',
  path: '/api/invitations',
  request: takes(signedIn),
  responses: answers(invitationOut),
})

export function invitationRoutes(api: Api, desk: Desk) {
  api.openapi(list, async context => context.json({ invitations: await lines(desk) }, 200))
  api.openapi(create, async context => {
    const { statement, approval } = context.req.valid('json')
    requireOpen(desk)
    const invitation = verifyInvitation(statement, approval, desk.trusted)
    if (invitation.expiresAt <= seconds(desk.now()))
      throw new BulkheadError('EXPIRED', 'The invitation has ended already.')
    await store(desk, invitation, statement, approval)
    const { token } = await desk.vault.invite({ statement, approval })
    desk.log.info('invitation.created', { invitation: invitation.id, by: context.get('caller') })
    return context.json(links(desk, invitation, token), 200)
  })
}

/** The row, its leaf, and only then the token: whoever retries after a failure gets the same invitation. */
async function store(desk: Desk, invitation: Invitation, statement: string, approval: Approval) {
  await desk.db
    .insertInto('console.invitation')
    .values({ invitation_id: invitation.id, statement, approval: JSON.stringify(approval) })
    .onConflict(conflict => conflict.doNothing())
    .execute()
  const kept = await desk.db
    .selectFrom('console.invitation')
    .select('statement')
    .where('invitation_id', '=', invitation.id)
    .executeTakeFirst()
  if (kept?.statement !== statement) throw new BulkheadError('CONFLICT', 'Another invitation has this id.')
  const digest = invitationDigest(statement, desk.trusted).toString('hex')
  const unique = `invitation:${invitation.id}`
  await appendLeaves(desk, 'main', [{ type: 'invitation', unique, invitation: invitation.id, digest }])
}

function links(desk: Desk, invitation: Invitation, token: string) {
  const url = `${desk.deviceUrl}/i/${token}`
  const expiresAt = new Date(invitation.expiresAt * 1000).toISOString()
  return { invitation: invitation.id, url, profileUrl: `${url}/profile`, expiresAt }
}

async function lines(desk: Desk) {
  const rows = await desk.db
    .selectFrom('console.invitation')
    .select(['statement', 'created_at'])
    .orderBy('created_at', 'desc')
    .limit(200)
    .execute()
  return Promise.all(
    rows.map(async ({ statement, created_at }) => {
      const { id, tier, uses, groups, signed, expiresAt } = decodeInvitation(statement)
      const times = { createdAt: created_at.toISOString(), expiresAt: new Date(expiresAt * 1000).toISOString() }
      return { invitation: id, tier, uses, used: await usesOf(desk, id, uses), groups, signed, ...times }
    }),
  )
}
