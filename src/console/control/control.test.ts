import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, test } from 'node:test'
import { type TestConsole, testConsole } from '../../../test/support/console.ts'
import type { TestMember } from '../../../test/support/roster.ts'
import { createLog } from '../../base/log.ts'
import { canonical } from '../../trust/canonical.ts'
import { type ControlKind, controlDigest } from '../../trust/control.ts'
import { createFollower } from '../../trust/follow.ts'
import { orderDigest } from '../../trust/order.ts'
import { openDesk } from '../desk.ts'
import { createConsole } from '../server.ts'
import { sessionDigest } from '../sessions/challenge.ts'

let desk: TestConsole
let phone: { alias: string }
before(async () => {
  desk = await testConsole()
  phone = await desk.enrol()
  const { body } = await desk.post('/api/session/challenge')
  const approval = desk.roster.operator.approve(sessionDigest(body.challenge, desk.roster.trusted.genesisDigest))
  desk.bearer.token = (await desk.post('/api/session', { challenge: body.challenge, approval })).body.token
})
after(() => desk.close())

const now = () => ({ at: Math.floor(Date.now() / 1000), nonce: randomBytes(16).toString('hex') })
const signed = (kind: ControlKind, fields: object, by: TestMember) => {
  const statement = canonical({ type: `bulkhead-${kind}/v1`, ...fields, ...now() })
  return { statement, approval: by.approve(controlDigest(kind, statement, desk.roster.trusted)) }
}
const freeze = (by: TestMember) => desk.post('/api/freeze', signed('freeze', {}, by))
const frozen = async () => (await desk.get('/api/roster/standing')).body.frozen.length
async function thaw() {
  const { size } = (await desk.get('/api/roster/standing')).body
  return desk.post('/api/proposals', { kind: 'thaw', ...signed('thaw', { upTo: size }, desk.roster.owner) })
}
async function approval() {
  const drafted = (await desk.post('/api/orders', { action: 'ProfileList', devices: [phone.alias], reason: 'x' })).body
  const one = desk.roster.operator.approve(orderDigest(drafted.statement, desk.roster.trusted))
  return { order: drafted.order as string, approval: one }
}
const approve = ({ order, approval: one }: Awaited<ReturnType<typeof approval>>) =>
  desk.post(`/api/orders/${order}/approvals`, { approval: one })

test('a member who is no responder freezes nothing, an owner does, and then nothing is approved until the thaw', async () => {
  const made = await approval()
  assert.match((await freeze(desk.roster.operator)).body.message, /is not a responder/)
  assert.equal(await frozen(), 0)
  assert.equal((await freeze(desk.roster.owner)).body.frozen[0].by, 'owner-one')
  const refused = (await approve(made)).body
  assert.equal(refused.code, 'UNAVAILABLE')
  assert.match(refused.message, /frozen since .* by owner-one/)
  assert.deepEqual((await desk.owner.query('select from console.approval where order_id = $1', [made.order])).rows, [])
  const { body } = await thaw()
  assert.deepEqual([body.state, body.approvals, body.needed], ['done', ['owner-one'], 1]) // the only owner there is
  assert.equal((await approve(made)).body.state, 'approved')
})

test('a freeze that was ended cannot be brought back by whoever has seen it', async () => {
  const once = signed('freeze', {}, desk.roster.owner)
  await desk.post('/api/freeze', once)
  await thaw()
  await desk.post('/api/freeze', once)
  assert.equal(await frozen(), 0)
  const entry = { type: 'freeze', unique: 'freeze:another', at: now().at, statement: once.statement }
  const [outcome] = await desk.desk.ledger.append({
    log: 'control',
    entries: [{ entry: canonical({ ...entry, approvals: [once.approval] }) }],
  })
  assert.equal('code' in outcome! && outcome.code, 'BAD_REQUEST')
  assert.equal(await frozen(), 0)
})

test('a thaw of nothing, and of what comes later, is refused', async () => {
  assert.equal((await thaw()).body.code, 'REFUSED')
  const early = signed('thaw', { upTo: (await desk.get('/api/roster/standing')).body.size }, desk.roster.owner)
  await freeze(desk.roster.owner)
  assert.equal((await desk.post('/api/proposals', { kind: 'thaw', ...early })).body.code, 'REFUSED')
  assert.equal(await frozen(), 1)
  await thaw()
})

test('a proposal whose row was changed is not listed and takes no approval', async () => {
  await freeze(desk.roster.owner)
  const { size } = (await desk.get('/api/roster/standing')).body
  const { statement, approval: one } = signed('thaw', { upTo: size }, desk.roster.owner)
  const { proposal } = (await desk.post('/api/proposals', { kind: 'thaw', statement })).body
  const other = canonical({ type: 'bulkhead-thaw/v1', upTo: 1e9, ...now() })
  await desk.owner.query('update console.proposal set statement = $2 where proposal_id = $1', [proposal, other])
  assert.equal((await desk.post(`/api/proposals/${proposal}/approvals`, { approval: one })).body.code, 'UNPROVEN')
  const { proposals } = (await desk.get('/api/proposals')).body
  assert.ok(!proposals.some((row: { proposal: string }) => row.proposal === proposal))
  await thaw()
})

test('a session cannot fill the disk with proposals', async () => {
  await freeze(desk.roster.owner)
  const codes = new Set<string>()
  for (let at = 0; at < 60; at++) {
    const { statement } = signed('thaw', { upTo: 1000 }, desk.roster.owner)
    codes.add((await desk.post('/api/proposals', { kind: 'thaw', statement })).body.code)
  }
  assert.ok(codes.has('LIMIT'))
  assert.equal((await thaw()).body.code, 'LIMIT')
  await desk.owner.query('delete from console.proposal')
  await thaw()
})

test('with a ledger that says nothing any more no approval is taken, and before its first word nobody is known', async () => {
  const made = await approval()
  await desk.ledger.stop()
  desk.time.shift = 60_000
  const { code, message } = (await approve(made)).body
  assert.deepEqual([code, /said nothing for more than 30 seconds/.test(message)], ['UNAVAILABLE', true])
  desk.time.shift = 0
  const unread = createFollower(desk.roster.genesis, desk.roster.trusted)
  const early = createConsole(openDesk({ ...desk.desk, control: unread, log: createLog('test', () => {}) }), 'local')
  for (const path of ['/api/roster', '/api/roster/standing']) {
    const answer = await early.request(path)
    assert.deepEqual([answer.status, ((await answer.json()) as { code: string }).code], [503, 'UNAVAILABLE'], path)
  }
  await desk.ledger.start()
})
