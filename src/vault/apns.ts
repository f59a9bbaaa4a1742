import { type ClientHttp2Session, connect, type IncomingHttpHeaders } from 'node:http2'
import type { Log } from '../base/log.ts'

/**
 * Notifications to Apple's push service, over one HTTP/2 connection that is made again when it is lost (RFC 9113; Apple, "Sending
 * notification requests to APNs").
 */
export type Notification = { token: Buffer; topic: string; magic: string; expiresAt: number /* seconds */ }
/**
 * `gone`: the token will never work again. `slow`: APNs asks for patience. `refused`: it does not like what we send or who we are.
 * `lost`: nobody knows whether it arrived, and there was no answer.
 */
export type PushOutcome = 'sent' | 'gone' | 'slow' | 'refused' | 'lost'
export type Apns = {
  push(notification: Notification): Promise<PushOutcome>
  /** The next push connects anew, with the identity that is valid then. */
  renew(): void
  close(): void
}

export const APNS_URL = 'https://api.push.apple.com'
const ANSWER_LIMIT = 10_000
const FIRST_PAUSE = 200
const LONGEST_PAUSE = 30_000
const MAX_ANSWER = 4096

type Options = {
  url: string
  ca?: string | undefined
  identity: () => { cert: string; key: string } | undefined
  log: Log
}

export function createApns({ url, ca, identity, log }: Options): Apns {
  let session: ClientHttp2Session | undefined
  let pause = 0
  let notBefore = 0

  function open(): ClientHttp2Session | undefined {
    if (session && !session.closed && !session.destroyed) return session
    if (performance.now() < notBefore) return undefined
    const fresh = connect(url, { ...(ca === undefined ? {} : { ca }), ...identity() })
    fresh.on('connect', () => {
      pause = 0
    })
    fresh.on('error', error => log.error('push.connection', {}, error))
    fresh.on('goaway', () => fresh.close())
    fresh.on('close', () => {
      if (session !== fresh) return
      session = undefined
      pause = Math.min(LONGEST_PAUSE, pause * 2 || FIRST_PAUSE)
      notBefore = performance.now() + pause
    })
    session = fresh
    return fresh
  }

  async function push(notification: Notification): Promise<PushOutcome> {
    const used = open()
    if (!used) return 'lost'
    const answer = await send(used, notification)
    if (answer === 'silent') used.destroy() // a connection that a firewall forgot: nothing on it will be answered
    if (typeof answer === 'string') return 'lost'
    const outcome = judge(answer)
    if (outcome !== 'sent') log.info('push.answer', { status: answer.status, reason: answer.reason })
    return outcome
  }

  return {
    push,
    renew() {
      session?.close()
      session = undefined
      notBefore = 0
    },
    close: () => session?.destroy(),
  }
}

type Answer = { status: number; reason: string }

function send(
  session: ClientHttp2Session,
  { token, topic, magic, expiresAt }: Notification,
): Promise<Answer | 'lost' | 'silent'> {
  return new Promise(resolve => {
    const stream = session.request({
      ':method': 'POST',
      ':path': `/3/device/${token.toString('hex')}`,
      'apns-topic': topic,
      'apns-push-type': 'mdm',
      'apns-priority': '10',
      'apns-expiration': String(expiresAt),
    })
    let status = 0
    let text = ''
    stream.setEncoding('utf8')
    stream.setTimeout(ANSWER_LIMIT, () => {
      resolve('silent')
      stream.close()
    })
    stream.on('response', (headers: IncomingHttpHeaders) => {
      status = Number((headers as Record<string, unknown>)[':status'])
    })
    stream.on('data', (chunk: string) => {
      if (text.length < MAX_ANSWER) text += chunk
    })
    stream.on('error', () => resolve('lost'))
    stream.on('close', () => resolve(status === 0 ? 'lost' : { status, reason: reasonIn(text) }))
    stream.end(JSON.stringify({ mdm: magic }))
  })
}

function reasonIn(text: string): string {
  try {
    return String((JSON.parse(text) as { reason?: unknown }).reason ?? '').slice(0, 60)
  } catch {
    return ''
  }
}

function judge({ status, reason }: Answer): PushOutcome {
  if (status === 200) return 'sent'
  if (status === 410 || (status === 400 && reason === 'BadDeviceToken')) return 'gone'
  if (status === 429 || status >= 500) return 'slow'
  return 'refused'
}
