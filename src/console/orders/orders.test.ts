import assert from 'node:assert/strict'
import { createPrivateKey, randomBytes, randomUUID } from 'node:crypto'
import { after, before, test } from 'node:test'
import { type TestConsole, testConsole } from '../../../test/support/console.ts'
import type { TestMember } from '../../../test/support/roster.ts'
import { canonical } from '../../trust/canonical.ts'
import { controlDigest } from '../../trust/control.ts'
import { approvalLeaf } from '../../trust/leaves.ts'
import { decodeOrder, orderDigest, standingDigest, targetsDigest } from '../../trust/order.ts'
import { sha256Hex } from '../../trust/statement.ts'
import { decodeTemplate } from '../../trust/template.ts'
import { commandUuid } from '../../trust/token.ts'
import { hpkeOpen } from '../../wire/hpke.ts'
import { encodeXmlPlist } from '../../wire/plist/plist.ts'
import { sessionDigest } from '../sessions/challenge.ts'
import { draftOrder } from './draft.ts'
import { sweep } from './sweep.ts'

let desk: TestConsole
let phone: { device: string; alias: string }
let open: { device: string; alias: string }

before(async () => {
  desk = await testConsole()
  phone = await desk.enrol({ tier: 'private' })
  open = await desk.enrol({ tier: 'full' })
  const { body } = await desk.post('/api/session/challenge')
  const approval = desk.roster.operator.approve(sessionDigest(body.challenge, desk.roster.trusted.genesisDigest))
  desk.bearer.token = (await desk.post('/api/session', { challenge: body.challenge, approval })).body.token
})
after(() => desk.close())

const now = () => ({ at: Math.floor(Date.now() / 1000), nonce: randomBytes(16).toString('hex') })
const draft = async (fields: Record<string, unknown>) => {
  const answer = await desk.post('/api/orders', { reason: 'a test', ...fields })
  assert.equal(answer.status, 200, JSON.stringify(answer.body))
  return answer.body
}
const approve = (drafted: { order: string; statement: string }, by: TestMember) => {
  const approval = by.approve(orderDigest(drafted.statement, desk.roster.trusted))
  return desk.post(`/api/orders/${drafted.order}/approvals`, { approval })
}
const approvalsOf = async (order: string) =>
  (await desk.owner.query('select approval from console.approval where order_id = $1', [order])).rows
const pendingOf = async (order: string) =>
  (await desk.owner.query('select * from edge.pending where order_id = $1 order by device_id', [order])).rows

test('a drafted order does nothing until it is approved, and is then queued for its targets', async () => {
  const drafted = await draft({ action: 'DeviceInformation', devices: [phone.alias, open.device] })
  assert.deepEqual([drafted.class, drafted.quorum, drafted.devices], ['read', 1, 2])
  assert.equal((await pendingOf(drafted.order)).length, 0)
  const statement = decodeOrder(drafted.statement)
  assert.equal(statement.targets.digest, targetsDigest([phone.device, open.device]))
  assert.deepEqual(statement.holes, ['command-uuid', 'allowed-queries'])

  const approved = await approve(drafted, desk.roster.operator)
  assert.deepEqual(approved.body, { order: drafted.order, state: 'approved', approvals: ['operator-three'], quorum: 1 })
  const pending = await pendingOf(drafted.order)
  assert.deepEqual(
    pending.map(row => row.device_id),
    [phone.device, open.device].sort(),
  )
  for (const row of pending) assert.equal(row.command_uuid, commandUuid(drafted.order, row.device_id))
  const leaf = await desk.ledger.find('main', `order:${drafted.order}`)
  assert.equal(leaf?.digest, drafted.digest)
  const [{ approval }] = await approvalsOf(drafted.order)
  const logged = approvalLeaf(drafted.digest, desk.roster.operator.id, approval)
  assert.deepEqual(await desk.ledger.find('main', logged.unique), logged)
})

