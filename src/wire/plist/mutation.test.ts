import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { BulkheadError } from '../../base/errors.ts'
import { value } from './arbitrary.test.ts'
import { decodePlist, encodeBinaryPlist, encodeXmlPlist } from './plist.ts'
import { SAMPLES } from './samples.test.ts'

type Edit = { readonly at: number; readonly cut: number; readonly put: Uint8Array }

const TOKENS = [
  '<',
  '</',
  '>',
  '/>',
  '<dict>',
  '</dict>',
  '<key>',
  '</key>',
  '&',
  '&#',
  ';',
  '<!--',
  '-->',
  '<![CDATA[',
  ']]>',
]
const token = fc
  .constantFrom(...TOKENS, '<!DOCTYPE', '<?', '\0', '__proto__')
  .map(made => new TextEncoder().encode(made))
const edit: fc.Arbitrary<Edit> = fc.record({
  at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
  cut: fc.oneof(fc.constant(1), fc.nat(40)),
  put: fc.oneof(fc.uint8Array({ minLength: 1, maxLength: 1 }), fc.uint8Array({ maxLength: 9 }), token),
})

function apply(bytes: Uint8Array, { at, cut, put }: Edit): Uint8Array {
  const start = Math.floor(at * bytes.length)
  return Buffer.concat([bytes.subarray(0, start), put, bytes.subarray(start + cut)])
}

/** One byte changed and nothing moved, so that the binary trailer still points at something. */
function poke(bytes: Uint8Array, { at, put }: Edit): Uint8Array {
  const changed = new Uint8Array(bytes)
  if (put.length > 0 && changed.length > 0) changed[Math.floor(at * changed.length)] = put[0]!
  return changed
}

function survives(bytes: Uint8Array): void {
  const start = process.threadCpuUsage()
  try {
    encodeBinaryPlist(decodePlist(bytes))
  } catch (error) {
    assert.ok(error instanceof BulkheadError, `leaked: ${error}`)
    assert.ok(error.code === 'MALFORMED' || error.code === 'LIMIT')
  }
  assert.ok(process.threadCpuUsage(start).user < 1_000_000, 'it took over a second')
}

test('changed samples are read or refused, and nothing else happens', () => {
  const changed = fc.tuple(fc.constantFrom(...SAMPLES), fc.array(edit, { minLength: 1, maxLength: 4 }))
  fc.assert(
    fc.property(changed, ([sample, edits]) => {
      survives(edits.reduce(apply, sample))
      survives(edits.reduce(poke, sample))
    }),
    { numRuns: 4000 },
  )
})

test('changed documents of any shape are read or refused, and nothing else happens', () => {
  fc.assert(
    fc.property(value, edit, (made, change) => {
      for (const encode of [encodeXmlPlist, encodeBinaryPlist]) {
        survives(apply(encode(made), change))
        survives(poke(encode(made), change))
      }
    }),
    { numRuns: 150 },
  )
})

test('every value of every byte of a binary sample is read or refused', () => {
  const sample = new Uint8Array(SAMPLES[1]!)
  for (let at = 0; at < sample.length; at++) {
    const kept = sample[at]!
    for (const byte of [0, 1, 2, 8, 0x0f, 0x4f, 0x5f, 0x6f, 0x7f, 0x80, 0xaf, 0xdf, 0xff, kept ^ 1, kept ^ 0x10]) {
      sample[at] = byte
      survives(sample)
    }
    sample[at] = kept
  }
})

test('random bytes behind the binary magic are refused or read', () => {
  const junk = fc.uint8Array({ maxLength: 200 }).map(bytes => Buffer.concat([Buffer.from('bplist00'), bytes]))
  fc.assert(fc.property(junk, survives), { numRuns: 2000 })
})
