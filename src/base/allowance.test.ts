import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createAllowance } from './allowance.ts'

test('who asks too often is refused until the next span begins, and others are not', () => {
  let now = 3600
  const may = createAllowance(2, 3600, () => now)
  assert.deepEqual([may('a'), may('a'), may('a'), may('b')], [true, true, false, true])
  now = 7199
  assert.equal(may('a'), false)
  now = 7200
  assert.equal(may('a'), true)
})
