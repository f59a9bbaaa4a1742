import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { BulkheadError, type ErrorCode } from '../base/errors.ts'
import { openToken, type TokenKind } from '../trust/token.ts'
import { checkin } from './apple/checkin.ts'
import { connect } from './apple/connect.ts'
import { type Proof, unproven } from './apple/message.ts'
import type { Context } from './context.ts'
import { enrolmentProfile, invitationPage, scep } from './enrol.ts'
import { frameHttp, proxyCertificate, readBody, sendNotFound, tlsCertificate } from './http.ts'
import type { Passed } from './turnstile.ts'

type Ask = { request: IncomingMessage; response: ServerResponse; id: string; token: string; query: string }
/** `open`: answers only while deliveries are not frozen. */
type Route = {
  kind: TokenKind
  methods: string[]
  open: boolean
  handle(ask: Ask, edge: Edge): Promise<Passed | null | undefined>
}
export type Edge = { context: Context; publicUrl: string; trustedProxy: string | undefined }

const MESSAGE = 4 * 1024 * 1024
const PKI_MESSAGE = 64 * 1024

/** Every route there is. Anything else, whatever its spelling, is the one 404; so is `undefined`. */
export const ROUTES: Record<string, Route> = {
  'i/': {
    kind: 'invitation',
    methods: ['GET'],
    open: false,
    handle: ({ id, token }, edge) => invitationPage(id, `${edge.publicUrl}/i/${token}`, edge.context),
  },
  'i/profile': {
    kind: 'invitation',
    methods: ['GET'],
    open: true,
    handle: ({ id }, edge) => enrolmentProfile(id, edge.context),
  },
  'd/scep': { kind: 'device', methods: ['GET', 'POST'], open: true, handle: pki },
  'd/checkin': {
    kind: 'device',
    methods: ['PUT', 'POST'],
    open: true,
    handle: (ask, edge) => message(ask, edge, checkin),
  },
  'd/connect': {
    kind: 'device',
    methods: ['PUT', 'POST'],
    open: false, // devices hear "nothing to do", and their answers count
    handle: (ask, edge) => message(ask, edge, connect),
  },
}

export function createEdgeServer(edge: Edge, tls?: { key: string | Buffer; cert: string | Buffer }): Server {
  return frameHttp((request, response) => void serve(request, response, edge), tls)
}

const PATH = /^\/([id])\/([A-Za-z0-9_-]{43})(?:\/([a-z]{1,8}))?$/

/** frame → token: before this returns an id nothing is parsed, asked or stored. */
function findRoute(
  request: IncomingMessage,
  edge: Edge,
): { route: Route; id: string; token: string; query: string } | undefined {
  const url = request.url ?? ''
  if (url.length > 24_000) return undefined // a SCEP message may travel in a GET
  const mark = url.indexOf('?')
  const path = PATH.exec(mark < 0 ? url : url.slice(0, mark))
  if (!path) return undefined
  const name = `${path[1]}/${path[3] ?? ''}`
  const route = Object.hasOwn(ROUTES, name) ? ROUTES[name] : undefined
  if (!route?.methods.includes(request.method ?? '')) return undefined
  const id = openToken(route.kind, path[2]!, edge.context.pathKey)
  return id === undefined ? undefined : { route, id, token: path[2]!, query: mark < 0 ? '' : url.slice(mark + 1) }
}

async function serve(request: IncomingMessage, response: ServerResponse, edge: Edge): Promise<void> {
  const found = findRoute(request, edge)
  if (!found) {
    request.resume()
    return sendNotFound(response)
  }
  try {
    if (found.route.open) requireOpen(found, edge.context)
    const answer = await found.route.handle({ request, response, ...found }, edge)
    if (answer === undefined) sendNotFound(response)
    else send(response, answer)
  } catch (error) {
    sendError(response, error, edge.context)
  }
}

