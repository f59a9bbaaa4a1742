import { randomBytes, randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { approve, createSoftwarePasskey, publicPasskey } from '../../src/cli/passkey.ts'
import { canonical } from '../../src/trust/canonical.ts'
import { controlDigest } from '../../src/trust/control.ts'
import { invitationDigest } from '../../src/trust/invitation.ts'
import { sha256 } from '../../src/trust/statement.ts'
import { controlOf } from '../members.ts'
import type { World } from '../world.ts'

// Whoever writes the database signs in as whom they like, and is told aliases (DESIGN section 2 says so). What must not follow: any right of
// a member. Each attempt that the console takes for one is something got.

export async function becomeMember(world: World): Promise<{ tried: string[]; got: string[] }> {
  const { installation, owner } = world
  const { database, urls, home } = installation
  const { roster } = owner.trusted
  const query = (text: string, values: unknown[]) => database.query(text, values)
  const token = randomBytes(32).toString('base64url')
  await query(`insert into console.session values ($1, $2, 'infinity')`, [sha256(token), roster.members[0]!.id])
  const ask = async (path: string, body: unknown) => {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
    return (await fetch(`${urls.console}${path}`, { method: 'POST', headers, body: JSON.stringify(body) })).ok
  }
  const forged = createSoftwarePasskey(join(home, `${randomUUID()}.passkey`), 'intruder')
  const signed = (digest: Buffer, credentialId = forged.credentialId) => ({
    ...approve({ ...forged, credentialId }, digest, roster),
  })
  const members = controlOf(world)
  const own = publicPasskey(forged, [roster.app.origin])
  const { rows } = await query('select approval from console.approval limit 1', [])
  const real = rows[0].approval as ReturnType<typeof approve>

  const attempts: Record<string, () => Promise<boolean>> = {
    'an order is approved with a passkey of the intruder’s': async () => {
      const { order, digest } = await owner.draft({ action: 'ProfileList', all: true })
      return ask(`/api/orders/${order}/approvals`, { approval: signed(Buffer.from(digest, 'hex')) })
    },
    'an order is approved in the name of a member’s passkey': async () => {
      const { order, digest } = await owner.draft({ action: 'ProfileList', all: true })
      return ask(`/api/orders/${order}/approvals`, { approval: signed(Buffer.from(digest, 'hex'), real.credentialId) })
    },
    'an order is approved with a real approval from the tables': async () => {
      const { order } = await owner.draft({ action: 'ProfileList', all: true })
      return ask(`/api/orders/${order}/approvals`, { approval: real })
    },
    'the intruder is proposed as an owner, with real approvals from the tables beside it': async () => {
      const intruder = { id: randomUUID(), alias: 'intruder', roles: roster.members[0]!.roles, passkeys: [own] }
      const { proposal, digest } = await members.change(next => void next.members.push(intruder), [])
      for (const { id } of roster.members)
        await query('insert into console.proposal_approval values ($1, $2, $3)', [proposal, id, JSON.stringify(real)])
      const taken = await ask(`/api/proposals/${proposal}/approvals`, { approval: signed(Buffer.from(digest, 'hex')) })
      return taken || (await members.roster()).roster.version > 0
    },
    'a member’s passkey is replaced in the statement of an open proposal': async () => {
      const { proposal } = await members.change(next => {
        next.policy.longestOrder -= 1
      }, [])
      await query(`update console.proposal set statement = replace(statement, $2, $3) where proposal_id = $1`, [
        proposal,
        roster.members[0]!.passkeys[0]!.publicKey,
        own.publicKey,
      ])
      return ask(`/api/proposals/${proposal}/approvals`, { approval: owner.sign(Buffer.alloc(32)) })
    },
    'an invitation is signed by the intruder': async () => {
      const statement = canonical({
        ...{
          type: 'bulkhead-invitation/v1',
          id: randomUUID(),
          platform: 'apple',
          tier: 'full',
          groups: [],
          uses: 9,
          signed: true,
        },
        ...{ unit: roster.units[0]!.id, identityDays: 397, notBefore: members.now(), expiresAt: members.now() + 3600 },
        nonce: randomBytes(16).toString('hex'),
      })
      return ask('/api/invitations', { statement, approval: signed(invitationDigest(statement, owner.trusted)) })
    },
    'everything is frozen in the intruder’s name': async () => {
      const statement = canonical({
        type: 'bulkhead-freeze/v1',
        at: members.now(),
        nonce: randomBytes(16).toString('hex'),
      })
      return ask('/api/freeze', { statement, approval: signed(controlDigest('freeze', statement, owner.trusted)) })
    },
  }
  const got: string[] = []
  for (const [name, attempt] of Object.entries(attempts)) if (await attempt().catch(() => false)) got.push(name)
  return { tried: ['a session is written for an owner', ...Object.keys(attempts)], got }
}