test('a passkey that counts backwards is refused by the ledger, and its approval is stored nowhere', async () => {
  const drafted = await draft({ action: 'EraseDevice', devices: [open.alias] })
  const approval = (count: number) =>
    desk.roster.counting.approve(orderDigest(drafted.statement, desk.roster.trusted), count)
  const send = async (one: unknown) =>
    (await desk.post(`/api/orders/${drafted.order}/approvals`, { approval: one })).body
  const first = approval(7)
  assert.equal((await send(first)).state, 'draft')
  assert.equal((await send(first)).state, 'draft', 'the same again is the same entry')
  for (const count of [6, 7, 0]) {
    const { code, message, remedy } = await send(approval(count))
    assert.equal(code, 'FORBIDDEN')
    assert.match(message, /counted to 7 before/)
    assert.match(remedy, /remove it from the roster/)
  }
  assert.deepEqual(
    (await approvalsOf(drafted.order)).map(row => row.approval),
    [first],
  )
})

test('a destructive order waits for two people, one of whom twice is one', async () => {
  const drafted = await draft({ action: 'EraseDevice', devices: [open.alias] })
  assert.deepEqual([drafted.class, drafted.quorum], ['destroy', 2])
  assert.equal((await approve(drafted, desk.roster.operator)).body.code, 'FORBIDDEN')
  assert.equal((await approve(drafted, desk.roster.owner)).body.state, 'draft')
  assert.equal((await approve(drafted, desk.roster.owner)).body.state, 'draft')
  assert.equal((await pendingOf(drafted.order)).length, 0)
  assert.equal((await approve(drafted, desk.roster.approver)).body.state, 'approved')
  assert.equal((await pendingOf(drafted.order)).length, 1)
  assert.equal((await approve(drafted, desk.roster.approver)).body.code, 'CONFLICT')
})

test('a command that an enrolment does not allow is refused when it is drafted, by the voucher and not by the table', async () => {
  const before = await desk.get('/api/orders')
  const refused = await desk.post('/api/orders', {
    action: 'EraseDevice',
    devices: [phone.alias, open.alias],
    reason: 'x',
  })
  assert.deepEqual([refused.status, refused.body.code], [422, 'RIGHT_MISSING'])
  assert.match(refused.body.message, new RegExp(`1 of 2 .*${phone.alias}`))
  await desk.owner.query(`update edge.device set tier = 'full' where device_id = $1`, [phone.device])
  assert.equal(
    (await desk.post('/api/orders', { action: 'EraseDevice', devices: [phone.alias], reason: 'x' })).body.code,
    'RIGHT_MISSING',
  )
  await desk.owner.query(`update edge.device set tier = 'private' where device_id = $1`, [phone.device])
  const asked = { action: 'DeviceInformation', set: ['Queries=PhoneNumber'], devices: [phone.alias], reason: 'x' }
  assert.equal((await desk.post('/api/orders', asked)).body.code, 'RIGHT_MISSING')
  assert.equal((await desk.get('/api/orders')).body.orders.length, before.body.orders.length)
})

test('a body with a PIN is sealed to the edge and shown to nobody', async () => {
  const { device } = await desk.enrol({ tier: 'full' })
  const drafted = await draft({ action: 'DeviceLock', set: ['PIN=246813'], devices: [device] })
  const shown = (await desk.get(`/api/orders/${drafted.order}`)).body
  assert.deepEqual([shown.secret, shown.body], [true, null])
  const { rows } = await desk.owner.query(
    'select body, reason, targets::text as targets from console.orders where order_id = $1',
    [drafted.order],
  )
  assert.ok(!rows[0].body.includes('246813'))
  const seal = createPrivateKey(desk.vault.keys.seal.export({ format: 'pem', type: 'pkcs8' }))
  const body = hpkeOpen(seal, rows[0].body, Buffer.from(`bulkhead-body/v1\n${drafted.order}`))
  assert.equal(decodeTemplate(body).PIN, '246813')
  assert.equal(sha256Hex(body), decodeOrder(drafted.statement).body)
  assert.equal(hpkeOpen(seal, rows[0].reason, Buffer.from(`bulkhead-reason/v1\n${drafted.order}`)).toString(), 'a test')
})

