import assert from 'node:assert/strict'
import { randomBytes, randomUUID } from 'node:crypto'
import { after, test } from 'node:test'
import { testDatabase } from '../../test/support/database.ts'
import { silentLog } from '../base/log.ts'
import { createEdgeStore, type TokenUpdated } from './store.ts'

// What one device can make the database hold, through the edge's own functions.

const database = await testDatabase()
after(() => database.drop())
const owner = database.connect('owner')
const store = createEdgeStore(database.config('edge'), silentLog)
after(() => store.close())

const until = Math.floor(Date.now() / 1000) + 86_400
const authenticate = (device: string, facts: object = {}) =>
  store.authenticate({
    ...{
      device,
      platform: 'apple',
      tier: 'private',
      unit: device,
      notAfter: until,
      facts,
      sealed: Buffer.from('said'),
    },
  })
const update = (device: string, fields: Partial<TokenUpdated> = {}) =>
  store.tokenUpdate({
    ...{ device, channel: '', notAfter: until, push: Buffer.from('push'), ours: true, unlock: null, sealed: null },
    ...fields,
  })
const channel = () => randomBytes(16).toString('hex')
const times = <Result>(count: number, run: (n: number) => Promise<Result>) =>
  Promise.all(Array.from({ length: count }, (_, n) => run(n)))
async function count(table: string, device: string, rest = ''): Promise<number> {
  return (await owner.query(`select count(*)::int as n from ${table} where device_id = $1 ${rest}`, [device])).rows[0].n
}
async function enrolled(): Promise<string> {
  const device = randomUUID()
  await authenticate(device)
  await update(device)
  return device
}

test('a device has at most fifty user channels, and those that it has go on', async () => {
  const [device, other] = [await enrolled(), await enrolled()]
  const kept = channel()
  await update(device, { channel: kept })
  await times(300, () => update(device, { channel: channel() }))
  for (let n = 0; n < 3; n++) await update(device, { channel: channel() })
  assert.equal(await count('edge.user_channel', device), 50)
  await update(device, { channel: kept, push: Buffer.from('another') })
  const { rows } = await owner.query('select push from edge.user_channel where channel = $1', [kept])
  assert.equal(rows[0].push.toString(), 'another')
  await update(other, { channel: channel() })
  assert.equal(await count('edge.user_channel', other), 1)
})

test('what a user channel says is kept up to 256 KB', async () => {
  const device = await enrolled()
  await update(device, { channel: channel(), sealed: Buffer.alloc(256 * 1024) })
  await update(device, { channel: channel(), sealed: Buffer.alloc(256 * 1024 + 1) })
  assert.equal(await count('edge.user_channel', device), 1)
})

test('a user of a device that never said Authenticate is not kept, and fails nobody in the same batch', async () => {
  const [device, unknown] = [await enrolled(), randomUUID()]
  await Promise.all([update(unknown, { channel: channel() }), update(device, { channel: channel() })])
  assert.equal(await count('edge.user_channel', unknown), 0)
  assert.equal(await count('edge.user_channel', device), 1)
})

test('a batch that holds a row twice runs as one, and what came last counts', async () => {
  const device = randomUUID()
  const edge = database.connect('edge')
  const twice = <T>(value: T) => [value, value]
  const at = new Date(until * 1000)
  await edge.query('select edge.authenticate($1, $2, $3, $4, $5, $6, $7)', [
    ...[twice(device), twice('apple'), twice('full'), twice(device), twice(at), ['{"Model":"a"}', '{"Model":"b"}']],
    twice(null),
  ])
  await edge.query('select edge.token_update($1, $2, $3, $4, $5, $6, $7)', [
    ...[
      twice(device),
      twice('0'.repeat(32)),
      twice(at),
      [Buffer.from('1'), Buffer.from('2')],
      twice(true),
      twice(null),
    ],
    twice(null),
  ])
  const { rows } = await owner.query(
    `select facts ->> 'Model' as model, u.push from edge.device d join edge.user_channel u using (device_id) where device_id = $1`,
    [device],
  )
  assert.deepEqual(rows, [{ model: 'b', push: Buffer.from('2') }])
})

test('a device that says the same for ever has fifty rows of it in its history, and all of what else happened', async () => {
  const [device, other] = [await enrolled(), await enrolled()]
  await times(150, n => store.fail(n % 5 === 0 ? other : device, '', null, 'answer-unreadable'))
  await store.fail(device, '', null, 'the newest') // two that ran at once may each have left one too many
  assert.equal(await count('edge.history', device, `and event = 'refused'`), 50)
  assert.equal(await count('edge.history', device, `and event = 'TokenUpdate'`), 1)
  assert.equal(await count('edge.history', other, `and event = 'refused'`), 30)
  assert.equal(await count('edge.history', device, `and code = 'the newest'`), 1)
})

test('a device that renewed without end pushes out no certificate of those it shares a profile with', async () => {
  const [path, greedy, modest] = [randomUUID(), randomUUID(), randomUUID()]
  const insert = (device: string, rows: number, day: number) =>
    owner.query(
      `insert into vault.certificate (sha256, device_id, path_id, serial, voucher, signature, not_after, issued_at)
       select sha256(convert_to($2 || n::text, 'UTF8')), $2::uuid, $1, '', n::text, '', now(), now() - make_interval(days => $4) + n * interval '1 second'
       from generate_series(1, $3::int) n`,
      [path, device, rows, day],
    )
  await insert(modest, 2, 300)
  await insert(greedy, 3000, 1)
  await insert(randomUUID(), 1, 1)
  await owner.query(`update vault.certificate set state = 'superseded' where voucher = '3000'`)
  const found = await store.findVouchers(path)
  assert.equal(found.length, 2000)
  const { rows } = await owner.query<{ sha: string }>(
    `select encode(sha256, 'hex') as sha from vault.certificate where device_id = $1`,
    [modest],
  )
  for (const { sha } of rows) assert.ok(found.some(({ certificate }) => certificate === sha))
  assert.ok(found.some(({ voucher }) => voucher === '2999'))
})
