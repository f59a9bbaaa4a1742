import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { type TestConsole, testConsole } from '../../../test/support/console.ts'
import { createFollower, openMain, requireConsistent } from '../../trust/follow.ts'
import { appendLeaves } from '../desk.ts'

let desk: TestConsole
before(async () => {
  desk = await testConsole()
})
after(() => desk.close())

test('whoever is not signed in can follow both logs, and is proved that the main one goes on', async () => {
  const { trusted, genesis } = desk.roster
  const look = async (from: number) => (await desk.get(`/api/main?from=${from}`)).body
  await appendLeaves(
    desk.desk,
    'main',
    [1, 2, 3].map(n => ({ type: 'group', unique: `group:${n}`, group: String(n) })),
  )
  let first = openMain((await look(0)).checkpoint, trusted)
  while (first.size < 3) first = openMain((await look(0)).checkpoint, trusted)
  await appendLeaves(
    desk.desk,
    'main',
    [4, 5].map(n => ({ type: 'group', unique: `group:${n}`, group: String(n) })),
  )
  let next = await look(first.size)
  while (openMain(next.checkpoint, trusted).size < 5) next = await look(first.size)
  const now = openMain(next.checkpoint, trusted)
  assert.deepEqual([now.size, next.proof.length > 0], [5, true])
  requireConsistent(first, now, next.proof)
  assert.throws(() => requireConsistent({ ...first, root: '0'.repeat(64) }, now, next.proof), /another than it was/)
  assert.deepEqual((await look(1_000)).proof, []) // of what is not there nothing can be proved

  const view = createFollower(genesis, trusted)
  const { checkpoint, entries } = (await desk.get('/api/control?from=0')).body
  view.take(checkpoint, entries)
  assert.equal(view.head.size, 1)
})
