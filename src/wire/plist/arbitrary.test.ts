import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { PlistValue } from './plist.ts'
import { dict } from './samples.test.ts'

const xmlUnit = fc.oneof(
  { weight: 6, arbitrary: fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 1 }) },
  { weight: 2, arbitrary: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 1 }) },
  {
    weight: 3,
    arbitrary: fc.constantFrom('<', '>', '&', '"', "'", ']', '\r', '\n', '\t', '\ufffd', '\ud7ff', '😀', '\u0085'),
  },
)
/** Any text that XML can carry. */
const text = fc.string({ unit: xmlUnit, maxLength: 40 }).filter(made => !/[\ufffe\uffff]/.test(made))
const key = fc.oneof(text, fc.constantFrom('__proto__', 'constructor', 'toString', '', '0', 'MessageType'))
const integer = fc.oneof(
  fc.maxSafeInteger(),
  fc.integer({ min: -300, max: 300 }),
  fc.constantFrom(2 ** 31, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER),
  fc.bigInt(2n ** 53n, 2n ** 64n - 1n),
  fc.bigInt(-(2n ** 63n), -(2n ** 53n)),
  fc.constantFrom(2n ** 63n - 1n, 2n ** 63n, 2n ** 64n - 1n, -(2n ** 63n)),
)
const real = fc.double({ noNaN: true, noDefaultInfinity: true }).filter(made => !Object.is(made, -0))
const second = fc.date({
  min: new Date('0001-01-01T00:00:00Z'),
  max: new Date('9999-12-31T23:59:59Z'),
  noInvalidDate: true,
})
const date = second.map(made => new Date(Math.floor(made.getTime() / 1000) * 1000))
const data = fc.uint8Array({ maxLength: 200 }).map(made => new Uint8Array(made))

/** Any value that both formats carry without loss. */
export const value: fc.Arbitrary<PlistValue> = fc.letrec<{ node: PlistValue }>(tie => ({
  node: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.oneof(text, integer, real, fc.boolean(), date, data),
    fc.array(tie('node'), { maxLength: 20 }),
    fc.uniqueArray(fc.tuple(key, tie('node')), { maxLength: 20, selector: ([name]) => name }).map(dict),
  ),
})).node

test('the values made for the other tests are of every kind', () => {
  const kinds = fc.sample(value, 500).map(made => (typeof made === 'object' ? made.constructor?.name : typeof made))
  assert.equal(new Set(kinds).size, 8)
})
