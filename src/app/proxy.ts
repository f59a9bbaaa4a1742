import { Agent, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { pipeline } from 'node:stream'
import type { Log } from '../base/log.ts'
import { SECURITY_HEADERS } from './headers.ts'

/** Hands /api on to the console: the app has one origin, and the console none that a browser could use. */
const PASSED = ['accept', 'authorization', 'content-length', 'content-type'] as const
const MAX_BODY = 24 * 1024 * 1024
const TIMEOUT_MS = 60_000

/** The method and path as they came, four headers, and the body as a stream. Cookies and addresses stay here. */
export function createProxy(target: string, log: Log) {
  const agent = new Agent({ keepAlive: true, maxSockets: 32 })
  return (asked: IncomingMessage, answer: ServerResponse) => {
    if (Number(asked.headers['content-length'] ?? 0) > MAX_BODY)
      return refuse(answer, 413, 'LIMIT', 'The request is too large.')
    const headers: Record<string, string> = {}
    for (const name of PASSED) {
      const value = asked.headers[name]
      if (typeof value === 'string') headers[name] = value
    }
    const away = (error: unknown) => {
      log.error('proxy.failed', {}, error)
      refuse(
        answer,
        503,
        'UNAVAILABLE',
        'The console does not answer.',
        'It restarts by itself; try again in a moment.',
      )
    }
    const options = { agent, headers, timeout: TIMEOUT_MS, ...(asked.method !== undefined && { method: asked.method }) }
    const forwarded = request(`${target}${asked.url}`, options, response => {
      const { 'content-type': type, 'content-length': length } = response.headers
      answer.writeHead(response.statusCode ?? 502, {
        ...SECURITY_HEADERS,
        'cache-control': 'no-store',
        ...(type !== undefined && { 'content-type': type }),
        ...(length !== undefined && { 'content-length': length }),
      })
      pipeline(response, answer, () => {})
    })
    forwarded.on('timeout', () => forwarded.destroy(new Error('timeout')))
    forwarded.on('error', away)
    answer.on('close', () => forwarded.destroy())
    limited(asked, () => {
      refuse(answer, 413, 'LIMIT', 'The request is too large.')
      forwarded.destroy()
    }).pipe(forwarded)
  }
}

/** A body without a length is counted as it passes. */
function limited(asked: IncomingMessage, onTooLarge: () => void): IncomingMessage {
  let size = 0
  asked.on('data', (chunk: Buffer) => {
    size += chunk.length
    if (size <= MAX_BODY) return
    asked.unpipe()
    asked.pause()
    onTooLarge()
  })
  return asked
}

export function refuse(answer: ServerResponse, status: number, code: string, message: string, remedy?: string) {
  if (answer.headersSent) {
    answer.destroy()
    return
  }
  if (status === 413) answer.setHeader('connection', 'close') // the rest of the body is not waited for
  const text = JSON.stringify({ code, message, ...(remedy !== undefined && { remedy }) })
  answer.writeHead(status, { ...SECURITY_HEADERS, 'content-type': 'application/json', 'cache-control': 'no-store' })
  answer.end(text)
}
