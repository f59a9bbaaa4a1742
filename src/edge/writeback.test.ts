import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Log, silentLog } from '../base/log.ts'
import { createWriteback } from './writeback.ts'

type Call = [what: string, ...values: unknown[]]

/** `fail`: the names of calls that the database refuses now. `hold`: what they wait for. */
function world({ log = silentLog }: { log?: Log } = {}) {
  const calls: Call[] = []
  const state = { now: 1000, fail: new Set<string>(), hold: Promise.resolve() as Promise<unknown> }
  const call =
    (what: string) =>
    async (...values: unknown[]) => {
      await state.hold
      if (state.fail.has(what)) throw new Error('away')
      calls.push([what, ...values])
      return []
    }
  const store = { touch: call('touch'), markSent: call('markSent'), wakePaths: call('wakePaths') }
  const writeback = createWriteback(store, () => state.now, log)
  return { calls, state, writeback }
}

test('a device that came a hundred times in a second is written once, in the order that locks ask for', async t => {
  const { calls, writeback } = world()
  t.after(writeback.close)
  for (let times = 0; times < 100; times++) for (const device of ['b', 'a']) writeback.seen(device)
  await writeback.flush()
  assert.deepEqual(calls, [['touch', ['a', 'b'], 1000]])
  await writeback.flush()
  await writeback.flush()
  assert.equal(calls.length, 1)
})

test('what was sent and who was missed is written too, each once', async t => {
  const { calls, writeback } = world()
  t.after(writeback.close)
  writeback.sent('c1')
  writeback.sent('c2')
  writeback.missed('p')
  writeback.missed('p')
  await writeback.flush()
  await writeback.flush()
  assert.deepEqual(calls, [
    ['markSent', ['c1', 'c2']],
    ['wakePaths', ['p']],
  ])
})

test('it is written each second by itself, and no more once it is closed', async t => {
  t.mock.timers.enable({ apis: ['setInterval'] })
  const { calls, writeback } = world()
  const settled = async () => {
    for (let turns = 0; turns < 10; turns++) await Promise.resolve()
  }
  writeback.seen('a')
  t.mock.timers.tick(999)
  await settled()
  assert.equal(calls.length, 0)
  t.mock.timers.tick(1)
  await settled()
  assert.equal(calls.length, 1)
  writeback.close()
  writeback.seen('b')
  t.mock.timers.tick(5_000)
  await settled()
  assert.equal(calls.length, 1)
})

test('many deliveries do not wait for the second', async t => {
  const { calls, writeback } = world()
  t.after(writeback.close)
  for (let count = 0; count < 5_000; count++) writeback.sent(String(count))
  await new Promise(resolve => setImmediate(resolve))
  const [, commands] = calls[0]!
  assert.equal((commands as string[]).length, 5_000)
})

test('a device that got 503 is woken once the database is back, however long that takes', async t => {
  const logged: string[] = []
  const { calls, state, writeback } = world({ log: { info: () => {}, error: event => logged.push(event) } })
  t.after(writeback.close)
  state.fail = new Set(['touch', 'markSent', 'wakePaths'])
  writeback.seen('a')
  writeback.missed('p')
  await writeback.flush()
  state.fail = new Set(['wakePaths'])
  writeback.missed('q')
  await writeback.flush()
  state.fail.clear()
  await writeback.flush()
  assert.deepEqual(calls, [['wakePaths', ['p', 'q']]])
  assert.deepEqual(logged, ['writeback.failed', 'writeback.failed'])
})

test('what comes while one write is under way goes with the next, and whoever asks waits for both', async t => {
  const { calls, state, writeback } = world()
  t.after(writeback.close)
  const { promise, resolve } = Promise.withResolvers<void>()
  state.hold = promise
  writeback.seen('a')
  const first = writeback.flush()
  writeback.seen('b')
  const second = writeback.flush()
  await Promise.resolve()
  assert.equal(calls.length, 0)
  resolve()
  await second
  await first
  assert.deepEqual(
    calls.map(([, devices]) => devices),
    [['a'], ['b']],
  )
})

test('a device that is missed again and again is woken each half minute, and none is forgotten', async t => {
  const { calls, state, writeback } = world()
  t.after(writeback.close)
  const wakes = async (at: number) => {
    state.now = at
    await writeback.flush()
    return calls.splice(0).flatMap(([, paths]) => paths)
  }
  writeback.missed('p')
  assert.deepEqual(await wakes(1000), ['p'])
  writeback.missed('p')
  writeback.missed('q')
  assert.deepEqual(await wakes(1001), ['q'])
  assert.deepEqual(await wakes(1029), [])
  assert.deepEqual(await wakes(1030), ['p'])
  assert.deepEqual(await wakes(1090), [])
  writeback.missed('p')
  assert.deepEqual(await wakes(1091), ['p'])
  writeback.missed('p')
  writeback.close()
  assert.deepEqual(await wakes(1092), ['p'])
})
