import assert from 'node:assert/strict'
import { test } from 'node:test'
import { callers, methodsFor } from './callers.ts'
import { createLimits, perMinute } from './limits.ts'

const handlers = Object.fromEntries(Object.keys(callers).map(name => [name, name]))

test('a method that nobody decided about stops the start, and so does a row without a method', () => {
  assert.throws(() => methodsFor('edge', { ...handlers, export: 'export' }), { code: 'INTERNAL', message: /export/ })
  const { scep: _, ...fewer } = handlers
  assert.throws(() => methodsFor('edge', fewer), { code: 'INTERNAL', message: /scep/ })
})

test('the edge cannot invite or change the push certificate, and the console cannot ask for certificates or tokens', () => {
  const edge = Object.keys(methodsFor('edge', handlers))
  const console = Object.keys(methodsFor('console', handlers))
  assert.deepEqual(
    edge.filter(name => console.includes(name)),
    ['wake'],
  )
  assert.deepEqual(console.sort(), ['invite', 'pushCsr', 'pushImport', 'pushShow', 'wake'])
})

test('a caller that asks too often is told so until the next minute, and others are not', () => {
  let now = 120
  const limit = createLimits(() => now, { ...perMinute, unlockToken: 2 })
  limit('edge', 'unlockToken')
  limit('edge', 'unlockToken')
  assert.throws(() => limit('edge', 'unlockToken'), { code: 'LIMIT', message: /2 times a minute/ })
  limit('edge', 'scep')
  limit('console', 'unlockToken')
  now = 180
  limit('edge', 'unlockToken')
})
