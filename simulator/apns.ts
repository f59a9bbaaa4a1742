import {
  createSecureServer,
  createServer,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2'
import type { AddressInfo } from 'node:net'

/** One notification as Apple would have received it. `token` in hex. */
export type Push = { token: string; topic: string; magic: string; headers: Record<string, string>; at: Date }
/** What the receiver answers: nothing special is 200. `hang-up` breaks the connection without an answer, `silent` leaves it open. */
export type Reply = { status: number; reason: string } | 'hang-up' | 'silent' | undefined

/** `tls`: the receiver's own certificate; then the sender's client certificate is asked for. Without it: plain HTTP/2. */
export type ApnsOptions = { tls?: { key: string; cert: string }; host?: string; port?: number }
export type Apns = Awaited<ReturnType<typeof startApns>>

/** A stand-in for Apple's push service: keeps one notification a device, wakes who listens, and misbehaves when told to. */
export async function startApns(options: ApnsOptions = {}) {
  const latest = new Map<string, Push>()
  const listeners = new Set<(push: Push) => void>()
  const sessions = new Set<ServerHttp2Session>()
  const apns = {
    url: '',
    /** The newest notification of each device, by token: an older one is gone, as with Apple. */
    latest,
    /** How many came, kept or not. */
    count: 0,
    /** How many connections there have been. */
    connections: 0,
    reply: (_push: Push): Reply => undefined,
    listen: (listener: (push: Push) => void) => {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    close: () =>
      new Promise<void>(resolve => {
        for (const session of sessions) session.destroy()
        server.close(() => resolve())
      }),
  }

  const server = options.tls
    ? createSecureServer({ ...options.tls, requestCert: true, rejectUnauthorized: false })
    : createServer()
  server.on('session', session => {
    apns.connections++
    sessions.add(session)
    session.on('close', () => sessions.delete(session))
    session.on('error', () => session.destroy())
  })
  server.on('stream', (stream, headers) => {
    stream.on('error', () => stream.close())
    void receive(stream as ServerHttp2Stream, headers)
  })

  async function receive(stream: ServerHttp2Stream, headers: IncomingHttpHeaders) {
    const push = pushFrom(headers, await bodyOf(stream))
    if (!push) return answer(stream, 400, 'BadPath')
    apns.count++
    const reply = apns.reply(push) ?? fault(push)
    if (reply === 'hang-up') return stream.session?.destroy()
    if (reply === 'silent') return
    if (reply) return answer(stream, reply.status, reply.reason)
    latest.set(push.token, push)
    answer(stream, 200)
    for (const listener of listeners) listener(push)
  }

  await new Promise<void>(resolve => server.listen(options.port ?? 0, options.host ?? '127.0.0.1', resolve))
  const { address, port } = server.address() as AddressInfo
  apns.url = `${options.tls ? 'https' : 'http'}://${address}:${port}`
  return apns
}

/** What Apple itself would refuse. */
function fault({ topic, magic, headers }: Push): Reply {
  if (topic === '') return { status: 400, reason: 'MissingTopic' }
  if (headers['apns-push-type'] !== 'mdm') return { status: 400, reason: 'InvalidPushType' }
  if (magic === '') return { status: 400, reason: 'PayloadEmpty' }
  return undefined
}

function pushFrom(headers: IncomingHttpHeaders, body: string): Push | undefined {
  const token = /^\/3\/device\/([0-9a-f]+)$/i.exec(String(headers[':path']))?.[1]
  if (headers[':method'] !== 'POST' || !token) return undefined
  const flat = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]))
  return {
    token: token.toLowerCase(),
    topic: flat['apns-topic'] ?? '',
    magic: magicIn(body),
    headers: flat,
    at: new Date(),
  }
}

function magicIn(body: string): string {
  try {
    const { mdm } = JSON.parse(body) as { mdm?: unknown }
    return typeof mdm === 'string' ? mdm : ''
  } catch {
    return ''
  }
}

async function bodyOf(stream: ServerHttp2Stream): Promise<string> {
  let body = ''
  for await (const chunk of stream) if (body.length < 8192) body += String(chunk)
  return body
}

function answer(stream: ServerHttp2Stream, status: number, reason?: string) {
  if (stream.destroyed) return
  stream.respond({ ':status': status, 'content-type': 'application/json' })
  stream.end(reason ? JSON.stringify({ reason, ...(status === 410 ? { timestamp: Date.now() } : {}) }) : '')
}
