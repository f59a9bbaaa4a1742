import { createRoute } from '@hono/zod-openapi'
import type { PushState } from '../../vault/api.ts'
import { csrIn, csrOut, pushIn, pushOut } from '../api.ts'
import { type Desk, requireOpen } from '../desk.ts'
import { type Api, answers, takes } from '../routing.ts'

const show = createRoute({ method: 'get', path: '/api/push', responses: answers(pushOut) })
const csr = createRoute({ method: 'post', path: '/api/push/csr', request: takes(csrIn), responses: answers(csrOut) })
const load = createRoute({ method: 'post', path: '/api/push', request: takes(pushIn), responses: answers(pushOut) })

/** Relays: the push key and its certificate are the vault's, which takes one only with a member's approval of it. */
export function pushRoutes(api: Api, desk: Desk) {
  api.openapi(show, async context => context.json(shown(await desk.vault.pushShow()), 200))
  api.openapi(csr, async context => context.json(await desk.vault.pushCsr(context.req.valid('json').organisation), 200))
  api.openapi(load, async context => {
    requireOpen(desk)
    const state = await desk.vault.pushImport(context.req.valid('json'))
    desk.log.info('push.imported', { by: context.get('caller') })
    return context.json(shown(state), 200)
  })
}

const shown = ({ expiresAt, ...state }: PushState) => ({
  ...state,
  expiresAt: expiresAt === null ? null : new Date(expiresAt * 1000).toISOString(),
})
