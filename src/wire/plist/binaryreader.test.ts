import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodePlist } from './plist.ts'
import { binary, dict, refused, SAMPLES } from './samples.test.ts'

const TRUE = [0x09]

function chars(text: string): number[] {
  return [0x50 | text.length, ...Buffer.from(text, 'latin1')]
}

function malformed(...objects: number[][]): void {
  refused(binary(objects), 'MALFORMED')
}

test('each kind of object is read', () => {
  const read = (object: number[]) => decodePlist(binary([object]))
  assert.equal(read([0x08]), false)
  assert.equal(read(TRUE), true)
  assert.equal(read([0x10, 0xff]), 255)
  assert.equal(read([0x12, 0xff, 0xff, 0xff, 0xff]), 4294967295)
  assert.equal(read([0x13, ...Array<number>(8).fill(0xff)]), -1)
  assert.equal(read([0x13, 0x7f, ...Array<number>(7).fill(0xff)]), 2n ** 63n - 1n)
  assert.equal(read([0x14, ...Array<number>(8).fill(0), ...Array<number>(8).fill(0xff)]), 2n ** 64n - 1n)
  assert.equal(read([0x22, 0x3f, 0xc0, 0, 0]), 1.5)
  assert.deepStrictEqual(read([0x33, 0, 0, 0, 0, 0, 0, 0, 0]), new Date('2001-01-01T00:00:00Z'))
  assert.deepStrictEqual(read([0x42, 1, 2]), new Uint8Array([1, 2]))
  assert.equal(read([0x5f, 0x10, 0x02, 0x41, 0x42]), 'AB')
  assert.equal(read([0x62, 0xd8, 0x3d, 0xde, 0x00]), '😀')
  assert.deepStrictEqual(read([0xa0]), [])
  assert.deepStrictEqual(decodePlist(binary([[0xd1, 1, 2], chars('__proto__'), TRUE])), dict([['__proto__', true]]))
})

test('decoded data shares no memory with the input', () => {
  const bytes = binary([[0x42, 1, 2]])
  const read = decodePlist(bytes)
  bytes.fill(0)
  assert.deepStrictEqual(read, new Uint8Array([1, 2]))
})

test('objects of unknown kinds and sizes are refused', () => {
  for (const marker of [
    0x00, 0x07, 0x0c, 0x0f, 0x15, 0x20, 0x21, 0x24, 0x30, 0x32, 0x70, 0x80, 0x90, 0xb0, 0xc0, 0xe0, 0xf0,
  ]) {
    malformed([marker, ...Array<number>(32).fill(0)])
  }
})

test('integers of 16 bytes must fit 64 bits', () => {
  malformed([0x14, ...Array<number>(7).fill(0), 1, ...Array<number>(8).fill(0)])
  malformed([0x14, ...Array<number>(8).fill(0xff), ...Array<number>(8).fill(0)])
})

test('reals and dates that are not finite are refused', () => {
  malformed([0x23, 0x7f, 0xf0, 0, 0, 0, 0, 0, 0])
  malformed([0x22, 0x7f, 0xc0, 0, 0])
  malformed([0x33, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0])
  malformed([0x33, 0x7e, 0, 0, 0, 0, 0, 0, 0])
})

test('strings with wrong characters are refused', () => {
  malformed([0x51, 0x80])
  malformed([0x51, 0x00])
  malformed([0x61, 0x00, 0x00])
  malformed([0x61, 0xd8, 0x3d])
  malformed([0x62, 0xde, 0x00, 0xd8, 0x3d])
})

test('objects that reach past the object area are refused', () => {
  malformed([0x12, 0, 0, 0])
  malformed([0x55, 0x41])
  malformed([0x62, 0, 0x41])
  malformed([0x42, 1])
  malformed([0xa2, 1], TRUE)
  malformed([0xaf])
  malformed([0x5f, 0x09])
  malformed([0x5f, 0x14, ...Array<number>(16).fill(0)])
  for (const kind of [0x4f, 0x5f, 0x6f, 0xaf, 0xdf]) malformed([kind, 0x13, ...Array<number>(8).fill(0xff)])
})

test('references out of range, keys that are no strings and keys that occur twice are refused', () => {
  malformed([0xa1, 9])
  malformed([0xd1, 1, 1], TRUE)
  malformed([0xd2, 1, 1, 2, 2], chars('a'), TRUE)
  malformed([0xd2, 1, 2, 3, 3], chars('a'), chars('a'), TRUE)
})

test('containers that hold themselves are refused', () => {
  malformed([0xa1, 0])
  malformed([0xa1, 1], [0xd1, 2, 0], chars('a'))
})

test('trailers that do not describe the document are refused', () => {
  const wrong: ((trailer: Buffer) => void)[] = [
    trailer => trailer.fill(1, 0, 1),
    trailer => trailer.fill(0, 6, 7),
    trailer => trailer.fill(9, 6, 7),
    trailer => trailer.fill(0, 7, 8),
    trailer => trailer.fill(0xff, 7, 8),
    trailer => trailer.writeBigUInt64BE(0n, 8),
    trailer => trailer.writeBigUInt64BE(2n, 8),
    trailer => trailer.writeBigUInt64BE(2n ** 64n - 1n, 8),
    trailer => trailer.writeBigUInt64BE(1n, 16),
    trailer => trailer.writeBigUInt64BE(2n ** 64n - 1n, 16),
    trailer => trailer.writeBigUInt64BE(0n, 24),
    trailer => trailer.writeBigUInt64BE(8n, 24),
    trailer => trailer.writeBigUInt64BE(2n ** 64n - 1n, 24),
  ]
  assert.equal(decodePlist(binary([TRUE])), true)
  for (const change of wrong) assert.throws(() => decodePlist(binary([TRUE], change)), { name: 'BulkheadError' })
})

test('offsets outside the object area are refused', () => {
  for (const offset of [0, 7, 9, 255]) {
    const bytes = binary([TRUE])
    bytes[9] = offset
    refused(bytes, 'MALFORMED')
  }
})

test('a truncated or extended document is refused', () => {
  const bytes = SAMPLES[1]!
  for (let length = 0; length < bytes.length; length++) refused(bytes.subarray(0, length), 'MALFORMED')
  refused(Buffer.concat([bytes, Buffer.of(0)]), 'MALFORMED')
})

test('a gap between the parts is refused', () => {
  const bytes = binary([TRUE])
  refused(Buffer.concat([bytes.subarray(0, 10), Buffer.of(0), bytes.subarray(10)]), 'MALFORMED')
})

test('other versions of the format are refused', () => {
  const bytes = binary([TRUE])
  bytes[7] = 0x31
  refused(bytes, 'MALFORMED')
})
