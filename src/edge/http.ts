import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import { BulkheadError } from '../base/errors.ts'

// HTTP framing. Whoever has no path token meets this file, node:http and TLS, and nothing else.

const NOT_FOUND_BODY = 'Not found\n'
const NOT_FOUND_HEADERS = [
  'Content-Type',
  'text/plain; charset=utf-8',
  'Content-Length',
  String(NOT_FOUND_BODY.length),
  'Connection',
  'close',
]
/** The one answer to everything that is not ours, byte for byte. */
export const RAW_NOT_FOUND = Buffer.from(
  `HTTP/1.1 404 Not Found\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: ${NOT_FOUND_BODY.length}\r\nConnection: close\r\n\r\n${NOT_FOUND_BODY}`,
)

/** Connections on which it was said: nothing more is. */
const refused = new WeakSet<Duplex>()

export function sendNotFound(response: ServerResponse): void {
  if (response.socket) refused.add(response.socket)
  response.writeHead(404, 'Not Found', NOT_FOUND_HEADERS)
  response.end(NOT_FOUND_BODY)
}

const limits = {
  maxHeaderSize: 48 * 1024,
  headersTimeout: 10_000,
  requestTimeout: 60_000,
  keepAliveTimeout: 75_000,
  connectionsCheckingInterval: 5_000,
  requireHostHeader: false,
}

const handshake = {
  requestCert: true,
  rejectUnauthorized: false,
  minVersion: 'TLSv1.2',
  handshakeTimeout: 15_000,
} as const

/** A listener that frames strictly: what node:http cannot read gets the same 404 as an unknown route. */
export function frameHttp(handle: RequestListener, tls?: { key: string | Buffer; cert: string | Buffer }): Server {
  const server = tls ? createTlsServer({ ...limits, ...tls, ...handshake }) : createServer(limits)
  server.maxHeadersCount = 64
  const listen: RequestListener = (request, response) => {
    response.sendDate = false
    if (request.httpVersionMajor === 1) handle(request, response)
    else sendNotFound(response) // node:http also reads HTTP/0.9
  }
  server.on('request', listen)
  server.on('checkContinue', listen) // "100 Continue" is said by readBody, so never to a stranger
  server.on('checkExpectation', (_request, response: ServerResponse) => {
    response.sendDate = false
    sendNotFound(response)
  })
  server.on(
    'clientError',
    (_error, socket: Duplex) =>
      void (socket.writable ? socket.end(refused.has(socket) ? undefined : RAW_NOT_FOUND) : socket.destroy()),
  )
  server.on('tlsClientError', (_error, socket: Duplex) => socket.destroy()) // nothing can be said before the handshake
  server.on('connect', (_request, socket: Duplex) => socket.end(RAW_NOT_FOUND))
  return server
}

const MOST_BUFFERED = 64 * 1024 * 1024
const SMALL = 64 * 1024 // never refused for the large ones beside it
const LARGE_OF_ONE = 2
const STANDSTILL = 30_000
let buffered = 0
const large = new Map<string, number>()

/** A body above SMALL: one of few of its sender, and told `stuck` when nothing more comes of it. */
function enterLarge(sender: string, stuck: () => void) {
  const beside = large.get(sender) ?? 0
  large.set(sender, beside + 1)
  const timer = setTimeout(stuck, STANDSTILL)
  return {
    oneTooMany: beside >= LARGE_OF_ONE,
    moved: () => void timer.refresh(),
    leave() {
      clearTimeout(timer)
      const left = large.get(sender)! - 1
      if (left > 0) large.set(sender, left)
      else large.delete(sender)
    },
  }
}

/**
 * The whole body. Throws LIMIT above `most`, BAD_REQUEST for one that breaks off or stands still, UNAVAILABLE while all bodies together
 * would hold too much memory, or while `sender` has two large ones under way.
 */
export async function readBody(
  request: IncomingMessage,
  response: ServerResponse,
  most: number,
  sender: string,
): Promise<Buffer> {
  const tooLong = () => new BulkheadError('LIMIT', `At most ${most} bytes are read here.`)
  if (Number(request.headers['content-length'] ?? 0) > most) throw tooLong()
  if (request.headers.expect?.toLowerCase() === '100-continue') response.writeContinue()
  if (request.destroyed) throw new BulkheadError('BAD_REQUEST', 'The message breaks off.') // before anybody listened
  const chunks: Buffer[] = []
  let size = 0
  let place: ReturnType<typeof enterLarge> | undefined
  try {
    // Events, since an asynchronous iterator costs more than all else that is done to frame a message.
    await new Promise<void>((resolve, reject) => {
      request.on('data', (chunk: Buffer) => {
        size += chunk.length
        buffered += chunk.length
        if (size > SMALL) place ??= enterLarge(sender, () => reject(new Error('Nothing more comes.')))
        place?.moved()
        if (size > most) reject(tooLong())
        else if (place && (place.oneTooMany || buffered > MOST_BUFFERED))
          reject(new BulkheadError('UNAVAILABLE', 'Too many large messages at once.'))
        else chunks.push(chunk)
      })
      request.on('end', resolve)
      request.on('error', reject)
    })
  } catch (cause) {
    request.resume() // the rest is read and dropped: a connection that is closed over it would lose the answer
    if (cause instanceof BulkheadError) throw cause
    throw new BulkheadError('BAD_REQUEST', 'The message breaks off.', { cause })
  } finally {
    request.removeAllListeners('data')
    buffered -= size
    place?.leave()
  }
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, size)
}

const presented = new WeakMap<object, string | null>()

/** SHA-256 (hex) of the certificate that the other end of this TLS connection proved to hold; null for none. Once for each connection. */
export function tlsCertificate(request: IncomingMessage): string | null {
  const socket = request.socket as TLSSocket
  if (!socket.encrypted) return null
  let known = presented.get(socket)
  if (known === undefined) {
    const certificate = socket.getPeerX509Certificate()
    known = certificate ? createHash('sha256').update(certificate.raw).digest('hex') : null
    presented.set(socket, known)
  }
  return known
}

/** RFC 9440 section 2.2: a byte sequence between colons. Only asked for where the peer is the trusted proxy. */
export function proxyCertificate(request: IncomingMessage): string | null {
  const header = request.headers['client-cert']
  if (typeof header !== 'string') return null
  const match = /^:([A-Za-z0-9+/]{1,16000}={0,2}):$/.exec(header.trim())
  if (!match) throw new BulkheadError('MALFORMED', 'The Client-Cert header is not a byte sequence.')
  return createHash('sha256').update(Buffer.from(match[1]!, 'base64')).digest('hex')
}
