import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createLimits, perMinute } from './limits.ts'

test('a caller that asks too often is told so until the next minute, and others are not', () => {
  let now = 120
  const limit = createLimits(() => now, { ...perMinute, unlockToken: 2 })
  limit('edge', 'unlockToken')
  limit('edge', 'unlockToken')
  assert.throws(() => limit('edge', 'unlockToken'), { code: 'UNAVAILABLE', message: /2 times a minute/ })
  limit('edge', 'scep')
  limit('console', 'unlockToken')
  now = 180
  limit('edge', 'unlockToken')
})
