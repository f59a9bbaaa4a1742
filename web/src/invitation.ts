import { call, type InvitationCreated, type Tier } from './api.ts'
import type { Installation } from './installation.ts'
import { sign } from './passkey.ts'
import { canonical, nonce, statementDigest } from './statement.ts'

export type Wanted = { tier: Tier; unit: string; groups: string[]; uses: number; days: number; signed: boolean }
const TYPE = 'bulkhead-invitation/v1'
const DAY = 86_400
const IDENTITY_DAYS = 397 // as the command line's default

/** Builds the statement, has it approved with one gesture, and gets its link. Throws Refusal. */
export async function invite(wanted: Wanted, me: Installation & { me: string }): Promise<InvitationCreated> {
  const { days, ...shared } = wanted
  const notBefore = Math.floor(Date.now() / 1000) - 60 // clocks differ a little
  const statement = canonical({
    ...shared,
    type: TYPE,
    id: crypto.randomUUID(),
    platform: 'apple',
    identityDays: IDENTITY_DAYS,
    notBefore,
    expiresAt: notBefore + days * DAY,
    nonce: nonce(),
  })
  const approval = await sign(await statementDigest(TYPE, me.genesisDigest, statement), me, me.me)
  return call<InvitationCreated>('/api/invitations', { body: { statement, approval } })
}
