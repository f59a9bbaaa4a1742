import { Agent, request as plain } from 'node:http'
import { request as secure, Agent as TlsAgent } from 'node:https'

export type Answer = { status: number; headers: Record<string, string>; body: Buffer }
export type Ask = { method?: string; headers?: Record<string, string>; body?: Uint8Array | string }

/** `ca`: PEM to be trusted for https; absent, the machine's own; `any` trusts everybody (tests only). */
export type HttpOptions = {
  timeout?: number
  ca?: string | 'any'
  sockets?: number
  client?: { key: string; cert: string }
  /** The address to call from. */
  localAddress?: string
}
export type Http = { send(url: string, ask?: Ask): Promise<Answer>; close(): void }

const MOST = 32 * 1024 * 1024

/** An HTTP client that keeps its connections, as a device does. Rejects on a broken connection or after `timeout` ms. */
export function createHttp(options: HttpOptions = {}): Http {
  const { timeout = 30_000, sockets = 2, ca, client, localAddress } = options
  const from = localAddress === undefined ? {} : { localAddress }
  const pool = { keepAlive: true, maxSockets: sockets, timeout, ...from }
  const trust = ca === 'any' ? { rejectUnauthorized: false } : ca === undefined ? {} : { ca }
  const agent = new Agent(pool)
  const tlsAgent = new TlsAgent({ ...pool, ...trust, ...client })
  return {
    send: (url, ask = {}) => send(new URL(url), ask, url.startsWith('https:') ? tlsAgent : agent, timeout),
    close: () => {
      agent.destroy()
      tlsAgent.destroy()
    },
  }
}

function send(url: URL, ask: Ask, agent: Agent, timeout: number): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const { method = 'GET', headers = {}, body } = ask
    const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }
    const make = url.protocol === 'https:' ? secure : plain
    const outgoing = make(url, { method, agent, headers: { ...length, ...headers }, timeout }, incoming => {
      const chunks: Buffer[] = []
      let size = 0
      incoming.on('data', (chunk: Buffer) => {
        size += chunk.length
        if (size > MOST) incoming.destroy(new Error('The answer is too long.'))
        chunks.push(chunk)
      })
      incoming.on('error', reject)
      incoming.on('end', () =>
        resolve({ status: incoming.statusCode ?? 0, headers: flat(incoming.headers), body: Buffer.concat(chunks) }),
      )
    })
    outgoing.on('timeout', () => outgoing.destroy(new Error(`No answer within ${timeout} ms.`)))
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}

function flat(headers: Record<string, string | string[] | undefined>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value.join(', ') : (value ?? '')]),
  )
}
