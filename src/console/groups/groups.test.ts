import assert from 'node:assert/strict'
import { randomBytes, randomUUID } from 'node:crypto'
import { after, before, test } from 'node:test'
import { type TestConsole, testConsole } from '../../../test/support/console.ts'
import type { TestMember } from '../../../test/support/roster.ts'
import { canonical } from '../../trust/canonical.ts'
import { invitationDigest } from '../../trust/invitation.ts'
import { decodeOrder, groupDigest } from '../../trust/order.ts'
import { sessionDigest } from '../sessions/challenge.ts'

let desk: TestConsole
before(async () => {
  desk = await testConsole()
  const { body } = await desk.post('/api/session/challenge')
  const approval = desk.roster.operator.approve(sessionDigest(body.challenge, desk.roster.trusted.genesisDigest))
  desk.bearer.token = (await desk.post('/api/session', { challenge: body.challenge, approval })).body.token
})
after(() => desk.close())

const digestOf = (statement: string) => groupDigest(statement, desk.roster.trusted)
const version = (fields: Record<string, unknown>) =>
  canonical({ type: 'bulkhead-group/v1', version: 0, previous: '', members: [], at: 1_800_000_000, ...fields })
const sign = (statement: string, by: TestMember = desk.roster.operator) =>
  desk.post('/api/groups', { statement, approval: by.approve(digestOf(statement)) })

test('a group is a chain of versions that members approved', async () => {
  const { device } = await desk.enrol()
  const first = version({ id: randomUUID(), alias: 'kiosks' })
  const { id } = JSON.parse(first)
  assert.equal((await sign(first)).body.version, 0)
  assert.equal((await sign(first)).status, 200, 'the same again is no change')
  const previous = digestOf(first).toString('hex')
  const next = { id, alias: 'kiosks', version: 1, previous, members: [device] }
  assert.equal((await sign(version({ ...next, version: 2 }))).body.code, 'CONFLICT')
  assert.equal((await sign(version({ ...next, previous: 'a'.repeat(64) }))).body.code, 'CONFLICT')
  assert.equal((await sign(version({ ...next, alias: 'other' }))).body.code, 'BAD_REQUEST')
  assert.equal(
    (await sign(version({ ...next, members: ['b', 'a'].map(one => device.replace(/^./, one)) }))).body.code,
    'BAD_REQUEST',
  )
  const unapproved = { statement: version(next), approval: desk.roster.operator.approve(digestOf(first)) }
  assert.equal((await desk.post('/api/groups', unapproved)).body.code, 'UNPROVEN')
  assert.deepEqual((await sign(version(next))).body, { group: id, alias: 'kiosks', version: 1, devices: 1 })
  assert.equal((await sign(version({ id: randomUUID(), alias: 'kiosks' }))).body.code, 'CONFLICT')
  assert.deepEqual((await desk.get('/api/groups')).body.groups, [
    { group: id, alias: 'kiosks', version: 1, devices: 1 },
  ])
  assert.ok(await desk.ledger.find('main', `group:${id}:1`))
})

test('an order to a group is for its members and for those that were invited into it', async () => {
  const group = randomUUID()
  const [named, invited, other] = [await desk.enrol(), await desk.enrol({ groups: [group] }), await desk.enrol()]
  await sign(version({ id: group, alias: 'office', members: [named.device] }))
  const drafted = await desk.post('/api/orders', { action: 'ProfileList', group: 'office', reason: 'x' })
  assert.deepEqual(decodeOrder(drafted.body.statement).targets.group, { id: group, version: 0 })
  const { devices } = (await desk.get(`/api/orders/${drafted.body.order}`)).body
  assert.deepEqual(devices.map((row: { device: string }) => row.device).sort(), [named.device, invited.device].sort())
  const page = (await desk.get(`/api/devices/${invited.alias}`)).body
  assert.deepEqual(page.groups, [{ group, alias: 'office' }])
  assert.deepEqual((await desk.get(`/api/devices/${other.alias}`)).body.groups, [])
})

