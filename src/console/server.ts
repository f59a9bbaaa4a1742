import { chmodSync, rmSync } from 'node:fs'
import type { Server } from 'node:http'
import { createAdaptorServer } from '@hono/node-server'
import { bodyLimit } from 'hono/body-limit'
import { createMiddleware } from 'hono/factory'
import type { Listen } from '../base/config.ts'
import { BulkheadError } from '../base/errors.ts'
import { controlRoutes } from './control/routes.ts'
import type { Desk } from './desk.ts'
import { deviceRoutes } from './devices/routes.ts'
import { errorResponder } from './errors.ts'
import { logGenesis } from './genesis.ts'
import { groupRoutes } from './groups/routes.ts'
import { invitationRoutes } from './invitations/routes.ts'
import { ledgerRoutes } from './ledger/routes.ts'
import { orderRoutes } from './orders/routes.ts'
import { sweepUntil } from './orders/sweep.ts'
import { peopleRoutes } from './people/routes.ts'
import { pushRoutes } from './push/routes.ts'
import { type Api, createApi, type Env } from './routing.ts'
import { requireSession, sessionRoutes } from './sessions/routes.ts'

/**
 * The admin API. Every route is here or in the tables that are called here. It relays what members signed: nothing of
 * it decrypts or approves, and what it stores proves itself to those who act on it.
 */
const MAX_BODY = 24 * 1024 * 1024

/** `member`: over HTTP, with a session. `local`: the owner's command line; it lists, shows and drafts, and what else it brings is signed. */
export function createConsole(desk: Desk, caller: 'member' | 'local'): Api {
  const api = createApi()
  api.onError(errorResponder(desk.log, desk.trace))
  api.notFound(context => context.json({ code: 'NOT_FOUND', message: 'There is nothing here.' }, 404))
  const tooLarge = () => {
    throw new BulkheadError('LIMIT', `A request over ${MAX_BODY} bytes.`)
  }
  if (caller === 'member') api.use(atOurNames(desk))
  api.use(bodyLimit({ maxSize: MAX_BODY, onError: tooLarge }))
  api.use(neverStored)
  sessionRoutes(api, desk)
  ledgerRoutes(api, desk)
  api.doc31('/openapi.json', { openapi: '3.1.0', info: { title: 'Bulkhead console', version: '1' } })
  api.use('/api/*', caller === 'local' ? asLocal(desk) : requireSession(desk))
  controlRoutes(api, desk)
  deviceRoutes(api, desk)
  orderRoutes(api, desk)
  groupRoutes(api, desk)
  invitationRoutes(api, desk)
  pushRoutes(api, desk)
  peopleRoutes(api, desk)
  return api
}

const LOOPBACK = ['localhost', '127.0.0.1', '[::1]']

/** A name that somebody points at this machine gets nothing: a page in a browser there would read the answers (DNS rebinding). */
const atOurNames = ({ urls }: Desk) => {
  const names = new Set([...LOOPBACK, ...(URL.canParse(urls.console) ? [new URL(urls.console).hostname] : [])])
  return createMiddleware<Env>(async (context, next) => {
    const [, name = ''] = /^(\[[0-9a-f:]+\]|[^:]+)(?::\d+)?$/i.exec(context.req.header('host') ?? '') ?? []
    if (names.has(name.toLowerCase())) return next()
    return context.json({ code: 'FORBIDDEN', message: 'The console does not answer to this name.' }, 403)
  })
}

const neverStored = createMiddleware<Env>(async (context, next) => {
  await next()
  context.header('cache-control', 'no-store')
  context.header('x-content-type-options', 'nosniff')
})

const asLocal = (desk: Desk) =>
  createMiddleware<Env>(async (context, next) => {
    context.set('caller', 'local')
    if (context.req.method !== 'GET')
      desk.log.info('request', { by: 'local', method: context.req.method, path: context.req.path })
    return next()
  })

export type Console = { port: number; close(): Promise<void> }

/** Serves members over HTTP and the command line over its socket, and sweeps. Throws PORT_BUSY. */
export async function startConsole(desk: Desk, listen: { http: Listen; socket: string }): Promise<Console> {
  const http = serverOf(createConsole(desk, 'member'))
  const local = serverOf(createConsole(desk, 'local'))
  rmSync(listen.socket, { force: true })
  await listening(local, { path: listen.socket })
  chmodSync(listen.socket, 0o660) // the folder around it decides who reaches it
  await listening(http, listen.http)
  const stopping = new AbortController()
  const work = [sweepUntil(desk, stopping.signal), logGenesis(desk, stopping.signal)]
  const address = http.address()
  return {
    port: typeof address === 'object' && address !== null ? address.port : listen.http.port,
    async close() {
      stopping.abort()
      await Promise.all([closed(http), closed(local), ...work])
      await desk.db.destroy()
    },
  }
}

function serverOf(api: Api): Server {
  const server = createAdaptorServer({ fetch: api.fetch }) as Server
  server.requestTimeout = 60_000
  server.headersTimeout = 10_000
  return server
}

function listening(server: Server, where: Listen | { path: string }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) =>
      reject(
        cause.code === 'EADDRINUSE'
          ? new BulkheadError('PORT_BUSY', 'The console’s port is in use.', {
              remedy: 'Choose another with --console-port.',
              cause,
            })
          : cause,
      ),
    )
    server.listen(where, () => resolve())
  })
}

function closed(server: Server): Promise<void> {
  return new Promise(resolve => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}
