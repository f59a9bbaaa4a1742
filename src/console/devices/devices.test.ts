import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type TestConsole, testConsole } from '../../../test/support/console.ts'
import { listDevices } from './store.ts'

let desk: TestConsole
before(async () => {
  desk = await testConsole()
})
after(() => desk.close())

const daysAgo = (days: number) => new Date(Date.now() - days * 86_400_000)
const states = async (state?: 'silent' | 'lost' | 'enrolled' | 'left') => {
  const { devices } = await listDevices(desk.desk.db, new Date(), { state, limit: 100 })
  return new Map(devices.map(one => [one.device, one.state]))
}

test('a device is silent after thirty days, lost while it is in Lost Mode, and left when it said so', async () => {
  const fresh = await desk.enrol()
  const silent = await desk.enrol({ lastSeen: daysAgo(31) })
  const nearly = await desk.enrol({ lastSeen: daysAgo(29) })
  const lost = await desk.enrol({ lastSeen: daysAgo(40) })
  const left = await desk.enrol({ state: 'left', lastSeen: daysAgo(40) })
  await desk.owner.query('update edge.device set lost_mode = true where device_id = $1', [lost.device])
  const all = await states()
  assert.deepEqual(
    [fresh, silent, nearly, lost, left].map(({ device }) => all.get(device)),
    ['enrolled', 'silent', 'enrolled', 'lost', 'left'],
  )
  assert.deepEqual([...(await states('silent')).keys()], [silent.device])
  assert.deepEqual([...(await states('left')).keys()], [left.device])
})

test('pages follow one another without a gap', async () => {
  const { devices: whole } = await listDevices(desk.desk.db, new Date(), { limit: 100 })
  const found: string[] = []
  for (let cursor: string | undefined; ; ) {
    const page = await listDevices(desk.desk.db, new Date(), { cursor, limit: 2 })
    found.push(...page.devices.map(one => one.device))
    if (page.next === null) break
    cursor = page.next
  }
  assert.deepEqual(
    found,
    whole.map(one => one.device),
  )
  assert.ok(found.length > 4)
})

test('the console’s role sees nothing of a device that the vault alone opens, and writes no device', async () => {
  const pool = desk.vault.database.connect('console')
  for (const column of ['sealed_answers', 'push', 'unlock_token'])
    await assert.rejects(pool.query(`select ${column} from edge.device`), /permission denied/, column)
  for (const forbidden of [
    'update edge.device set lost_mode = true',
    'insert into edge.pending (device_id, order_id, command_uuid, expires_at) values (gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), now())',
    'delete from console.orders',
    `update console.orders set statement = ''`,
    'delete from console.approval',
  ])
    await assert.rejects(pool.query(forbidden), /permission denied/, forbidden)
})
