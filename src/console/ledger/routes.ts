import { createRoute, z } from '@hono/zod-openapi'
import { openMain } from '../../trust/follow.ts'
import { controlOut, mainOut } from '../api.ts'
import type { Desk } from '../desk.ts'
import { type Api, answers } from '../routing.ts'

const request = { query: z.object({ from: z.coerce.number().int().min(0).max(1e12).default(0) }) }
const control = createRoute({ method: 'get', path: '/api/control', request, responses: answers(controlOut) })
const main = createRoute({ method: 'get', path: '/api/main', request, responses: answers(mainOut) })

/**
 * Both logs, for clients that verify them before anybody signs in: nothing personal is in them, and the ledger shows the same to everybody.
 * What is relayed proves itself. `from`: how many entries the client knows already.
 */
export function ledgerRoutes(api: Api, { ledger, pinned }: Desk) {
  api.openapi(control, async context =>
    context.json(await ledger.control({ from: context.req.valid('query').from }), 200),
  )
  api.openapi(main, async context => {
    const { from } = context.req.valid('query')
    const { checkpoint } = await ledger.checkpoint({ log: 'main' })
    const { size } = openMain(checkpoint, pinned)
    const { hashes } = from < size ? await ledger.consistency({ log: 'main', from, to: size }) : { hashes: [] }
    return context.json({ checkpoint, proof: hashes }, 200)
  })
}
