import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BulkheadError, type ErrorCode } from '../../base/errors.ts'
import { Fields } from './fields.ts'
import { MAX_BYTES, MAX_DEPTH, MAX_ELEMENTS, readBer, readDer } from './read.ts'
import { bitsOf, booleanOf, integerOf, octetsOf, oidOf, smallIntegerOf, textOf, timeOf } from './values.ts'
import * as write from './write.ts'

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex')
const code = (expected: ErrorCode) => (error: unknown) => error instanceof BulkheadError && error.code === expected
const refused = (text: string, read = readDer) => assert.throws(() => read(hex(text)), code('MALFORMED'), text)

test('what is written is read back, at every size of length', () => {
  for (const size of [0, 1, 0x7f, 0x80, 0xff, 0x100, 0xffff, 0x10000, 0x1000000 - 5]) {
    const body = Buffer.alloc(size, 7)
    assert.deepEqual(octetsOf(readDer(write.octets(body))), body)
  }
})

test('DER that is not the one form is refused', () => {
  refused('04 81 01 00') // a length in two octets that fits in one
  refused(`04 82 00 80${'00'.repeat(128)}`)
  refused('30 80 00 00') // indefinite
  refused('24 03 04 01 00') // a string in pieces
  refused('05 00 00') // bytes after the end
  refused('1f 81 01 00') // a long tag
  refused('00 00')
  refused('04 85 00 00 00 00 01 00') // a length of five octets
  refused('04 02 00')
  refused('30 03 04 02 00')
  refused('30 06 30 02 04 02 05 00') // a child longer than its parent
  refused('')
  refused('30')
})

test('BER strings in pieces of any nesting are joined', () => {
  const nested = readBer(hex('24 80 04 01 61 24 80 04 01 62 24 03 04 01 63 00 00 04 00 00 00'))
  assert.equal(octetsOf(nested).toString(), 'abc')
  assert.equal(octetsOf(readBer(hex('24 00'))).length, 0)
  assert.equal(octetsOf(readBer(hex('04 82 00 01 61'))).toString(), 'a')
  assert.deepEqual(write.canonical(nested), hex('04 03 61 62 63'))
  assert.throws(() => octetsOf(readBer(hex('24 03 02 01 00'))), code('MALFORMED'))
})

test('an indefinite length that never ends is refused', () => {
  refused('30 80', readBer)
  refused('30 80 00', readBer)
  refused('30 80 04 01 00', readBer)
  refused('30 04 30 80 00 00 00 00', readBer) // ends beside its parent
  refused('30 03 30 80 00 00 00', readBer) // the end is outside of its parent
  refused('30 80 30 03 30 80 00 00 00', readBer) // the end is half outside of its parent
  refused('04 80 00 00', readBer)
  refused('00 00', readBer)
})

test('depth, number and size are limited', () => {
  const deep = (levels: number) => Buffer.concat([Buffer.alloc(2 * levels, hex('30 80')), Buffer.alloc(2 * levels)])
  readBer(deep(MAX_DEPTH))
  assert.throws(() => readBer(deep(MAX_DEPTH + 1)), code('LIMIT'))
  assert.throws(() => readBer(Buffer.alloc(1_000_000, hex('30 80'))), code('LIMIT'))
  const many = (count: number) => write.element(0x30, Buffer.alloc(2 * count, hex('05 00')))
  readDer(many(MAX_ELEMENTS - 1))
  assert.throws(() => readDer(many(MAX_ELEMENTS)), code('LIMIT'))
  assert.throws(() => readDer(Buffer.alloc(MAX_BYTES + 1)), code('LIMIT'))
})

test('object identifiers are read and written, arcs of any size', () => {
  for (const dotted of [
    '0.9.2342.19200300.100.1.1',
    '1.2.840.113549.1.1.11',
    '2.5.4.3',
    '1.39.1',
    '2.999.3',
    '2.0.0',
  ]) {
    assert.equal(oidOf(readDer(write.oid(dotted))), dotted)
  }
  const uuid = '2.25.340282366920938463463374607431768211455'
  assert.equal(oidOf(readDer(write.oid(uuid))), uuid)
  assert.deepEqual(write.oid('1.2.840.113549'), hex('06 06 2a 86 48 86 f7 0d'))
  for (const bad of ['06 00', '06 01 80', '06 02 2a 80', '06 03 2a 80 01', `06 41 ${'01'.repeat(65)}`]) {
    assert.throws(() => oidOf(readDer(hex(bad))), code('MALFORMED'), bad)
  }
  assert.throws(() => write.oid('not one'), code('BAD_REQUEST'))
})

