import assert from 'node:assert/strict'
import { test } from 'node:test'
import { batcher } from './batch.ts'
import { BulkheadError } from './errors.ts'

/** Batches that end when the test says so. */
function held(most: number, parallel: number) {
  const batches: { items: number[]; end(): void }[] = []
  const add = batcher<number, number>({
    most,
    parallel,
    run: items => new Promise(resolve => batches.push({ items, end: () => resolve(items.map(item => item * 10)) })),
  })
  const turn = () => new Promise(resolve => setImmediate(resolve))
  return { add, batches, turn }
}

test('what is asked in one turn travels together, and each gets its own result', async () => {
  const { add, batches, turn } = held(10, 2)
  const all = Promise.all([add(1), add(2), add(3)])
  await turn()
  assert.deepEqual(
    batches.map(({ items }) => items),
    [[1, 2, 3]],
  )
  batches[0]!.end()
  assert.deepEqual(await all, [10, 20, 30])
})

test('no batch is larger than allowed, no more than the allowed number are under way, and what waits goes together', async () => {
  const { add, batches, turn } = held(2, 2)
  const all = Promise.all([1, 2, 3, 4, 5].map(add))
  await turn()
  assert.deepEqual(
    batches.map(({ items }) => items),
    [
      [1, 2],
      [3, 4],
    ],
  )
  all.then(() => {})
  const late = add(6)
  await turn()
  assert.equal(batches.length, 2)
  batches[1]!.end()
  await turn()
  await turn()
  assert.deepEqual(batches[2]!.items, [5, 6])
  batches[0]!.end()
  batches[2]!.end()
  assert.deepEqual([...(await all), await late], [10, 20, 30, 40, 50, 60])
})

test('a poisoned item fails alone', async () => {
  const runs: number[][] = []
  const add = batcher<number, number>({
    most: 10,
    parallel: 1,
    async run(items) {
      runs.push(items)
      if (items.includes(2)) throw new Error('poison')
      return items
    },
  })
  const settled = await Promise.allSettled([1, 2, 3].map(add))
  assert.deepEqual(
    settled.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled'],
  )
  assert.deepEqual(runs, [[1, 2, 3], [1], [2], [3]])
  assert.equal(await add(4), 4)
})

test('when the other end is away everybody in the batch is told at once, and later calls are tried again', async () => {
  let away = true
  let runs = 0
  const add = batcher<number, number>({
    most: 10,
    parallel: 1,
    async run(items) {
      runs++
      if (away) throw new BulkheadError('UNAVAILABLE', 'away')
      return items
    },
  })
  const settled = await Promise.allSettled([1, 2, 3].map(add))
  assert.deepEqual(
    settled.map(({ status }) => status),
    ['rejected', 'rejected', 'rejected'],
  )
  assert.equal(runs, 1)
  away = false
  assert.equal(await add(5), 5)
})

test('where calls are dear, what comes soon after one waits and travels together', async () => {
  const batches: number[][] = []
  const run = async (items: number[]) => {
    batches.push(items)
    return items
  }
  const add = batcher<number, number>({ most: 10, parallel: 1, apart: 200, run })
  await add(1)
  const later = [add(2)]
  await new Promise(resolve => setTimeout(resolve, 5))
  later.push(add(3))
  await Promise.all(later)
  assert.deepEqual(batches, [[1], [2, 3]])
})
