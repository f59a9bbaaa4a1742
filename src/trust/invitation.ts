import { BulkheadError } from '../base/errors.ts'
import { type Approval, countApprovals } from './approval.ts'
import type { Trusted } from './roster.ts'
import { flag, listOf, object, oneOf, text, time, uuid, whole } from './shape.ts'
import { decodeStatement, statementDigest } from './statement.ts'

export const TIERS = ['full', 'no-wipe', 'private'] as const
export type Tier = (typeof TIERS)[number]

/** Five years; the CA outlives it. */
export const MOST_IDENTITY_DAYS = 1_825
/** Unless the invitation says another: a year, and a month to renew in. */
export const IDENTITY_DAYS = 397

const shape = object({
  type: oneOf('bulkhead-invitation/v1'),
  id: uuid,
  platform: oneOf('apple'),
  tier: oneOf(...TIERS),
  unit: uuid,
  groups: listOf(uuid, 32),
  uses: whole(1, 100_000),
  signed: flag, // whether the profile is CMS-signed
  identityDays: whole(1, MOST_IDENTITY_DAYS), // life of each certificate; shorter than 30 days means that it is renewed daily
  notBefore: time,
  expiresAt: time,
  nonce: text(/^[0-9a-f]{32}$/, '16 bytes in hex'),
})
export type Invitation = ReturnType<typeof shape>

export const decodeInvitation = (statement: string): Invitation => decodeStatement(statement, shape, 'invitation')
export const invitationDigest = (statement: string, trusted: Trusted): Buffer =>
  statementDigest('bulkhead-invitation/v1', trusted.genesisDigest, statement)

/** The invitation behind this text, if one operator of the roster approved it. Time is the caller's to check. */
export function verifyInvitation(statement: string, approval: Approval, trusted: Trusted): Invitation {
  const invitation = decodeInvitation(statement)
  if (!trusted.roster.units.some(unit => unit.id === invitation.unit))
    throw new BulkheadError('UNPROVEN', 'The invitation names a unit that the roster does not hold.')
  const { members, refusals } = countApprovals([approval], invitationDigest(statement, trusted), trusted, [
    'operator',
    'approver',
  ])
  if (members.length < 1) throw new BulkheadError('UNPROVEN', `The invitation is not approved. ${refusals.join(' ')}`)
  return invitation
}
