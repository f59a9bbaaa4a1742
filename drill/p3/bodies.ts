import { randomBytes, randomUUID } from 'node:crypto'
import type { Approval } from '../../src/trust/approval.ts'
import { canonical } from '../../src/trust/canonical.ts'
import { controlDigest, previousOf } from '../../src/trust/control.ts'
import { invitationDigest } from '../../src/trust/invitation.ts'
import { groupDigest } from '../../src/trust/order.ts'
import { pushDigest } from '../../src/trust/push.ts'
import type { World } from '../world.ts'

// What a thief sends: statements that say what the thief wants, in right form, each with an assertion that is not for it.

type Sign = (digest: Buffer) => Approval
export type Wanted = { path: RegExp; bodies: (sign: Sign) => object[] }

export function wantedBodies(
  { owner }: World,
  device: string,
  order: { order: string; digest: string },
  people: Wanted[],
): Wanted[] {
  const { trusted } = owner
  const { roster } = trusted
  const now = Math.floor(Date.now() / 1000)
  const nonce = () => randomBytes(16).toString('hex')
  const next = canonical({
    ...{ ...roster, version: 1, previous: previousOf(canonical(roster as never)), createdAt: now },
    policy: { ...roster.policy, quorum: { read: 1, change: 1, trust: 1, destroy: 1 } },
  } as never)
  const invitation = canonical({
    ...{
      type: 'bulkhead-invitation/v1',
      id: randomUUID(),
      platform: 'apple',
      tier: 'full',
      groups: [],
      uses: 99,
      signed: true,
    },
    ...{ unit: roster.units[0]!.id, identityDays: 397, notBefore: now, expiresAt: now + 86_400, nonce: nonce() },
  })
  const group = canonical({
    type: 'bulkhead-group/v1',
    id: randomUUID(),
    alias: 'taken',
    version: 0,
    previous: '',
    members: [device],
    at: now,
  })
  const push = canonical({
    ...{ type: 'bulkhead-push-certificate/v1', certificate: '0'.repeat(64), topic: 'com.apple.mgmt.External.taken' },
    ...{ account: '0'.repeat(64), at: now, nonce: nonce() },
  })
  const freeze = canonical({ type: 'bulkhead-freeze/v1', at: now, nonce: nonce() })
  const cancel = canonical({ type: 'bulkhead-cancel/v1', at: now, nonce: nonce(), order: order.order })
  const thaw = canonical({ type: 'bulkhead-thaw/v1', upTo: 1_000_000, at: now, nonce: nonce() })
  const proposal = (kind: 'roster' | 'cancel' | 'thaw', statement: string) => (sign: Sign) => ({
    ...{ kind, statement },
    approval: sign(controlDigest(kind, statement, trusted)),
  })
  const proposals = [proposal('roster', next), proposal('cancel', cancel), proposal('thaw', thaw)]
  return [
    ...people,
    {
      path: /^\/api\/orders\/[^/]+\/approvals$/,
      bodies: sign => [{ approval: sign(Buffer.from(order.digest, 'hex')) }],
    },
    {
      path: /^\/api\/invitations$/,
      bodies: sign => [{ statement: invitation, approval: sign(invitationDigest(invitation, trusted)) }],
    },
    { path: /^\/api\/groups$/, bodies: sign => [{ statement: group, approval: sign(groupDigest(group, trusted)) }] },
    {
      path: /^\/api\/freeze$/,
      bodies: sign => [
        { statement: freeze, approval: sign(controlDigest('freeze', freeze, trusted)) },
        { code: '0'.repeat(32) },
      ],
    },
    { path: /^\/api\/proposals$/, bodies: sign => proposals.map(one => one(sign)) },
    {
      path: /^\/api\/proposals\/[^/]+\/approvals$/,
      bodies: sign => [{ approval: sign(controlDigest('roster', next, trusted)) }],
    },
    {
      path: /^\/api\/push$/,
      bodies: sign => [
        {
          certificate: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n',
          account: 'x@example.test',
          statement: push,
          approval: sign(pushDigest(push, trusted)),
        },
      ],
    },
    { path: /^\/api\/push\/csr$/, bodies: () => [{ organisation: 'Taken' }] },
    {
      path: /^\/api\/orders$/,
      bodies: () => [
        { action: 'EraseDevice', devices: [device], reason: 'a test' },
        { action: 'ProfileList', all: true, reason: 'a test' },
      ],
    },
    { path: /^\/api\/standing$/, bodies: () => [{ action: 'ProfileList', trigger: 'daily', reason: 'a test' }] },
  ]
}
