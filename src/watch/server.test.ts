import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, beforeEach, type TestContext, test } from 'node:test'
import type { Pool } from 'pg'
import { type TestDatabase, testDatabase } from '../../test/support/database.ts'
import { silentLog } from '../base/log.ts'
import { rpcClient } from '../base/rpc.ts'
import type { Trace } from './api.ts'
import { startWatch } from './server.ts'

const folder = mkdtempSync(join(tmpdir(), 'bhwatch-'))
let place: TestDatabase
let owner: Pool
before(async () => {
  place = await testDatabase()
  owner = place.connect('owner')
})
beforeEach(() => owner.query('delete from watch.trace'))
after(async () => {
  await place.drop()
  rmSync(folder, { recursive: true, force: true })
})

const nowhere = { append: async () => [] }

/** What is stored of these, all told within one second, the most frequent first. */
async function stored(t: TestContext, traces: readonly Trace[]) {
  t.mock.timers.enable({ apis: ['setInterval'] })
  const path = join(folder, 'edge.sock')
  const watch = await startWatch({
    sockets: { edge: path },
    database: place.config('watch'),
    ledger: nowhere,
    log: silentLog,
  })
  const client = rpcClient({ path, name: 'watch' })
  await Promise.all(traces.map(trace => client.call('trace', trace)))
  client.close()
  await watch.close() // writes what waits
  const columns = 'source, code, device_id as device, order_id as order, count'
  return (await owner.query<Row>(`select ${columns} from watch.trace order by count desc, device_id`)).rows
}
type Row = { source: string; code: string; device: string | null; order: string | null; count: number }
const times = (count: number, trace: () => Trace) => Array.from({ length: count }, trace)

test('what happens thousands of times in a moment is a row with its count, apart for each device and order', async t => {
  const [device, order] = [randomUUID(), randomUUID()]
  const rows = await stored(t, [
    ...times(5_000, () => ({ code: 'identity-refused' })),
    ...times(3, () => ({ code: 'turnstile-refused', device, order })),
    { code: 'identity-refused', count: 7 },
    { code: 'turnstile-refused', device },
  ])
  const of = { source: 'edge', device: null, order: null }
  assert.deepEqual(rows, [
    { ...of, code: 'identity-refused', count: 5_007 },
    { ...of, code: 'turnstile-refused', device, order, count: 3 },
    { ...of, code: 'turnstile-refused', device, count: 1 },
  ])
})

test('more devices at once than fit are counted together, and none is lost', async t => {
  const rows = await stored(
    t,
    times(3_000, () => ({ code: 'voucher-unproven', device: randomUUID() })),
  )
  assert.equal(rows.length, 1_001)
  assert.deepEqual([rows[0]!.device, rows[0]!.count], [null, 2_000])
})

test('no caller fills it with codes that it makes up', async t => {
  let code = 0
  const rows = await stored(
    t,
    times(3_000, () => ({ code: `made-up-${code++}` })),
  )
  assert.equal(rows.length, 1_200)
})

test('traces of more than 90 days go, in batches, and younger ones stay; watch itself may delete nothing else', async () => {
  await owner.query(
    `insert into watch.trace (at, source, code) select now() - interval '91 days', 'edge', 'old' from generate_series(1, 2300)`,
  )
  await owner.query(
    `insert into watch.trace (at, source, code) values (now() - interval '89 days', 'edge', 'young'), (now(), 'edge', 'young')`,
  )
  const asWatch = place.connect('watch')
  const { rows } = await asWatch.query('select watch.forget_old() as gone')
  assert.equal(rows[0].gone, 1_000)
  await assert.rejects(asWatch.query('delete from watch.trace'), /permission denied/)
  const watch = await startWatch({ sockets: {}, database: place.config('watch'), ledger: nowhere, log: silentLog })
  const left = async () => (await owner.query<{ code: string }>('select code from watch.trace')).rows
  while ((await left()).length > 2) await new Promise(resolve => setTimeout(resolve, 20))
  await watch.close()
  assert.deepEqual(
    (await left()).map(({ code }) => code),
    ['young', 'young'],
  )
})