test('an action that nobody knows is drafted only where that is said, or where its body is spelt out', async () => {
  const asked = { action: 'DeviceInfo', devices: [phone.alias], reason: 'x' }
  const { body, status } = await desk.post('/api/orders', asked)
  assert.deepEqual([status, body.code], [400, 'BAD_REQUEST'])
  assert.match(body.remedy, /^Did you mean DeviceInformation\?/)
  assert.equal((await draft({ ...asked, unknownAction: true })).class, 'destroy')
  const spelt = encodeXmlPlist({ RequestType: 'DeviceInfo', New: true })
  assert.equal((await draft({ ...asked, body: Buffer.from(spelt).toString('base64') })).class, 'destroy')
  assert.equal((await desk.post('/api/standing', { action: 'DeviceInfo', trigger: 'daily', reason: 'x' })).status, 400)
})

test('clearing a passcode leaves a hole for the unlock token', async () => {
  const drafted = await draft({ action: 'ClearPasscode', devices: [open.alias] })
  const { body } = (await desk.get(`/api/orders/${drafted.order}`)).body
  assert.match(Buffer.from(body, 'base64').toString(), /<key>UnlockToken<\/key>\s*<data>\{\{unlock-token\}\}<\/data>/)
  assert.deepEqual(decodeOrder(drafted.statement).holes, ['command-uuid', 'unlock-token'])
})

test('the digest of a statement changes with every field of it', async () => {
  const { statement } = await draft({ action: 'ProfileList', devices: [phone.alias] })
  const digest = orderDigest(statement, desk.roster.trusted).toString('hex')
  const order = decodeOrder(statement)
  const others: Record<string, unknown> = {
    id: randomUUID(),
    action: 'CertificateList',
    channel: 'user',
    body: 'a'.repeat(64),
    holes: [],
    targets: { ...order.targets, count: 2 },
    notBefore: order.notBefore + 1,
    expiresAt: order.expiresAt + 1,
    nonce: 'a'.repeat(32),
    reason: 'a'.repeat(64),
  }
  for (const [field, value] of Object.entries(others)) {
    const changed = orderDigest(canonical({ ...order, [field]: value }), desk.roster.trusted).toString('hex')
    assert.notEqual(changed, digest, field)
  }
  assert.deepEqual(Object.keys({ ...others, type: 0, platform: 0 }).sort(), Object.keys(order).sort())
})

test('an approval of another order, by a stranger, or of changed rows does not count', async () => {
  const drafted = await draft({ action: 'SecurityInfo', devices: [phone.alias] })
  const other = await draft({ action: 'SecurityInfo', devices: [phone.alias] })
  const wrong = desk.roster.operator.approve(orderDigest(other.statement, desk.roster.trusted))
  assert.equal((await desk.post(`/api/orders/${drafted.order}/approvals`, { approval: wrong })).body.code, 'UNPROVEN')
  const right = desk.roster.operator.approve(orderDigest(drafted.statement, desk.roster.trusted))
  const stranger = { ...right, credentialId: 'c3RyYW5nZXI' }
  assert.equal(
    (await desk.post(`/api/orders/${drafted.order}/approvals`, { approval: stranger })).body.code,
    'UNPROVEN',
  )
  await desk.owner.query('update console.orders set targets = $2 where order_id = $1', [drafted.order, [open.device]])
  assert.equal((await approve(drafted, desk.roster.operator)).body.code, 'UNPROVEN')
  await desk.owner.query('update console.orders set targets = $2, body = $3 where order_id = $1', [
    drafted.order,
    [phone.device],
    'x',
  ])
  assert.equal((await approve(drafted, desk.roster.operator)).body.code, 'UNPROVEN')
  assert.equal((await pendingOf(drafted.order)).length, 0)
})

test('a device whose voucher was edited is no target', async () => {
  const victim = await desk.enrol({ tier: 'private' })
  await desk.owner.query(
    `update vault.certificate set voucher = replace(voucher, '"private"', '"full"') where device_id = $1`,
    [victim.device],
  )
  const refused = await desk.post('/api/orders', { action: 'ProfileList', devices: [victim.alias], reason: 'x' })
  assert.equal(refused.body.code, 'REFUSED')
  const all = await draft({ action: 'ProfileList', all: true })
  const { devices } = (await desk.get(`/api/orders/${all.order}`)).body
  assert.ok(!devices.some((row: { device: string }) => row.device === victim.device))
  assert.ok(devices.some((row: { device: string }) => row.device === phone.device))
})

