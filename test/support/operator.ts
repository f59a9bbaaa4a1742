import { randomBytes, randomUUID } from 'node:crypto'
import { openHome } from '../../src/cli/client.ts'
import { approve, loadPasskey } from '../../src/cli/passkey.ts'
import type { Approved, Draft, GroupLine, InvitationCreated } from '../../src/console/api.ts'
import { canonical } from '../../src/trust/canonical.ts'
import { type Invitation, invitationDigest } from '../../src/trust/invitation.ts'
import { type GroupVersion, groupDigest } from '../../src/trust/order.ts'
import type { Installation } from './installation.ts'

export type Operator = ReturnType<typeof createOperator>
export type Wish = {
  action: string
  set?: string[]
  devices?: string[]
  group?: string
  all?: true
  channel?: 'user'
  body?: string
  reason?: string
  expiresInSeconds?: number
}

/** The owner of an installation in this process: what the command line signs and asks, in milliseconds instead of half seconds. */
export function createOperator({ home, passkeys, console }: Pick<Installation, 'home' | 'passkeys' | 'console'>) {
  const trusted = openHome(home)
  const keys = passkeys.map(loadPasskey)
  /** `by`: which member; 0 is the owner. */
  const sign = (digest: Buffer, by = 0) => approve(keys[by]!, digest, trusted.roster)

  const draft = (wish: Wish) => console.post<Draft>('/api/orders', { reason: 'a test', ...wish })
  /** By as many members as it takes. */
  async function approveOrder({ order, digest }: Pick<Draft, 'order' | 'digest'>): Promise<Approved> {
    for (const by of keys.keys()) {
      const approval = sign(Buffer.from(digest, 'hex'), by)
      const approved = await console.post<Approved>(`/api/orders/${order}/approvals`, { approval })
      if (approved.state !== 'draft' || by === keys.length - 1) return approved
    }
    throw new Error('There are no members.')
  }

  return {
    trusted,
    sign,
    draft,
    approve: approveOrder,
    /** Drafted and approved: the order's id. */
    async order(wish: Wish): Promise<string> {
      const drafted = await draft(wish)
      await approveOrder(drafted)
      return drafted.order
    },
    async invite(fields: Partial<Invitation> = {}) {
      const now = Math.floor(Date.now() / 1000)
      const invitation: Invitation = {
        type: 'bulkhead-invitation/v1',
        id: randomUUID(),
        platform: 'apple',
        tier: 'private',
        unit: trusted.roster.units[0]!.id,
        groups: [],
        uses: 1,
        signed: true,
        identityDays: 397,
        notBefore: now,
        expiresAt: now + 86_400,
        nonce: randomBytes(16).toString('hex'),
        ...fields,
      }
      const statement = canonical(invitation)
      const approval = sign(invitationDigest(statement, trusted))
      return { ...(await console.post<InvitationCreated>('/api/invitations', { statement, approval })), statement }
    },
    /** The next version of a group; its statement, to come back as `before`. */
    async group(alias: string, members: string[], before?: string) {
      const old = before === undefined ? undefined : (JSON.parse(before) as GroupVersion)
      const statement = canonical({
        type: 'bulkhead-group/v1',
        id: old?.id ?? randomUUID(),
        alias,
        version: old ? old.version + 1 : 0,
        previous: before === undefined ? '' : groupDigest(before, trusted).toString('hex'),
        members: [...members].sort(),
        at: Math.floor(Date.now() / 1000),
      } satisfies GroupVersion)
      const approval = sign(groupDigest(statement, trusted))
      await console.post<GroupLine>('/api/groups', { statement, approval })
      return statement
    },
  }
}
