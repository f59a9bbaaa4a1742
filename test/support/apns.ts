import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Push, type Reply, startApns } from '../../simulator/apns.ts'
import { createAuthority } from '../../simulator/authority.ts'

/** What the receiver does with the next pushes: `hang-up` breaks the connection, `silent` never answers. */
export type Behaviour = keyof typeof replies

const replies = {
  ok: undefined,
  'bad-token': { status: 400, reason: 'BadDeviceToken' },
  unregistered: { status: 410, reason: 'Unregistered' },
  'slow-down': { status: 429, reason: 'TooManyRequests' },
  broken: { status: 503, reason: 'ServiceUnavailable' },
  forbidden: { status: 403, reason: 'BadCertificate' },
  'hang-up': 'hang-up',
  silent: 'silent',
} as const satisfies Record<string, Reply>

export type ApnsReceiver = Awaited<ReturnType<typeof apnsReceiver>>

/** The simulated push service with moods, over TLS by an authority that only its users trust. */
export async function apnsReceiver() {
  const folder = mkdtempSync(join(tmpdir(), 'bulkhead-apns-'))
  const authority = createAuthority()
  const ca = join(folder, 'ca.pem')
  writeFileSync(ca, authority.ca)
  const apns = await startApns({ tls: authority.server })
  const received: Push[] = []
  apns.listen(push => received.push(push))
  const moods = new Map<string, { behaviour: Behaviour; times: number }>()
  apns.reply = ({ token }) => {
    const name = moods.has(token) ? token : ''
    const mood = moods.get(name)
    if (mood && --mood.times <= 0) moods.delete(name)
    return mood && replies[mood.behaviour]
  }
  return {
    url: apns.url,
    /** Path of the authority to trust, PEM. */
    ca,
    /** Signs a request for a push certificate, as Apple does. */
    certify: authority.certify,
    /** All that arrived and was answered 200, in order. */
    received,
    /** One notification for each token (hex), the newest. */
    kept: apns.latest,
    /** How many arrived, whatever was answered. */
    count: () => apns.count,
    connections: () => apns.connections,
    /** For all tokens, or for one (hex). `times`: how often before it is `ok` again. */
    behave(behaviour: Behaviour, { token = '', times = Number.POSITIVE_INFINITY } = {}) {
      if (behaviour === 'ok') moods.delete(token)
      else moods.set(token, { behaviour, times })
    },
    listen: apns.listen,
    async close() {
      await apns.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