test('an order says for each device what became of it, and NotNow with its reason', async () => {
  const drafted = await draft({ action: 'RestartDevice', devices: [phone.alias, open.alias] })
  const first = (await desk.get(`/api/orders/${drafted.order}`)).body
  assert.deepEqual(
    first.devices.map((row: { state: string }) => row.state),
    ['pending', 'pending'],
  )
  await approve(drafted, desk.roster.operator)
  await desk.owner.query(
    `update edge.pending set state = 'not-now', attempts = 3 where order_id = $1 and device_id = $2`,
    [drafted.order, phone.device],
  )
  await desk.owner.query(`delete from edge.pending where order_id = $1 and device_id = $2`, [
    drafted.order,
    open.device,
  ])
  await desk.owner.query(
    `insert into edge.result (order_id, device_id, state, code, domain) values ($1, $2, 'error', 12021, 'MCMDMErrorDomain')`,
    [drafted.order, open.device],
  )
  const shown = (await desk.get(`/api/orders/${drafted.order}`)).body
  const of = (device: string) => shown.devices.find((row: { device: string }) => row.device === device)
  assert.equal(of(phone.device).state, 'not-now')
  assert.equal(of(phone.device).result.reason, 'The device said NotNow 3 times; it is asked again when it comes.')
  assert.deepEqual(
    [of(open.device).state, of(open.device).result.code, of(open.device).result.domain],
    ['error', 12021, 'MCMDMErrorDomain'],
  )
  const page = (await desk.get(`/api/devices/${phone.alias}`)).body
  assert.equal(page.orders.find((row: { order: string }) => row.order === drafted.order).action, 'RestartDevice')
})

test('an order that was approved is cancelled by a passkey, leaves every queue and cannot be approved again', async () => {
  const drafted = await draft({ action: 'ProfileList', devices: [phone.alias] })
  await approve(drafted, desk.roster.operator)
  const discard = () => desk.post(`/api/orders/${drafted.order}/discard`)
  assert.equal((await discard()).body.code, 'REFUSED', 'a session alone ends nothing that members approved')
  const statement = canonical({ type: 'bulkhead-cancel/v1', order: drafted.order, ...now() })
  const approval = desk.roster.operator.approve(controlDigest('cancel', statement, desk.roster.trusted))
  const cancelled = await desk.post('/api/proposals', { kind: 'cancel', statement, approval })
  assert.equal(cancelled.body.state, 'done', JSON.stringify(cancelled.body))
  assert.equal((await pendingOf(drafted.order)).length, 0)
  const shown = (await desk.get(`/api/orders/${drafted.order}`)).body
  assert.equal(shown.devices[0].state, 'cancelled')
  assert.equal((await desk.ledger.find('control', `cancel:${cancelled.body.proposal}`))?.statement, statement)
  assert.equal((await approve(drafted, desk.roster.operator)).body.code, 'CONFLICT')
})

test('a draft that nobody approved is thrown away without a passkey', async () => {
  const drafted = await draft({ action: 'ProfileList', devices: [phone.alias] })
  assert.equal((await desk.post(`/api/orders/${drafted.order}/discard`)).body.state, 'cancelled')
  assert.equal((await approve(drafted, desk.roster.operator)).body.code, 'CONFLICT')
})

test('what was not fetched in time expires', async () => {
  const drafted = await draft({ action: 'ProfileList', devices: [phone.alias], expiresInSeconds: 60 })
  await approve(drafted, desk.roster.operator)
  await desk.owner.query(`update edge.pending set expires_at = now() - interval '1 second' where order_id = $1`, [
    drafted.order,
  ])
  await sweep(desk.desk, new Map())
  const shown = (await desk.get(`/api/orders/${drafted.order}`)).body
  assert.deepEqual([shown.state, shown.devices[0].state], ['done', 'expired'])
  const late = await draft({ action: 'ProfileList', devices: [phone.alias], expiresInSeconds: 60 })
  desk.time.shift = 61_000
  assert.equal((await approve(late, desk.roster.operator)).body.code, 'EXPIRED')
  desk.time.shift = 0
})

