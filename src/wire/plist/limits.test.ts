import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BulkheadError } from '../../base/errors.ts'
import { decodePlist, encodeBinaryPlist, encodeXmlPlist, type PlistInput } from './plist.ts'
import { binary, refused, xml } from './samples.test.ts'

function nested(depth: number): Uint8Array {
  return xml('<array>'.repeat(depth) + '</array>'.repeat(depth))
}

function nestedValue(depth: number): PlistInput {
  let value: PlistInput = []
  for (let i = 1; i < depth; i++) value = [value]
  return value
}

function quickly(run: () => void): void {
  const start = process.threadCpuUsage()
  run()
  assert.ok(process.threadCpuUsage(start).user < 1_000_000, 'it took over a second')
}

test('a document may have 64 levels and not 65', () => {
  assert.ok(decodePlist(nested(64)))
  refused(nested(65), 'LIMIT')
  assert.ok(decodePlist(encodeBinaryPlist(nestedValue(64))))
  refused(encodeBinaryPlist(nestedValue(65)), 'LIMIT')
})

test('no setting lets a document exhaust the stack', () => {
  assert.ok(decodePlist(nested(512), { maxDepth: 1_000_000 }))
  refused(nested(100_000), 'LIMIT', { maxDepth: 1_000_000 })
})

test('the largest size and the number of items are exact', () => {
  const bytes = xml('<array><true/><true/></array>')
  assert.ok(decodePlist(bytes, { maxBytes: bytes.length, maxItems: 3 }))
  refused(bytes, 'LIMIT', { maxBytes: bytes.length - 1 })
  refused(bytes, 'LIMIT', { maxItems: 2 })
  refused(new Uint8Array(4 * 1024 * 1024 + 1), 'LIMIT')
  refused(xml(`<array>${'<true/>'.repeat(100_000)}</array>`), 'LIMIT')
})

test('a binary document with very many objects is refused before they are looked at', () => {
  const bytes = binary(Array.from({ length: 240 }, () => [0x09]))
  assert.ok(decodePlist(bytes))
  refused(bytes, 'LIMIT', { maxItems: 100 })
})

test('shared references cost as much as copies', () => {
  const levels = Array.from({ length: 40 }, (_, level) => [0xa2, level + 1, level + 1])
  quickly(() => refused(binary([...levels, [0x09]]), 'LIMIT'))
})

test('a large string that is shared often is refused', () => {
  const length = 100_000
  const big = [0x5f, 0x12, 0, length >> 16, (length >> 8) & 255, length & 255, ...Array<number>(length).fill(65)]
  const refs = Array<number>(100).fill(1)
  // The string comes last, so that every offset fits one byte.
  quickly(() => refused(binary([[0xaf, 0x10, 100, ...refs], big]), 'LIMIT'))
})

test('hostile repetition is refused in time', () => {
  const many = 1_000_000
  quickly(() => refused(xml(`<string>${'&'.repeat(many)}</string>`), 'MALFORMED'))
  quickly(() => refused(xml(`<string>${'<!--'.repeat(many)}</string>`), 'MALFORMED'))
  quickly(() => refused(xml('<!-- -->'.repeat(many / 2)), 'MALFORMED'))
  quickly(() => refused(xml(`<string${' '.repeat(many)}x>`), 'MALFORMED'))
  quickly(() => refused(xml(`<data>${' A'.repeat(many)}=</data>`), 'MALFORMED'))
  quickly(() => refused(xml(`<integer>${'1'.repeat(many)}</integer>`), 'MALFORMED'))
  quickly(() => refused(Buffer.from(`<!DOCTYPE plist${' '.repeat(many)}x`), 'MALFORMED'))
  quickly(() => refused(Buffer.from(`<?xml version="1.0"${' '.repeat(many)}`), 'MALFORMED'))
  quickly(() => assert.ok(decodePlist(xml(`<string>${'&amp;'.repeat(many / 2)}</string>`))))
  quickly(() => assert.equal(decodePlist(xml(`<string>${'<![CDATA[]]>'.repeat(many / 4)}</string>`)), ''))
})

test('a large setting does not let text exhaust a pattern', () => {
  const large = { maxBytes: 2 ** 26 }
  quickly(() => refused(Buffer.from(`<!DOCTYPE plist SYSTEM "${'x'.repeat(2 ** 24)}`), 'MALFORMED', large))
  quickly(() => assert.ok(decodePlist(xml(`<data>${' '.repeat(2 ** 24)}</data>`), large)))
})

test('values without end or beyond 512 levels are not written', () => {
  const round: PlistInput[] = []
  round.push(round, round)
  for (const encode of [encodeXmlPlist, encodeBinaryPlist]) {
    for (const value of [round, nestedValue(514)]) {
      assert.throws(
        () => encode(value),
        (error: unknown) => error instanceof BulkheadError && error.code === 'LIMIT',
      )
    }
    assert.ok(decodePlist(encode(nestedValue(512)), { maxDepth: 512 }))
  }
})
