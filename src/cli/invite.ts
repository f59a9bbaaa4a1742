import { randomBytes, randomUUID } from 'node:crypto'
import { BulkheadError } from '../base/errors.ts'
import type { InvitationCreated } from '../console/api.ts'
import { canonical } from '../trust/canonical.ts'
import {
  decodeInvitation,
  IDENTITY_DAYS,
  type Invitation,
  invitationDigest,
  MOST_IDENTITY_DAYS,
  TIERS,
  type Tier,
} from '../trust/invitation.ts'
import type { Roster, Trusted } from '../trust/roster.ts'
import { type Args, flag, list, needed, text, whole } from './args.ts'
import { consoleClient } from './client.ts'
import { findGroup } from './device.ts'
import { openRoster } from './follow.ts'
import { verifiedGroup } from './group.ts'
import { duration, pairs, say, show } from './output.ts'
import { approve, loadPasskey, memberOf } from './passkey.ts'

const DEFAULT_LIFE = 7 * 86_400

export async function run(args: Args): Promise<number> {
  const trusted = await openRoster(args.home)
  const passkey = loadPasskey(needed(args, 'passkey'))
  const member = memberOf(passkey, trusted)
  const invitation = await invitationOf(args, trusted)
  const statement = canonical(invitation)
  decodeInvitation(statement)
  const approval = approve(passkey, invitationDigest(statement, trusted), trusted.roster)
  const created = await consoleClient(args.home).post<InvitationCreated>('/api/invitations', { statement, approval })
  say(
    `${invitation.uses} ${invitation.uses === 1 ? 'device' : 'devices'}, tier ${invitation.tier}, approved by ${member.alias}.`,
  )
  return show(args, created, () =>
    pairs([
      ['invitation', created.invitation],
      ['link', created.url],
      ['profile', created.profileUrl],
      ['until', created.expiresAt],
    ]),
  )
}

async function invitationOf(args: Args, trusted: Trusted): Promise<Invitation> {
  const now = Math.floor(Date.now() / 1000)
  return {
    type: 'bulkhead-invitation/v1',
    id: randomUUID(),
    platform: platformOf(args),
    tier: tierOf(args),
    unit: unitOf(args, trusted.roster),
    groups: await groupsOf(args, trusted),
    uses: whole(args, 'uses', 1, 100_000) ?? 1,
    signed: !flag(args, 'unsigned'),
    identityDays: whole(args, 'identity-days', 1, MOST_IDENTITY_DAYS) ?? IDENTITY_DAYS,
    notBefore: now,
    expiresAt: now + (duration(args, 'expires', 'd') ?? DEFAULT_LIFE),
    nonce: randomBytes(16).toString('hex'),
  }
}

function platformOf(args: Args): 'apple' {
  const platform = text(args, 'platform') ?? 'apple'
  if (platform === 'apple') return platform
  throw new BulkheadError('USAGE', `There is no platform ${platform}.`, { remedy: 'Write --platform apple.' })
}

function tierOf(args: Args): Tier {
  const tier = text(args, 'tier') ?? 'private'
  const found = TIERS.find(one => one === tier)
  if (found) return found
  throw new BulkheadError('USAGE', `There is no tier ${tier}.`, { remedy: `Write one of: ${TIERS.join(', ')}.` })
}

function unitOf(args: Args, { units }: Roster): string {
  const name = text(args, 'unit')
  const found = name === undefined ? units[0] : units.find(unit => unit.id === name || unit.alias === name)
  if (found) return found.id
  const known = units.map(unit => unit.alias).join(', ')
  throw new BulkheadError('NOT_FOUND', `There is no unit ${name}.`, { remedy: `Write one of: ${known}.` })
}

/** By their signed statements: standing orders reach groups, so the console must not choose which one a device joins. */
async function groupsOf(args: Args, trusted: Trusted): Promise<string[]> {
  const console = consoleClient(args.home)
  const verified = async (name: string) => verifiedGroup(await findGroup(console, name), name, trusted).id
  return [...new Set(await Promise.all(list(args, 'group').map(verified)))]
}