test('a group whose rows were edited, swapped or given another’s name has no members at all', async () => {
  const [a, b] = [randomUUID(), randomUUID()]
  const phone = await desk.enrol()
  await sign(version({ id: a, alias: 'safe', members: [] }))
  await sign(version({ id: b, alias: 'risky', members: [phone.device] }))
  const draft = async () =>
    (await desk.post('/api/orders', { action: 'ProfileList', group: 'safe', reason: 'x' })).body.code
  assert.equal(await draft(), 'NOT_FOUND') // nobody is in it
  const swap = `update console.group_version t set statement = s.statement, approval = s.approval from console.group_version s
    where t.group_id = $1 and s.group_id = $2`
  const kept = await desk.owner.query('select statement, approval from console.group_version where group_id = $1', [a])
  await desk.owner.query(swap, [a, b])
  assert.equal(await draft(), 'UNPROVEN')
  const edited = kept.rows[0].statement.replace('"members":[]', `"members":["${phone.device}"]`)
  await desk.owner.query('update console.group_version set statement = $2, approval = $3 where group_id = $1', [
    a,
    edited,
    kept.rows[0].approval,
  ])
  assert.equal(await draft(), 'UNPROVEN')
})

test('a group whose newest version was deleted is not forked: the new version is refused and leaves no row', async () => {
  const id = randomUUID()
  const first = version({ id, alias: 'forked' })
  await sign(first)
  const next = { id, alias: 'forked', version: 1, previous: digestOf(first).toString('hex') }
  await sign(version(next))
  await desk.owner.query('delete from console.group_version where group_id = $1 and version = 1', [id])
  const shown = async () => (await desk.get('/api/groups/forked')).body
  assert.equal((await shown()).code, 'UNPROVEN')
  assert.match((await shown()).message, /Version 1 .*entry \d+, digest [0-9a-f]{64}/)
  const other = version({ ...next, at: 1_800_000_001 })
  assert.equal((await sign(other)).body.code, 'CONFLICT')
  const rows = await desk.owner.query('select version from console.group_version where group_id = $1', [id])
  assert.deepEqual(rows.rows, [{ version: 0 }])
  // Whoever owns the database writes the fork's row all the same: its digest is not the ledger's.
  await desk.owner.query(
    `insert into console.group_version (group_id, version, alias, statement, approval) values ($1, 1, 'forked', $2, $3)`,
    [id, other, desk.roster.operator.approve(digestOf(other))],
  )
  assert.equal((await shown()).code, 'UNPROVEN')
  await desk.owner.query('delete from console.group_version where group_id = $1 and version = 1', [id])
  assert.equal((await sign(version(next))).status, 200, 'the statement that was deleted, sent again')
  assert.equal((await shown()).version, 1)
})

test('a version that the ledger does not have is stored nowhere, and one that it never had is not believed', async () => {
  const statement = version({ id: randomUUID(), alias: 'unlogged' })
  await desk.ledger.stop()
  assert.equal((await sign(statement)).body.code, 'UNAVAILABLE')
  await desk.ledger.start()
  assert.equal((await desk.get('/api/groups/unlogged')).body.code, 'NOT_FOUND')
  const { id } = JSON.parse(statement)
  await desk.owner.query(
    `insert into console.group_version (group_id, version, alias, statement, approval) values ($1, 0, 'unlogged', $2, $3)`,
    [id, statement, desk.roster.operator.approve(digestOf(statement))],
  )
  assert.equal((await desk.get('/api/groups/unlogged')).body.code, 'UNPROVEN')
  assert.equal((await sign(statement)).status, 200)
  assert.equal((await desk.get('/api/groups/unlogged')).body.version, 0)
})

