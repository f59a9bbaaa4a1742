import assert from 'node:assert/strict'
import { createHash, createHmac, hkdfSync } from 'node:crypto'
import test from 'node:test'
import fc from 'fast-check'
import { concat, fromBase64, toBase64, toHex, utf8 } from './bytes.ts'
import { hkdf, hmac, sha256 } from './hash.ts'

test('SHA-256 of "abc" is what FIPS 180-4 says', () =>
  assert.equal(toHex(sha256('abc')), 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'))

test('SHA-256 and HMAC are those of Node at every length around their blocks', () => {
  for (let length = 0; length < 300; length++) {
    const bytes = Uint8Array.from({ length }, (_, at) => (at * 7 + length) & 255)
    assert.equal(toHex(sha256(bytes)), createHash('sha256').update(bytes).digest('hex'))
    for (const key of [utf8('key'), new Uint8Array(64).fill(9), new Uint8Array(65).fill(9), bytes])
      assert.equal(toHex(hmac(key)(bytes)), createHmac('sha256', key).update(bytes).digest('hex'))
  }
})

const bytes = fc.uint8Array({ maxLength: 200 })
test('HKDF is that of Node for any key, salt, info and length', () =>
  fc.assert(
    fc.property(bytes, bytes, bytes, fc.integer({ min: 1, max: 200 }), (ikm, salt, info, length) =>
      assert.equal(
        toHex(hkdf(ikm, salt, info, length)),
        Buffer.from(hkdfSync('sha256', ikm, salt, info, length)).toString('hex'),
      ),
    ),
  ))

test('base64 is that of Node, there and back, and of base64url back', () =>
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 9000 }), raw => {
      assert.equal(toBase64(raw), Buffer.from(raw).toString('base64'))
      assert.deepEqual(fromBase64(Buffer.from(raw).toString('base64url')), concat(raw))
    }),
  ))
