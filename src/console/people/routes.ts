import { createRoute, z } from '@hono/zod-openapi'
import { done, signedIn } from '../api.ts'
import type { Desk } from '../desk.ts'
import { type Api, answers, takes } from '../routing.ts'
import * as api from './api.ts'
import { erase, release } from './release.ts'
import { assignmentsOf, findPeople, listPeople } from './store.ts'
import { keepMemberKey, keepShares, memberKeys, sharesOf } from './units.ts'
import { assign, writeRecords, writeTokens } from './write.ts'

const post = <I extends z.ZodType, O extends z.ZodType>(path: string, input: I, output: O) =>
  createRoute({ method: 'post', path, request: takes(input), responses: answers(output) })
const get = <I extends z.ZodObject, O extends z.ZodType>(path: string, query: I, output: O) =>
  createRoute({ method: 'get', path, request: { query }, responses: answers(output) })

const list = get('/api/people', api.listIn, api.peopleOut)
const keys = post('/api/people/keys', api.keysIn, api.keysOut)
const write = post('/api/people/write', api.writeIn, api.writtenOut)
const find = post('/api/people/find', api.findIn, api.foundOut)
const show = post('/api/people/release', api.releaseIn, api.releasedOut)
const erased = post('/api/people/erase', api.eraseIn, api.erasedOut)
const tokens = post('/api/people/tokens', api.tokensIn, api.writtenOut)
const assignment = post('/api/people/assign', api.assignIn, done)
const assignments = get('/api/people/assignments', api.assignmentsIn, api.assignmentsOut)
const shares = get('/api/units/shares', api.unitsIn, api.sharesOut)
const share = post('/api/units/shares', api.sharesIn, done)
const announced = get('/api/units/member-keys', z.object({}), api.memberKeysOut)
const announce = post('/api/units/member-keys', signedIn, done)

/** The sealed directory: relays to the vault, and rows that nothing here can read. */
export function peopleRoutes(routes: Api, desk: Desk) {
  routes.openapi(list, async context => {
    const { unindexed, ...filter } = context.req.valid('query')
    return context.json(await listPeople(desk.db, { ...filter, unindexed: unindexed === 'true' }), 200)
  })
  routes.openapi(keys, async context => context.json(await desk.vault.releaseKeys(context.req.valid('json')), 200))
  routes.openapi(write, async context =>
    context.json({ written: await writeRecords(desk, context.req.valid('json')) }, 200),
  )
  routes.openapi(find, async context => {
    const { unit, tokens: wanted } = context.req.valid('json')
    return context.json(await findPeople(desk.db, unit, wanted), 200)
  })
  routes.openapi(show, async context => context.json(await release(desk, context.req.valid('json')), 200))
  routes.openapi(erased, async context => context.json(await erase(desk, context.req.valid('json').erasure), 200))
  routes.openapi(tokens, async context =>
    context.json({ written: await writeTokens(desk, context.req.valid('json')) }, 200),
  )
  routes.openapi(assignment, async context => {
    await assign(desk, context.req.valid('json'))
    return context.json({ done: true as const }, 200)
  })
  routes.openapi(assignments, async context =>
    context.json({ assignments: await assignmentsOf(desk.db, context.req.valid('query')) }, 200),
  )
  routes.openapi(shares, async context =>
    context.json({ shares: await sharesOf(desk, context.req.valid('query').unit) }, 200),
  )
  routes.openapi(share, async context => {
    await keepShares(desk, context.req.valid('json').shares, { replace: context.get('caller') === 'local' })
    return context.json({ done: true as const }, 200)
  })
  routes.openapi(announced, async context => context.json({ keys: await memberKeys(desk) }, 200))
  routes.openapi(announce, async context => {
    await keepMemberKey(desk, context.req.valid('json'))
    return context.json({ done: true as const }, 200)
  })
}
