import { generateKeyPairSync, randomBytes, sign } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import {
  createSecureServer,
  type Http2SecureServer,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { decodeCertificate, encodeName, issueCertificate } from '../../src/wire/pkcs/certificate.ts'

/** One push as it arrived. `at`: milliseconds. */
export type Received = {
  token: string
  topic: string
  magic: string
  type: string
  priority: string
  expiration: number
  at: number
}

/** What the receiver does with the next pushes: `hang-up` breaks the connection, `silent` never answers. */
export type Behaviour =
  | 'ok'
  | 'bad-token'
  | 'unregistered'
  | 'slow-down'
  | 'broken'
  | 'forbidden'
  | 'hang-up'
  | 'silent'

const answers: Record<Exclude<Behaviour, 'hang-up' | 'silent'>, [status: number, reason: string]> = {
  ok: [200, ''],
  'bad-token': [400, 'BadDeviceToken'],
  unregistered: [410, 'Unregistered'],
  'slow-down': [429, 'TooManyRequests'],
  broken: [503, 'ServiceUnavailable'],
  forbidden: [403, 'BadCertificate'],
}

export type ApnsReceiver = {
  url: string
  /** Path of the CA to trust, PEM. */
  ca: string
  /** All that arrived and was answered 200, in order. */
  received: Received[]
  /** As Apple keeps it: one notification for each token and topic, the newest. Key: token in hex. */
  kept: Map<string, Received>
  /** How many connections were made. */
  connections(): number
  /** For all tokens, or for one (hex). `times`: how often before it is `ok` again. */
  behave(behaviour: Behaviour, options?: { token?: string; times?: number }): void
  /** Called for each push that was accepted. */
  onPush(listener: (push: Received) => void): void
  close(): Promise<void>
}

/** A push service of our own on 127.0.0.1: HTTP/2 over TLS by a CA that only its users trust. */
export async function apnsReceiver(options: { port?: number } = {}): Promise<ApnsReceiver> {
  const folder = mkdtempSync(join(tmpdir(), 'bulkhead-apns-'))
  const { ca, cert, key } = authority()
  const caPath = join(folder, 'ca.pem')
  writeFileSync(caPath, ca)
  const received: Received[] = []
  const kept = new Map<string, Received>()
  const listeners: ((push: Received) => void)[] = []
  const sessions = new Set<ServerHttp2Session>()
  const moods = new Map<string, { behaviour: Behaviour; times: number }>()
  let connections = 0

  const server = createSecureServer({ key, cert, settings: { maxConcurrentStreams: 1000 } })
  server.on('session', session => {
    connections++
    sessions.add(session)
    session.on('error', () => {})
    session.on('close', () => sessions.delete(session))
  })
  server.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    stream.on('error', () => {})
    const chunks: Buffer[] = []
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.on('end', () => answer(stream, headers, Buffer.concat(chunks).toString('utf8')))
  })

  function behaviourFor(token: string): Behaviour {
    const name = moods.has(token) ? token : ''
    const mood = moods.get(name)
    if (!mood) return 'ok'
    if (--mood.times <= 0) moods.delete(name)
    return mood.behaviour
  }

  function answer(stream: ServerHttp2Stream, headers: IncomingHttpHeaders, body: string) {
    const token = /^\/3\/device\/([0-9a-f]+)$/.exec(headers[':path'] ?? '')?.[1]
    if (headers[':method'] !== 'POST' || token === undefined) return end(stream, 404, 'BadPath')
    const behaviour = behaviourFor(token)
    if (behaviour === 'hang-up') return stream.session?.destroy()
    if (behaviour === 'silent') return
    const [status, reason] = answers[behaviour]
    if (status === 200) keep(pushOf(token, headers, body))
    end(stream, status, reason)
  }

  function keep(push: Received) {
    received.push(push)
    kept.set(push.token, push)
    for (const listener of listeners) listener(push)
  }

  await new Promise<void>(resolve => server.listen(options.port ?? 0, '127.0.0.1', resolve))
  return {
    url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`,
    ca: caPath,
    received,
    kept,
    connections: () => connections,
    behave: (behaviour, { token = '', times = Number.POSITIVE_INFINITY } = {}) => {
      if (behaviour === 'ok') moods.delete(token)
      else moods.set(token, { behaviour, times })
    },
    onPush: listener => void listeners.push(listener),
    close: () => stop(server, sessions, folder),
  }
}

function pushOf(token: string, headers: IncomingHttpHeaders, body: string): Received {
  const { mdm } = JSON.parse(body) as { mdm: string }
  const header = (name: string) => String(headers[name] ?? '')
  return {
    token,
    topic: header('apns-topic'),
    magic: mdm,
    type: header('apns-push-type'),
    priority: header('apns-priority'),
    expiration: Number(header('apns-expiration')),
    at: Date.now(),
  }
}

function end(stream: ServerHttp2Stream, status: number, reason: string) {
  if (stream.destroyed || stream.closed) return
  stream.respond({ ':status': status, 'content-type': 'application/json' })
  stream.end(reason === '' ? '' : JSON.stringify({ reason }))
}

function stop(server: Http2SecureServer, sessions: Set<ServerHttp2Session>, folder: string): Promise<void> {
  return new Promise(resolve => {
    server.close(() => {
      rmSync(folder, { recursive: true, force: true })
      resolve()
    })
    for (const session of sessions) session.destroy()
  })
}

/** A CA and a certificate for 127.0.0.1 from it. */
function authority(): { ca: string; cert: string; key: string } {
  const make = () => generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const [root, leaf] = [make(), make()]
  const name = encodeName({ CN: 'Test push CA' })
  const common = {
    issuer: name,
    notBefore: new Date(Date.now() - 86_400_000),
    notAfter: new Date(Date.now() + 30 * 86_400_000),
    signature: 'ecdsa-sha256',
  } as const
  const spki = (pair: typeof root) => pair.publicKey.export({ format: 'der', type: 'spki' })
  const signer = (bytes: Buffer) => sign('sha256', bytes, root.privateKey)
  const ca = issueCertificate(
    { ...common, serial: randomBytes(12), subject: name, spki: spki(root), isCa: true, keyUsage: ['keyCertSign'] },
    signer,
  )
  const cert = issueCertificate(
    {
      ...common,
      serial: randomBytes(12),
      subject: encodeName({ CN: '127.0.0.1' }),
      spki: spki(leaf),
      keyUsage: ['digitalSignature'],
      extendedKeyUsage: ['serverAuth'],
      subjectAltNames: { ip: [Buffer.from([127, 0, 0, 1])], dns: ['localhost'] },
      authorityKey: decodeCertificate(ca).subjectKeyId,
    },
    signer,
  )
  const pem = (der: Buffer) => `-----BEGIN CERTIFICATE-----\n${der.toString('base64')}\n-----END CERTIFICATE-----\n`
  return { ca: pem(ca), cert: pem(cert), key: leaf.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString() }
}