/** A 503 is what devices come back after. They are woken once things go on. */
function requireOpen({ route, id }: { route: Route; id: string }, { gate, writeback }: Context): void {
  if (gate.isOpen()) return
  if (route.kind === 'device') writeback.missed(id)
  throw new BulkheadError('UNAVAILABLE', 'Nothing is given out at this time.')
}

/** The only place that writes a body to a device, and it takes nothing but what passed the turnstile. */
function send(response: ServerResponse, answer: Passed | null): void {
  if (answer === null) {
    response.writeHead(200, { 'Content-Length': '0' })
    response.end()
    return
  }
  const headers: Record<string, string> = {
    'Content-Type': answer.contentType,
    'Content-Length': String(answer.bytes.length),
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
  }
  if (answer.contentType.startsWith('text/html'))
    headers['Content-Security-Policy'] =
      "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
  response.writeHead(200, headers)
  response.end(answer.bytes)
}

/** Never 401 or 410: a device may leave management on them. */
const statuses: Partial<Record<ErrorCode, number>> = {
  BAD_REQUEST: 400,
  MALFORMED: 400,
  LIMIT: 413,
  UNPROVEN: 403,
  FORBIDDEN: 403,
  REFUSED: 403,
  NOT_FOUND: 404,
  EXPIRED: 403,
  CONFLICT: 403,
  UNAVAILABLE: 503,
}

function sendError(response: ServerResponse, error: unknown, context: Context): void {
  const code = error instanceof BulkheadError ? error.code : 'INTERNAL'
  const status = statuses[code] ?? 500
  if (status >= 500) context.log.error('request.failed', { code }, error)
  if (response.headersSent || response.destroyed) return void response.destroy()
  const text = `${code}: ${error instanceof BulkheadError ? error.message : 'Something went wrong here.'}\n`
  response.writeHead(status, {
    'Content-Type': 'text/plain; charset=utf-8',
    'Content-Length': String(Buffer.byteLength(text)),
    ...(status === 503 ? { 'Retry-After': '30' } : {}),
  })
  response.end(text)
}

/** prove anything → be known → be read. A device that meets an outage here is woken after it. */
async function message(
  { request, response, id }: Ask,
  edge: Edge,
  handle: (proof: Proof, context: Context) => Promise<Passed | null>,
): Promise<Passed | null> {
  const { context } = edge
  const header = request.headers['mdm-signature']
  const signature = typeof header === 'string' ? header : null
  const certificate = certificateOf(request, edge)
  if (certificate === null && signature === null)
    throw new BulkheadError('UNPROVEN', 'The message proves nobody: Mdm-Signature is missing.')
  try {
    if ((await context.identities.ofPath(id)).size === 0)
      throw unproven('No device is enrolled at these URLs.', context)
    const body = await readBody(request, response, MESSAGE, id)
    return await handle({ path: id, certificate, signature, body }, context)
  } catch (error) {
    if (error instanceof BulkheadError && error.code === 'UNAVAILABLE') context.writeback.missed(id)
    throw error
  }
}

function certificateOf(request: IncomingMessage, edge: Edge): string | null {
  if (edge.trustedProxy !== undefined && plainAddress(request.socket.remoteAddress) === edge.trustedProxy)
    return proxyCertificate(request)
  return tlsCertificate(request)
}

/** A listener on `::` shows IPv4 callers as ::ffff:a.b.c.d (RFC 4291, 2.5.5.2). */
const plainAddress = (address = '') => address.replace(/^::ffff:(?=\d+\.)/, '')

async function pki({ request, response, id, query }: Ask, edge: Edge): Promise<Passed | undefined> {
  const parameters = new URLSearchParams(query)
  const operation = parameters.get('operation') ?? ''
  const posted = await readBody(request, response, PKI_MESSAGE, id)
  const inQuery = request.method === 'GET' && operation === 'PKIOperation'
  return scep(
    id,
    operation,
    inQuery ? Buffer.from((parameters.get('message') ?? '').replaceAll(' ', '+'), 'base64') : posted,
    edge.context,
  )
}
