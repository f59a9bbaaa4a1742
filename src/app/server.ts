import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Config } from '../base/config.ts'
import { BulkheadError, publicError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { type AppFile, type AppFiles, readAppFiles } from './files.ts'
import { SECURITY_HEADERS } from './headers.ts'
import { createProxy, refuse } from './proxy.ts'
import { createSetup, type Owner } from './setup.ts'

/**
 * The admin app on the administrator's own machine, at its one origin. Rules: files from memory; only requests that name
 * this machine by its own names and come from the app's own pages; /api goes to the console; set-up only while there is no owner.
 */
export type AppOptions = {
  config: Pick<Config, 'listen' | 'urls' | 'webDir' | 'setup' | 'genesisDigest'>
  log: Log
  onSetup?: (owner: Owner) => Promise<void> | void
}
export type App = { port: number; close(): Promise<void> }
/** A browser takes localhost for either. Held by somebody else, one of them would be another server at the app's own origin. */
const LOOPBACKS = ['127.0.0.1', '::1']

/** Throws MISSING_PART where the app is not built, PORT_BUSY. */
export async function startApp({ config, log, onSetup }: AppOptions): Promise<App> {
  const files = readAppFiles(config.webDir ?? '')
  const proxy = createProxy(config.urls.console, log)
  const { host, port } = config.listen.http!
  const servers = await listenOn(host === LOOPBACKS[0] ? LOOPBACKS : [host], port)
  const at = (servers[0]!.address() as AddressInfo).port
  const origin = `http://localhost:${at}`
  const setup = config.setup && createSetup({ code: config.setup.code, origin, rpId: 'localhost' }, Date.now)
  const place: Place = { setup, proxy, log, onSetup, genesisDigest: config.genesisDigest }
  const handle = (asked: IncomingMessage, answer: ServerResponse) => {
    const path = (asked.url ?? '/').split('?')[0]!
    if (!isOurs(asked, at)) return refuse(answer, 403, 'FORBIDDEN', `The app answers at ${origin} only.`)
    const route = findRoute(path, asked.method, place)
    if (route) route.handle(asked, answer, place)
    else serveFile(files, path, asked, answer)
  }
  for (const server of servers) server.on('request', handle)
  return { port: at, close: async () => void (await Promise.all(servers.map(closed))) }
}

type Place = Pick<AppOptions, 'log'> & {
  setup: ReturnType<typeof createSetup> | undefined
  proxy: ReturnType<typeof createProxy>
  onSetup: AppOptions['onSetup'] | undefined
  /** From this machine's own configuration, and not from the console: what the page pins. */
  genesisDigest: string
}
type Route = {
  /** With a slash at its end it stands for all below. */
  path: string
  /** Empty: any, for the console to judge. */
  methods: readonly string[]
  /** Only while the installation has no owner. */
  setup?: true
  handle(asked: IncomingMessage, answer: ServerResponse, place: Place): void
}

/** Every route there is. What is none of them is a file of the app by its exact name, or nothing. */
export const ROUTES: readonly Route[] = [
  {
    path: '/setup/options',
    methods: ['GET'],
    setup: true,
    handle: (_asked, answer, place) =>
      void orRefuse(answer, place, async () => sendJson(answer, await place.setup!.options())),
  },
  {
    path: '/setup',
    methods: ['POST'],
    setup: true,
    handle: (asked, answer, place) => void orRefuse(answer, place, () => setUp(asked, answer, place)),
  },
  {
    path: '/genesis',
    methods: ['GET'],
    handle: (_asked, answer, { setup, genesisDigest }) =>
      setup ? refuseOwnerless(answer) : sendJson(answer, { genesisDigest }),
  },
  {
    path: '/api/',
    methods: [],
    handle: (asked, answer, { setup, proxy }) => (setup ? refuseOwnerless(answer) : proxy(asked, answer)),
  },
]

const refuseOwnerless = (answer: ServerResponse) =>
  refuse(answer, 503, 'NOT_INITIALISED', 'Nobody owns this installation yet.', 'Finish the set-up page.')

const findRoute = (path: string, method: string | undefined, { setup }: Place): Route | undefined =>
  ROUTES.find(
    route =>
      (route.path.endsWith('/') ? path.startsWith(route.path) : path === route.path) &&
      (route.methods.length === 0 || route.methods.includes(method ?? '')) &&
      (!route.setup || setup !== undefined),
  )

/** Another page or a name that somebody points at this machine gets nothing. */
function isOurs({ headers, method }: IncomingMessage, port: number): boolean {
  const names = [`localhost:${port}`, `127.0.0.1:${port}`, `[::1]:${port}`]
  if (!names.includes(headers.host ?? '')) return false
  if (method === 'GET' || method === 'HEAD' || headers.origin === undefined) return true
  return names.some(name => headers.origin === `http://${name}`)
}

function serveFile(files: AppFiles, path: string, { method, headers }: IncomingMessage, answer: ServerResponse) {
  const file = method === 'GET' || method === 'HEAD' ? files.find(path) : undefined
  if (!file) return refuse(answer, 404, 'NOT_FOUND', 'There is nothing here.')
  const fresh = headers['if-none-match'] === file.etag
  answer.writeHead(fresh ? 304 : 200, { ...SECURITY_HEADERS, ...headersOf(file) })
  answer.end(fresh || method === 'HEAD' ? undefined : file.bytes)
}

const headersOf = ({ type, etag, immutable, bytes }: AppFile) => ({
  'content-type': type,
  'content-length': bytes.length,
  'cache-control': immutable ? 'public, max-age=31536000, immutable' : 'no-cache',
  etag,
})

const MAX_SETUP = 64 * 1024

async function setUp(asked: IncomingMessage, answer: ServerResponse, { setup, onSetup }: Place) {
  const owner = await setup!.answer(await readJson(asked))
  sendJson(answer, { done: true, alias: owner.alias })
  await onSetup?.(owner) // ends this process
}

async function orRefuse(answer: ServerResponse, { log }: Place, run: () => Promise<unknown>) {
  try {
    await run()
  } catch (error) {
    if (!(error instanceof BulkheadError)) log.error('setup.failed', {}, error)
    const { code, message, remedy } = publicError(error)
    refuse(answer, code === 'INTERNAL' ? 500 : code === 'FORBIDDEN' ? 403 : 400, code, message, remedy)
  }
}

async function readJson(asked: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of asked) {
    size += chunk.length
    if (size > MAX_SETUP) throw new BulkheadError('LIMIT', 'The request is too large.')
    chunks.push(chunk)
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'))
  } catch (cause) {
    throw new BulkheadError('BAD_REQUEST', 'The request does not decode.', { cause })
  }
}