test('an order of an installation lasts no longer than its roster allows', async () => {
  const refused = await desk.post('/api/orders', {
    action: 'ProfileList',
    all: true,
    reason: 'x',
    expiresInSeconds: 91 * 86_400,
  })
  assert.equal(refused.body.code, 'BAD_REQUEST')
})

test('with the ledger away nothing is queued, and approving again goes on from there', async () => {
  const drafted = await draft({ action: 'ProfileList', devices: [phone.alias] })
  await desk.ledger.stop()
  assert.equal((await desk.get('/api/devices')).status, 200)
  const away = await approve(drafted, desk.roster.operator)
  assert.deepEqual([away.status, away.body.code], [503, 'UNAVAILABLE'])
  assert.ok(away.body.remedy)
  assert.equal((await pendingOf(drafted.order)).length, 0)
  await desk.ledger.start()
  assert.equal((await approve(drafted, desk.roster.operator)).body.state, 'approved')
  assert.equal((await pendingOf(drafted.order)).length, 1)
})

test('a device is meant by its id or alias, and by nothing else', async () => {
  const unknown = await desk.post('/api/orders', { action: 'ProfileList', devices: ['bobo-bobo-bobo'], reason: 'x' })
  assert.deepEqual([unknown.status, unknown.body.code], [404, 'NOT_FOUND'])
  const gone = await desk.enrol({ state: 'left' })
  assert.equal(
    (await desk.post('/api/orders', { action: 'ProfileList', devices: [gone.alias], reason: 'x' })).body.code,
    'REFUSED',
  )
  assert.equal((await desk.post('/api/orders', { action: 'ProfileList', reason: 'x' })).body.code, 'BAD_REQUEST')
  assert.equal(
    (await desk.post('/api/orders', { action: 'ProfileList', all: true, devices: [phone.alias], reason: 'x' })).body
      .code,
    'BAD_REQUEST',
  )
})

test('a standing order is harmless, is approved once, and reaches devices that are there already', async () => {
  const refused = await desk.post('/api/standing', { action: 'EraseDevice', trigger: 'enrolment', reason: 'x' })
  assert.equal(refused.body.code, 'REFUSED')
  const { body: drafted } = await desk.post('/api/standing', {
    action: 'DeviceInformation',
    trigger: 'enrolment',
    reason: 'x',
  })
  const approval = desk.roster.operator.approve(standingDigest(drafted.statement, desk.roster.trusted))
  assert.equal((await desk.post(`/api/orders/${drafted.order}/approvals`, { approval })).body.state, 'approved')
  const enrolled = await desk.owner.query(`select count(*)::int as n from edge.device where state = 'enrolled'`)
  assert.equal((await pendingOf(drafted.order)).length, enrolled.rows[0].n)
  const { orders } = (await desk.get('/api/orders?kind=standing')).body
  assert.deepEqual(
    orders.map((row: { order: string }) => row.order),
    [drafted.order],
  )
})

test('a row that cannot be read stops no enrolment, no list, no page and no daily order', async () => {
  const { body: daily } = await desk.post('/api/standing', { action: 'ProfileList', trigger: 'daily', reason: 'x' })
  const { body: first } = await desk.post('/api/standing', {
    action: 'SecurityInfo',
    trigger: 'enrolment',
    reason: 'x',
  })
  for (const drafted of [daily, first]) {
    const approval = desk.roster.operator.approve(standingDigest(drafted.statement, desk.roster.trusted))
    await desk.post(`/api/orders/${drafted.order}/approvals`, { approval })
  }
  const asConsole = desk.vault.database.connect('console')
  const bad = [randomUUID(), randomUUID()]
  for (const [at, trigger] of ['enrolment', 'daily'].entries())
    await asConsole.query(
      `insert into console.orders (order_id, kind, statement, body, class, trigger, expires_at, state, reason_salt, reason, created_by)
       values ($1, 'standing', 'not a statement', '', 'read', $2, 'infinity', 'approved', '', '', 'x')`,
      [bad[at], trigger],
    )
  const fresh = await desk.enrol({ state: 'authenticating' })
  const asEdge = desk.vault.database.connect('edge')
  await asEdge.query(
    `select edge.token_update($1::uuid[], '{""}', array[now() + interval '1 year'], array['\\x00'::bytea], '{true}', array[null::bytea], array[null::bytea])`,
    [[fresh.device]],
  )
  const page = (await desk.get(`/api/devices/${fresh.alias}`)).body
  assert.equal(page.state, 'enrolled')
  assert.ok(page.orders.some(({ order }: { order: string }) => order === first.order))
  const listed = (await desk.get('/api/orders?kind=standing')).body.orders.map((row: { order: string }) => row.order)
  assert.ok(listed.includes(daily.order) && !listed.includes(bad[0]))
  await sweep(desk.desk, new Map())
  assert.ok((await pendingOf(daily.order)).some(({ device_id }) => device_id === fresh.device))
  await desk.owner.query('delete from console.orders where order_id = any ($1)', [bad])
})