test('numbers are the shortest form and keep their sign', () => {
  assert.deepEqual(write.integer(0), hex('02 01 00'))
  assert.deepEqual(write.integer(127), hex('02 01 7f'))
  assert.deepEqual(write.integer(128), hex('02 02 00 80'))
  assert.deepEqual(write.integer(hex('00 00 ff')), hex('02 02 00 ff'))
  assert.deepEqual(write.integer(Number.MAX_SAFE_INTEGER), hex('02 07 1f ff ff ff ff ff ff'))
  assert.deepEqual(write.integer(hex('')), hex('02 01 00'))
  assert.deepEqual(integerOf(readDer(hex('02 01 ff'))), hex('ff'))
  assert.equal(smallIntegerOf(readDer(hex('02 02 01 00'))), 256)
  for (const bad of ['02 00', '02 02 00 7f', '02 02 ff 80']) {
    assert.throws(() => integerOf(readDer(hex(bad))), code('MALFORMED'), bad)
  }
  assert.throws(() => smallIntegerOf(readDer(hex('02 01 ff'))), code('MALFORMED'))
  assert.throws(() => smallIntegerOf(readDer(hex('02 05 01 00 00 00 00'))), code('MALFORMED'))
})

test('texts of every type are read', () => {
  assert.equal(textOf(readDer(write.utf8('Zoë'))), 'Zoë')
  assert.equal(textOf(readDer(write.printable('a b'))), 'a b')
  assert.equal(textOf(readDer(write.ia5('a@b'))), 'a@b')
  assert.equal(textOf(readDer(hex('1e 04 00 41 00 42'))), 'AB')
  assert.equal(textOf(readDer(hex('14 01 eb'))), 'ë')
  assert.throws(() => textOf(readDer(hex('0c 01 eb'))), code('MALFORMED'))
  assert.throws(() => textOf(readDer(hex('1e 01 00'))), code('MALFORMED'))
  assert.throws(() => textOf(readDer(hex('02 01 00'))), code('MALFORMED'))
  assert.throws(() => write.printable('Zoë'), code('BAD_REQUEST'))
})

test('times change their form in 2050 and never roll over', () => {
  const roundTrip = (iso: string) => timeOf(readDer(write.time(new Date(iso)))).toISOString()
  for (const iso of ['1970-01-01', '1999-12-31', '2000-02-29', '2049-12-31', '2050-01-01', '9999-12-31']) {
    assert.equal(roundTrip(iso), `${iso}T00:00:00.000Z`)
  }
  assert.equal(write.time(new Date('2049-12-31'))[0], 0x17)
  assert.equal(write.time(new Date('2050-01-01'))[0], 0x18)
  const utc = (text: string) => timeOf(readDer(write.element(0x17, Buffer.from(text))))
  assert.equal(utc('500101000000Z').getUTCFullYear(), 1950)
  for (const bad of ['260431000000Z', '260101240000Z', '2601010000Z', '260101000000+0100', '26010100000aZ', '']) {
    assert.throws(() => utc(bad), code('MALFORMED'), bad)
  }
  const generalized = (text: string) => timeOf(readDer(write.element(0x18, Buffer.from(text))))
  assert.throws(() => generalized('00500101000000Z'), code('MALFORMED'))
  assert.throws(() => generalized('20500101000000.5Z'), code('MALFORMED'))
  assert.throws(() => write.time(new Date(Number.NaN)), code('BAD_REQUEST'))
})

test('bits are whole octets and booleans one', () => {
  assert.deepEqual(bitsOf(readDer(write.bits(hex('0102')))), hex('0102'))
  assert.throws(() => bitsOf(readDer(hex('03 00'))), code('MALFORMED'))
  assert.throws(() => bitsOf(readDer(hex('03 02 01 00'))), code('MALFORMED'))
  assert.equal(booleanOf(readDer(write.boolean(true))), true)
  assert.equal(booleanOf(readDer(write.boolean(false))), false)
  assert.throws(() => booleanOf(readDer(hex('01 00'))), code('MALFORMED'))
})

test('sets are written in ascending order, and sorted when made canonical', () => {
  const parts = [write.octets(hex('02')), write.octets(hex('01')), write.integer(1)]
  assert.deepEqual(write.set(parts), hex('31 09 02 01 01 04 01 01 04 01 02'))
  const read = readBer(hex('31 80 04 01 02 24 80 04 01 01 00 00 02 01 01 00 00'))
  assert.deepEqual(write.canonical(read), write.set(parts))
})

test('a structure says which part is wrong', () => {
  const fields = () => new Fields(readDer(write.sequence(write.integer(1), write.nothing())), 0x30, 'thing')
  assert.throws(() => fields().next(0x04), /thing: tag 02 where 04 belongs/)
  assert.throws(() => fields().end(), /more parts/)
  const all = fields()
  assert.equal(all.optional(0x04), undefined)
  all.next(0x02)
  all.optional(0x05)
  all.end()
  assert.throws(() => all.any(), /a part is missing/)
})
