import assert from 'node:assert/strict'
import { createHash, createPrivateKey, generateKeyPairSync, sign } from 'node:crypto'
import { test } from 'node:test'
import { testRoster } from '../../test/support/roster.ts'
import { type Approval, countApprovals, signCountOf, verifyApproval } from './approval.ts'
import { canonical } from './canonical.ts'
import { genesisDigestOf, openGenesis, type Roster, type Trusted } from './roster.ts'

// Whose assertion counts (Web Authentication Level 3, section 7.2), one check after the other: each refuses alone.

const base = testRoster()
const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const genesis = JSON.parse(base.genesis) as Roster
const ORIGIN = genesis.app.origin
const [first, ...others] = genesis.members
const passkey = {
  ...first!.passkeys[0]!,
  publicKey: publicKey.export({ format: 'der', type: 'spki' }).toString('base64'),
}
const DIGEST = Buffer.alloc(32, 7)

function trustedBy(change: (roster: Roster) => void = () => {}): Trusted {
  const roster = structuredClone({ ...genesis, members: [{ ...first!, passkeys: [passkey] }, ...others] })
  change(roster)
  const text = canonical(roster as never)
  return openGenesis(text, genesisDigestOf(text))
}

type Making = {
  client?: object
  rpId?: string
  flags?: number
  cut?: number
  key?: string
  id?: string
  count?: number
}

/** An assertion that counts, but for what is said of it. */
function assertion({
  client = {},
  rpId = genesis.app.rpId,
  flags = 5,
  cut,
  key,
  id = passkey.id,
  count = 0,
}: Making = {}): Approval {
  const said = {
    type: 'webauthn.get',
    challenge: DIGEST.toString('base64url'),
    origin: ORIGIN,
    crossOrigin: false,
    ...client,
  }
  const clientData = Buffer.from(JSON.stringify(said))
  const counter = Buffer.alloc(4)
  counter.writeUInt32BE(count)
  const data = Buffer.concat([createHash('sha256').update(rpId).digest(), Buffer.from([flags]), counter]).subarray(
    0,
    cut,
  )
  const signed = Buffer.concat([data, createHash('sha256').update(clientData).digest()])
  const by = key === undefined ? privateKey : createPrivateKey(key)
  return {
    credentialId: id,
    clientDataJSON: clientData.toString('base64url'),
    authenticatorData: data.toString('base64url'),
    signature: sign('sha256', signed, by).toString('base64url'),
  }
}
const verified = (approval: Approval, trusted = trustedBy()) => verifyApproval(approval, DIGEST, trusted)

test('a member’s assertion over the digest, at the app’s origin, verified by its user, counts', () => {
  assert.equal(verified(assertion()).id, first!.id)
})

const forged = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'pem', type: 'pkcs8' })
const refused: [name: string, making: Making, why: RegExp][] = [
  ['of a passkey that the roster does not hold', { id: 'c3RyYW5nZXI' }, /does not hold/],
  ['made when a passkey was registered', { client: { type: 'webauthn.create' } }, /not an assertion/],
  ['over another digest', { client: { challenge: Buffer.alloc(32, 8).toString('base64url') } }, /something else/],
  ['over no digest', { client: { challenge: '' } }, /something else/],
  ['at another origin', { client: { origin: 'http://localhost.evil.example' } }, /another origin/],
  ['at the same host over another port', { client: { origin: 'http://localhost:1' } }, /another origin/],
  ['at no origin', { client: { origin: undefined } }, /another origin/],
  ['inside another page', { client: { crossOrigin: true } }, /inside another page/],
  ['for another relying party', { rpId: 'evil.example' }, /another relying party/],
  ['without a person', { flags: 4 }, /nobody was present/],
  ['without the person being verified', { flags: 1 }, /not verified/],
  ['with data that is cut short', { cut: 36 }, /cut short/],
  ['signed by another key', { key: forged as string }, /signature does not hold/],
]
for (const [name, making, why] of refused)
  test(`an assertion ${name} counts for nothing`, () => {
    assert.throws(() => verified(assertion(making)), { code: 'UNPROVEN', message: why })
  })

test('client data that is no object counts for nothing', () => {
  for (const text of ['[', 'null', '"x"'])
    assert.throws(() => verified({ ...assertion(), clientDataJSON: Buffer.from(text).toString('base64url') }), {
      code: 'UNPROVEN',
    })
})

test('a passkey that cools off counts from its time on', () => {
  const trusted = trustedBy()
  const known = trusted.passkeys.get(passkey.id)!
  trusted.passkeys.set(passkey.id, { ...known, countsFrom: 1_000 })
  assert.throws(() => verified(assertion(), { ...trusted, time: 999 }), { message: /the passkey is new/ })
  assert.ok(verified(assertion(), { ...trusted, time: 1_000 }))
})

test('software passkeys, and authenticators that nobody vouches for, count only where the roster says so', () => {
  const hardware = trustedBy(roster => {
    roster.policy.softwarePasskeys = false
  })
  assert.throws(() => verified(assertion(), hardware), { message: /software passkeys are not allowed/ })
  const accepted = trustedBy(roster => {
    roster.policy.authenticators = [{ aaguid: '00000000-0000-4000-8000-000000000000', roots: [] }]
  })
  assert.throws(() => verified(assertion(), accepted), { message: /not one that the roster accepts/ })
})

test('members are counted once each, and only in a role that may', () => {
  const digest = DIGEST
  const trusted = base.trusted
  const count = (approvals: Approval[], roles: string[]) =>
    countApprovals(approvals, digest, trusted, roles).members.map(({ alias }) => alias)
  const [owner, approver] = [base.owner.approve(digest), base.approver.approve(digest)]
  assert.deepEqual(count([owner, owner, approver], ['approver']), ['owner-one', 'approver-two'])
  assert.deepEqual(count([owner, approver], ['owner']), ['owner-one'])
  const { members, refusals } = countApprovals([base.operator.approve(digest)], digest, trusted, ['approver'])
  assert.deepEqual([members, refusals.length], [[], 1])
})

test('the authenticator’s own count is read, and is none where there is no room for it', () => {
  assert.equal(signCountOf(assertion({ count: 77 })), 77)
  assert.equal(signCountOf(assertion({ cut: 36 })), 0)
})
