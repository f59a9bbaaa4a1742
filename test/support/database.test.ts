import assert from 'node:assert/strict'
import { test } from 'node:test'
import { testDatabase } from './database.ts'

test('each test has a database of its own, and each role its own grants', async () => {
  const [one, other] = [await testDatabase(), await testDatabase()]
  const console = one.connect('console')
  await console.query(
    `insert into console.invitation (invitation_id, statement, approval) values (gen_random_uuid(), '{}', '{}')`,
  )
  const count = async (pool: ReturnType<typeof one.connect>) =>
    (await pool.query('select count(*)::int as n from console.invitation')).rows[0].n
  assert.equal(await count(one.connect('vault')), 1)
  assert.equal(await count(other.connect('vault')), 0)
  await assert.rejects(one.connect('edge').query('select * from console.invitation'), /permission denied/)
  await one.drop()
  await other.drop()
})