test('a leaf that code in the console forged stops its group with an error that names it', async () => {
  const id = randomUUID()
  await sign(version({ id, alias: 'poisoned' }))
  const entry = canonical({ type: 'group', unique: `group:${id}:1`, group: id, version: 1, digest: 'f'.repeat(64) })
  await desk.desk.ledger.append({ log: 'main', entries: [{ entry }] })
  const { code, message, remedy } = (await desk.get('/api/groups/poisoned')).body
  assert.equal(code, 'UNPROVEN')
  assert.match(message, /entry \d+, digest f{64}/)
  assert.match(remedy, /make a new group/)
})

const invitation = (fields: Record<string, unknown> = {}) => {
  const now = Math.floor(Date.now() / 1000)
  return canonical({
    type: 'bulkhead-invitation/v1',
    id: randomUUID(),
    platform: 'apple',
    tier: 'private',
    unit: desk.roster.unit,
    groups: [],
    uses: 3,
    signed: true,
    identityDays: 397,
    notBefore: now,
    expiresAt: now + 3600,
    nonce: randomBytes(16).toString('hex'),
    ...fields,
  })
}
const invite = (statement: string, signed = statement) =>
  desk.post('/api/invitations', {
    statement,
    approval: desk.roster.operator.approve(invitationDigest(signed, desk.roster.trusted)),
  })

test('an invitation that a member approved becomes a link, the same one when asked again', async () => {
  const statement = invitation()
  const created = await invite(statement)
  assert.equal(created.status, 200, JSON.stringify(created.body))
  const { id } = JSON.parse(statement)
  assert.equal(created.body.invitation, id)
  assert.match(created.body.url, /^https:\/\/mdm\.example\.test\/i\/[A-Za-z0-9_-]{43}$/)
  assert.equal(created.body.profileUrl, `${created.body.url}/profile`)
  assert.equal((await invite(statement)).body.url, created.body.url)
  assert.ok(await desk.ledger.find('main', `invitation:${id}`))
  const page = await desk.vault.edge.invitationPage(id)
  assert.deepEqual([page.state, page.usesLeft], ['open', 3])
  const { invitations } = (await desk.get('/api/invitations')).body
  assert.deepEqual(
    invitations.map((row: { invitation: string; uses: number; used: number }) => [row.invitation, row.uses, row.used]),
    [[id, 3, 0]],
  )
  assert.ok(Date.parse(invitations[0].createdAt) <= Date.now())
})

test('an invitation that nobody approved, that has ended, or that takes another’s id is refused and not stored', async () => {
  const count = async () => (await desk.owner.query('select count(*)::int as n from console.invitation')).rows[0].n
  const before = await count()
  assert.equal((await invite(invitation(), invitation())).body.code, 'UNPROVEN')
  assert.equal((await invite(invitation({ expiresAt: 1_700_000_001 }))).body.code, 'EXPIRED')
  assert.equal((await invite(invitation({ unit: randomUUID() }))).body.code, 'UNPROVEN')
  const first = invitation()
  await invite(first)
  assert.equal((await invite(invitation({ id: JSON.parse(first).id, tier: 'full' }))).body.code, 'CONFLICT')
  assert.equal(await count(), before + 1)
})

test('the push certificate is the vault’s: it is shown, and its request is made there', async () => {
  const shown = await desk.get('/api/push')
  assert.deepEqual([shown.status, shown.body.placeholder, shown.body.account], [200, true, null])
  assert.match(
    (await desk.post('/api/push/csr', { organisation: 'Example' })).body.csr,
    /^-----BEGIN CERTIFICATE REQUEST-----/,
  )
  // A session alone imports nothing.
  const unapproved = { certificate: 'x', account: 'mdm@example.test' }
  assert.equal((await desk.post('/api/push', unapproved)).body.code, 'BAD_REQUEST')
  const statement = canonical({ type: 'bulkhead-push-certificate/v1' })
  const approval = desk.roster.operator.approve(randomBytes(32))
  assert.equal((await desk.post('/api/push', { ...unapproved, statement, approval })).body.code, 'MALFORMED')
})
