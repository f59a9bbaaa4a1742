import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { BulkheadError } from '../../base/errors.ts'
import { value } from './arbitrary.test.ts'
import { decodePlist, encodeBinaryPlist, encodeXmlPlist, type PlistInput, PlistReal } from './plist.ts'
import { dict } from './samples.test.ts'

const ENCODERS = [encodeXmlPlist, encodeBinaryPlist]
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes)

test('whatever is written as XML is read back the same', () => {
  fc.assert(
    fc.property(value, made => assert.deepStrictEqual(decodePlist(encodeXmlPlist(made)), made)),
    { numRuns: 200 },
  )
})

test('whatever is written as binary is read back the same', () => {
  fc.assert(
    fc.property(value, made => assert.deepStrictEqual(decodePlist(encodeBinaryPlist(made)), made)),
    { numRuns: 200 },
  )
})

test('XML is written as Apple writes it', () => {
  const written = encodeXmlPlist({
    b: [1, new PlistReal(1), 0.5],
    a: { '<': 'x & y' },
    e: [],
    f: {},
    d: new Uint8Array([1]),
  })
  assert.equal(
    text(written),
    `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
	<key>b</key>
	<array>
		<integer>1</integer>
		<real>1</real>
		<real>0.5</real>
	</array>
	<key>a</key>
	<dict>
		<key>&lt;</key>
		<string>x &amp; y</string>
	</dict>
	<key>e</key>
	<array/>
	<key>f</key>
	<dict/>
	<key>d</key>
	<data>AQ==</data>
</dict>
</plist>
`,
  )
})

test('a whole number in a PlistReal is a real in binary too', () => {
  assert.equal(encodeBinaryPlist(new PlistReal(1))[8], 0x23)
  assert.equal(encodeBinaryPlist(1)[8], 0x10)
})

test('binary dates keep their milliseconds, and XML dates lose them', () => {
  const date = new Date('2026-01-30T09:00:00.123Z')
  for (let ms = 0; ms < 1000; ms++) {
    const moment = new Date(date.getTime() + ms)
    assert.deepStrictEqual(decodePlist(encodeBinaryPlist(moment)), moment)
  }
  assert.deepStrictEqual(decodePlist(encodeXmlPlist(date)), new Date('2026-01-30T09:00:00Z'))
})

test('binary stores equal strings once', () => {
  const once = encodeBinaryPlist(['x'.repeat(100)]).length
  assert.equal(encodeBinaryPlist(['x'.repeat(100), 'x'.repeat(100)]).length, once + 1)
})

test('thousands of objects need wider references, which are read back', () => {
  const many = Array.from({ length: 70_000 }, (_, index) => index)
  assert.deepStrictEqual(decodePlist(encodeBinaryPlist(many)), many)
  assert.deepStrictEqual(decodePlist(encodeBinaryPlist(many.slice(0, 300))), many.slice(0, 300))
})

test('a key named __proto__ is written and read as any other', () => {
  const made = dict([['__proto__', dict([['polluted', true]])]])
  for (const encode of ENCODERS) assert.deepStrictEqual(decodePlist(encode(made)), made)
})

test('what neither format can hold is not written', () => {
  const wrong: unknown[] = [undefined, null, Number.NaN, Number.POSITIVE_INFINITY, new PlistReal(Number.NaN), 2n ** 64n]
  wrong.push(
    -(2n ** 63n) - 1n,
    new Date(Number.NaN),
    new Map(),
    Symbol('x'),
    () => 1,
    '\ud800',
    'a\0',
    new Uint16Array(1),
  )
  for (const encode of ENCODERS) {
    for (const one of [...wrong, { a: undefined }, [null], { '\ud800': 1 }]) {
      assert.throws(
        () => encode(one as PlistInput),
        (error: unknown) => error instanceof BulkheadError && error.code === 'MALFORMED',
      )
    }
  }
})

test('what only binary can hold is not written as XML', () => {
  for (const one of ['\u0001', '\uffff', new Date('+010000-01-01T00:00:00Z')]) {
    assert.deepStrictEqual(decodePlist(encodeBinaryPlist(one)), one)
    assert.throws(() => encodeXmlPlist(one), { name: 'BulkheadError', code: 'MALFORMED' })
  }
})

test('XML is written to the last byte that is allowed, and no further', () => {
  for (const value of [{ a: ['&', 'é', 1, true, new Uint8Array(9)], b: {} }, 'x', [], { a: [] }]) {
    const { length } = encodeXmlPlist(value)
    assert.equal(encodeXmlPlist(value, length).length, length)
    assert.throws(() => encodeXmlPlist(value, length - 1), { name: 'BulkheadError', code: 'LIMIT' })
  }
})
