import { createRoute } from '@hono/zod-openapi'
import { createMiddleware } from 'hono/factory'
import { verifyApproval } from '../../trust/approval.ts'
import { challengeOut, done, rosterOut, sessionIn, sessionOut } from '../api.ts'
import type { Desk } from '../desk.ts'
import { unauthenticated } from '../errors.ts'
import { type Api, answers, type Env, takes } from '../routing.ts'
import { createChallenges, sessionDigest } from './challenge.ts'
import { closeSession, findSession, openSession } from './store.ts'

const roster = createRoute({ method: 'get', path: '/api/roster', responses: answers(rosterOut) })
const challenge = createRoute({ method: 'post', path: '/api/session/challenge', responses: answers(challengeOut) })
const signIn = createRoute({
  method: 'post',
  path: '/api/session',
  request: takes(sessionIn),
  responses: answers(sessionOut),
})
const signOut = createRoute({ method: 'delete', path: '/api/session', responses: answers(done) })

/** What stands open to those who are not signed in. */
export function sessionRoutes(api: Api, desk: Desk) {
  const challenges = createChallenges()
  const { genesisDigest } = desk.pinned
  api.openapi(roster, context => context.json(publicRoster(desk), 200))
  api.openapi(challenge, context => {
    const issued = challenges.issue(desk.now())
    return context.json({ challenge: issued, digest: sessionDigest(issued, genesisDigest).toString('hex') }, 200)
  })
  api.openapi(signIn, async context => {
    const asked = context.req.valid('json')
    challenges.take(asked.challenge, desk.now())
    const member = verifyApproval(asked.approval, sessionDigest(asked.challenge, genesisDigest), desk.trusted)
    const { token, expiresAt } = await openSession(desk.db, member.id, desk.now())
    desk.log.info('session.opened', { member: member.id })
    return context.json({ token, member: member.id, alias: member.alias, expiresAt: expiresAt.toISOString() }, 200)
  })
  api.openapi(signOut, async context => {
    const token = bearerOf(context.req.header('authorization'))
    if (token !== undefined) await closeSession(desk.db, token)
    return context.json({ done: true } as const, 200)
  })
}

/** Everything after this needs a session of somebody who is still in the roster. */
export const requireSession = (desk: Desk) =>
  createMiddleware<Env>(async (context, next) => {
    const token = bearerOf(context.req.header('authorization'))
    const member = token === undefined ? undefined : await findSession(desk.db, token, desk.now())
    if (member === undefined || !desk.trusted.roster.members.some(({ id }) => id === member))
      return unauthenticated(context)
    context.set('caller', member)
    return next()
  })

const bearerOf = (header: string | undefined) => /^Bearer ([A-Za-z0-9_-]{43})$/.exec(header ?? '')?.[1]

function publicRoster({ trusted: { roster, genesisDigest }, control, genesis, urls, deviceUrl }: Desk) {
  return {
    genesis,
    genesisDigest: genesisDigest.toString('hex'),
    versions: control.control.versions.slice(1).map(({ statement }) => statement),
    app: roster.app,
    members: roster.members.map(({ alias, passkeys }) => ({ alias, credentialIds: passkeys.map(({ id }) => id) })),
    urls: { edge: deviceUrl, ledger: urls.ledger },
  }
}