function sendJson(answer: ServerResponse, value: unknown) {
  answer.writeHead(200, { ...SECURITY_HEADERS, 'content-type': 'application/json', 'cache-control': 'no-store' })
  answer.end(JSON.stringify(value))
}

/** One server for each address that this machine has, at one port. Throws PORT_BUSY, and then none is left open. */
async function listenOn([first, ...others]: string[], wanted: number): Promise<Server[]> {
  const servers = [await listening(first!, wanted)]
  const { port } = servers[0]!.address() as AddressInfo
  try {
    for (const host of others) servers.push(await listening(host, port))
  } catch (error) {
    if (!isLacking(error)) {
      await Promise.all(servers.map(closed))
      throw error
    }
  }
  return servers
}

const isLacking = (error: unknown) =>
  ['EADDRNOTAVAIL', 'EAFNOSUPPORT'].includes((error as NodeJS.ErrnoException).code ?? '')

function listening(host: string, port: number): Promise<Server> {
  const server = createServer({ requestTimeout: 60_000, headersTimeout: 10_000, maxHeaderSize: 16_384 })
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      if (cause.code !== 'EADDRINUSE') return reject(cause)
      const remedy = 'End what uses it: the app’s origin is fixed, and passkeys answer to no other.'
      reject(new BulkheadError('PORT_BUSY', `Port ${port} of the admin app is in use.`, { remedy, cause }))
    })
    server.listen(port, host, () => resolve(server))
  })
}

function closed(server: Server): Promise<void> {
  return new Promise(resolve => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}
