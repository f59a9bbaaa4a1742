import { sign } from 'node:crypto'
import { BulkheadError } from '../base/errors.ts'
import type { Approval } from '../trust/approval.ts'
import { type Invitation, verifyInvitation } from '../trust/invitation.ts'
import type { Trusted } from '../trust/roster.ts'
import { encodeToken, uuidText } from '../trust/token.ts'
import type { Voucher } from '../trust/voucher.ts'
import { type EnrolmentParts, enrolmentProfileBytes } from '../wire/apple/enrolment.ts'
import { signedAttributesFor } from '../wire/pkcs/signing.ts'
import type { InvitationPage, ProfileParts } from './api.ts'
import { encodeChallenge } from './challenge.ts'
import type { VaultKeys } from './keys.ts'
import type { Store } from './store.ts'
import type { Uses } from './uses.ts'

export type Verified = { invitation: Invitation; statement: string; approval: Approval }
type Needs = {
  keys: VaultKeys
  /** As it is now. Throws UNAVAILABLE before the control log was read. */
  roster: () => Trusted
  store: Store
  uses: Uses
  url: string
  topic: () => string
  clock: () => number // seconds
  random: (size: number) => Buffer
}

const KEPT = 10 // seconds: an invitation that is taken away ends soon
const RENEWAL_LIFE = 86_400 // seconds
const LAST_SECOND = 0xffff_ffff // of a challenge

/** Invitations and the profiles made from them. */
export function createInvitations(needs: Needs) {
  const { keys, roster, store, uses, topic, random, clock: now } = needs
  const kept = new Map<string, { until: number; value: Promise<Verified | undefined> }>()

  /** Undefined: nobody knows it. Throws UNPROVEN where no member of the roster approved exactly this. */
  function find(id: string): Promise<Verified | undefined> {
    const known = kept.get(id)
    if (known && known.until > now()) return known.value
    if (kept.size >= 1000) kept.clear()
    const value = load(id)
    kept.set(id, { until: now() + KEPT, value })
    value.catch(() => kept.delete(id))
    return value
  }

  async function load(id: string): Promise<Verified | undefined> {
    const row = await store.findInvitation(id)
    if (!row) return undefined
    const invitation = verifyInvitation(row.statement, row.approval, roster())
    if (invitation.id !== id) throw new BulkheadError('UNPROVEN', 'The row of an invitation holds another one.')
    return { invitation, ...row }
  }

  /** The invitation, if it is open by its dates. Throws NOT_FOUND or EXPIRED. */
  async function current(id: string): Promise<Verified> {
    const found = await find(id)
    if (!found || found.invitation.notBefore > now())
      throw new BulkheadError('NOT_FOUND', 'There is no such invitation.')
    if (found.invitation.expiresAt <= now()) throw new BulkheadError('EXPIRED', 'The invitation has expired.')
    return found
  }

  function withSigner(parts: Omit<ProfileParts, 'signer'>, signed: boolean): ProfileParts {
    if (!signed) return { ...parts, signer: null }
    const bytes = enrolmentProfileBytes(parts satisfies EnrolmentParts)
    const attributes = signedAttributesFor(bytes, new Date(now() * 1000))
    const certificates = [keys.profile.certificate, keys.ca.certificate].map(({ der }) => der.toString('base64'))
    const signature = sign('sha256', attributes, keys.profile.key).toString('base64')
    return { ...parts, signer: { certificates, attributes: attributes.toString('base64'), signature } }
  }

  return {
    current,

    async page(id: string): Promise<InvitationPage> {
      const found = await find(id)
      if (!found || found.invitation.notBefore > now())
        throw new BulkheadError('NOT_FOUND', 'There is no such invitation.')
      const { tier, expiresAt, signed } = found.invitation
      const usesLeft = Math.max(0, found.invitation.uses - (await uses.used(id)))
      const state = expiresAt <= now() ? 'expired' : usesLeft === 0 ? 'used-up' : 'open'
      return { state, tier, usesLeft, expiresAt, signed }
    },

    /** A profile with URLs of its own. Uses up nothing: a certificate does. */
    async profile(id: string): Promise<ProfileParts & { statement: string; approval: Approval }> {
      const { invitation, statement, approval } = await current(id)
      if ((await uses.used(id)) >= invitation.uses) throw new BulkheadError('CONFLICT', 'The invitation is used up.')
      const path = randomUuid(random)
      const expiresAt = Math.min(invitation.expiresAt, LAST_SECOND)
      const challenge = { kind: 'enrolment', invitation: id, path, expiresAt } as const
      const parts = {
        path,
        pathToken: encodeToken('device', path, keys.pathToken),
        challenge: encodeChallenge(challenge, keys.challenge),
        tier: invitation.tier,
        topic: topic(),
        url: needs.url,
        organisation: roster().roster.name,
      }
      return { ...withSigner(parts, invitation.signed), statement, approval }
    },

    /** The device's own profile again: all but the challenge comes from its voucher. */
    renewal({ path, tier, topic, url, signed, certificate }: Voucher): ProfileParts {
      const challenge = { kind: 'renewal', certificate, path, expiresAt: now() + RENEWAL_LIFE } as const
      const parts = {
        path,
        pathToken: encodeToken('device', path, keys.pathToken),
        challenge: encodeChallenge(challenge, keys.challenge),
        tier,
        topic,
        url,
        organisation: roster().roster.name,
      }
      return withSigner(parts, signed)
    },

    /** The token of the invitation's page. Throws UNPROVEN, EXPIRED. */
    invite(statement: string, approval: Approval): { token: string } {
      const invitation = verifyInvitation(statement, approval, roster())
      if (invitation.expiresAt <= now()) throw new BulkheadError('EXPIRED', 'The invitation has expired already.')
      return { token: encodeToken('invitation', invitation.id, keys.pathToken) }
    },
  }
}

export type Invitations = ReturnType<typeof createInvitations>

/** A random UUID (RFC 9562, 5.4) from the randomness that was given. */
export function randomUuid(random: (size: number) => Buffer): string {
  const bytes = Buffer.from(random(16))
  bytes[6] = (bytes[6]! & 0x0f) | 0x40
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  return uuidText(bytes)
}