test('a session cannot fill the disk: 200 drafts a day are refused the next, and the command line goes on', async () => {
  const member = desk.roster.operator.id
  const fill = (by: string, count: number, age: string) =>
    desk.owner.query(
      `insert into console.orders (order_id, statement, body, class, state, reason_salt, reason, created_by, created_at)
       select gen_random_uuid(), 'filler', '', 'read', case when n % 2 = 0 then 'draft' else 'cancelled' end, '', '', $1, now() - $2::interval
       from generate_series(1, $3::int) n`,
      [by, age, count],
    )
  const asked = { action: 'ProfileList', devices: [phone.alias], reason: 'x' }
  await fill(member, 300, '25 hours')
  await draft(asked)
  await fill(member, 200, '1 hour')
  const refused = await desk.post('/api/orders', asked)
  assert.deepEqual([refused.status, refused.body.code], [413, 'LIMIT'])
  assert.ok(refused.body.remedy)
  assert.equal(
    (await desk.post('/api/standing', { action: 'ProfileList', trigger: 'daily', reason: 'x' })).body.code,
    'LIMIT',
  )
  await draftOrder(desk.desk, 'local', { ...asked, set: [], channel: 'device' })
  await desk.owner.query("delete from console.orders where statement = 'filler'")
})

test('a draft that nobody approved goes after a month; one with an approval never does, whatever the console says of it', async () => {
  const [old, discarded, young, approved] = [
    await draft({ action: 'ProfileList', devices: [phone.alias] }),
    await draft({ action: 'ProfileList', devices: [phone.alias] }),
    await draft({ action: 'ProfileList', devices: [phone.alias] }),
    await draft({ action: 'ProfileList', devices: [phone.alias] }),
  ]
  await desk.post(`/api/orders/${discarded.order}/discard`)
  await approve(approved, desk.roster.operator)
  await desk.owner.query('delete from edge.pending where order_id = $1', [approved.order])
  await desk.vault.database
    .connect('console')
    .query("update console.orders set state = 'draft', approved_at = null where order_id = $1", [approved.order])
  await desk.owner.query(
    "update console.orders set created_at = now() - interval '31 days' where order_id = any ($1)",
    [[old.order, discarded.order, approved.order]],
  )
  await sweep(desk.desk, new Map())
  const there = async ({ order }: { order: string }) => (await desk.get(`/api/orders/${order}`)).status
  assert.deepEqual(
    [await there(old), await there(discarded), await there(young), await there(approved)],
    [404, 404, 200, 200],
  )
})

test('a daily standing order is queued once a day', async () => {
  const { body: drafted } = await desk.post('/api/standing', { action: 'SecurityInfo', trigger: 'daily', reason: 'x' })
  const approval = desk.roster.operator.approve(standingDigest(drafted.statement, desk.roster.trusted))
  await desk.post(`/api/orders/${drafted.order}/approvals`, { approval })
  await sweep(desk.desk, new Map())
  const once = (await pendingOf(drafted.order)).length
  assert.ok(once > 0)
  await sweep(desk.desk, new Map())
  assert.equal((await pendingOf(drafted.order)).length, once)
  desk.time.shift = 86_400_000
  await sweep(desk.desk, new Map())
  assert.equal((await pendingOf(drafted.order)).length, 2 * once)
  desk.time.shift = 0
})
