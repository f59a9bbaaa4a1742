import { approve, loadPasskey, type SoftwarePasskey } from '../src/cli/passkey.ts'
import { sessionDigest } from '../src/console/sessions/challenge.ts'
import type { Trusted } from '../src/trust/roster.ts'
import type { World } from './world.ts'

/** A member's session over HTTP, as their own client holds it: a token, and the passkey only where the drill gives it. */
export type Session = {
  token: string
  ask<T = Record<string, unknown>>(method: string, path: string, body?: unknown): Promise<Reply<T>>
}
export type Reply<T> = { ok: boolean; status: number; body: T; text: string }

/** With a token that somebody has, by whatever means. */
export function withToken(url: string, token: string): Session {
  return {
    token,
    async ask<T>(method: string, path: string, body?: unknown): Promise<Reply<T>> {
      const headers = {
        authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      }
      const response = await fetch(`${url}${path}`, {
        method,
        headers,
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
      const text = await response.text()
      const parsed = (text.startsWith('{') || text.startsWith('[') ? JSON.parse(text) : {}) as T
      return { ok: response.ok, status: response.status, body: parsed, text }
    },
  }
}

/** Signs in as the member of this passkey. Undefined where the console refuses. */
export async function signIn(
  url: string,
  passkey: SoftwarePasskey,
  trusted: Trusted,
  app = trusted.roster,
): Promise<Session | undefined> {
  const open = withToken(url, '')
  const { body } = await open.ask<{ challenge: string }>('POST', '/api/session/challenge')
  const approval = approve(passkey, sessionDigest(body.challenge, trusted.genesisDigest), app)
  const { ok, body: made } = await open.ask<{ token: string }>('POST', '/api/session', {
    challenge: body.challenge,
    approval,
  })
  return ok ? withToken(url, made.token) : undefined
}

export const passkeyOf = ({ installation }: Pick<World, 'installation'>, by: number) =>
  loadPasskey(installation.passkeys[by]!)
