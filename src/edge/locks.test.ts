import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import type { Pool } from 'pg'
import { testDatabase } from '../../test/support/database.ts'
import { commandUuid } from '../trust/token.ts'

// Batches of many devices run beside each other. One that waits for another which waits for it costs everybody in both a second.

const database = await testDatabase()
after(() => database.drop())
const owner = database.connect('owner')
const edge = database.connect('edge')

const order = '00000000-0000-4000-8000-00000000000f'
const [first, second] = ['00000000-0000-4000-8000-000000000001', '00000000-0000-4000-8000-000000000002'] as const
const commands = [first, second].map(device => commandUuid(order, device))

for (const device of [second, first])
  await owner.query(
    `insert into edge.device (device_id, platform, tier, unit_id, state, enrolled_at, last_seen, not_after)
     values ($1, 'apple', 'full', $1, 'enrolled', now(), 'epoch', 'infinity')`,
    [device],
  )

async function queue() {
  await owner.query('delete from edge.pending')
  for (const [at, device] of [second, first].entries())
    await owner.query(
      `insert into edge.pending (device_id, order_id, command_uuid, expires_at) values ($1, $2, $3, 'infinity')`,
      [device, order, commands[1 - at]],
    )
}

const answers = (devices: readonly string[]) => ({
  text: 'select * from edge.connect($1, $2, $3, $4, $5, $6, $7, $8)',
  values: [
    devices,
    devices.map(() => ''),
    devices.map(() => 1),
    devices.map(device => commandUuid(order, device)),
    devices.map(() => null),
    devices.map(() => null),
    devices.map(() => '{"OSVersion": "18.1"}'),
    devices.map(() => null),
  ],
})

/** A transaction that is under way while `work` runs. */
async function beside(pool: Pool, text: string, values: unknown[], work: () => Promise<unknown>) {
  const client = await pool.connect()
  try {
    await client.query('begin')
    await client.query(text, values)
    await work()
  } finally {
    await client.query('rollback')
    client.release()
  }
}

test('marks of what was sent do not wait for an answer that is being stored, and miss nothing else', async () => {
  await queue()
  const { text, values } = answers([first])
  await beside(edge, text, values, async () => {
    const marking = await edge.connect()
    try {
      await marking.query(`set lock_timeout = '20s'`)
      await marking.query('select edge.mark_sent($1)', [commands])
    } finally {
      marking.release(true)
    }
  })
  const { rows } = await owner.query('select device_id, state from edge.pending order by device_id')
  assert.deepEqual(rows, [
    { device_id: first, state: 'pending' },
    { device_id: second, state: 'sent' },
  ])
})

test('whatever order devices come in, answers and sightings lock them in one', async () => {
  await queue()
  const lock = 'select device_id from edge.device where device_id = $1 for update'
  let waiting: Promise<unknown>[] = []
  await beside(owner, lock, [first], async () => {
    waiting = [edge.query(answers([second, first])), edge.query('select edge.touch($1, now())', [[second, first]])]
    await waitingForLocks(waiting.length)
    const { rows } = await owner.query(`${lock} skip locked`, [second])
    assert.equal(rows.length, 1, 'the second was taken before the first')
  })
  await Promise.all(waiting)
})

async function waitingForLocks(count: number) {
  const asked = `select count(*)::int as n from pg_stat_activity where usename = 'bulkhead_edge' and wait_event_type = 'Lock'`
  while ((await owner.query(asked)).rows[0].n < count);
}
