import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readCbor } from './cbor.ts'

// The examples of RFC 8949, appendix A, that authenticators use.
const read = (hex: string) => readCbor(Buffer.from(hex, 'hex')).value

test('numbers, bytes, text, lists and maps decode as RFC 8949 has them', () => {
  assert.deepEqual(['00', '17', '1818', '1903e8', '1a000f4240', '20', '3863', '3903e7', 'f4', 'f5', 'f6'].map(read), [
    0,
    23,
    24,
    1000,
    1_000_000,
    -1,
    -100,
    -1000,
    false,
    true,
    null,
  ])
  assert.deepEqual(read('4401020304'), Buffer.from([1, 2, 3, 4]))
  assert.equal(read('62c3bc'), 'ü')
  assert.deepEqual(read('8301820203820405'), [1, [2, 3], [4, 5]])
  assert.deepEqual(
    read('a26161016162820203'),
    new Map<unknown, unknown>([
      ['a', 1],
      ['b', [2, 3]],
    ]),
  )
})

test('what follows an item is left, and where it ends is told', () => {
  assert.deepEqual(readCbor(Buffer.from('0102', 'hex')), { value: 1, end: 1 })
})

test('what is cut short, of indefinite length, too deep, or says one thing twice does not decode', () => {
  for (const bad of ['', '18', '44010203', '8201', '5f42010243030405ff', '9f01ff', '1b0000000000000001'])
    assert.throws(() => read(bad), { code: 'MALFORMED' }, bad)
  assert.throws(() => read('a201010102'), /one key twice/)
  assert.throws(() => read(`${'81'.repeat(10)}00`), /too deep/)
  assert.throws(() => read('f93c00'), /not known here/)
  assert.throws(() => read('9affffffff'), /too long/)
})
