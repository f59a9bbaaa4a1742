import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { decodeBundle, decodeTilePath, encodeBundle, grownTiles, narrowBundle, tilePath } from './tile.ts'

test('tile paths are those of the specification', () => {
  assert.equal(tilePath({ level: 0, index: 1234067, width: 256 }), 'tile/0/x001/x234/067')
  assert.equal(tilePath({ level: 0, index: 0, width: 1 }), 'tile/0/000.p/1')
  assert.equal(tilePath({ level: 3, index: 1000, width: 255 }), 'tile/3/x001/000.p/255')
  assert.equal(tilePath({ level: 'entries', index: 7, width: 256 }), 'tile/entries/007')
})

test('every tile has one path, which leads back to it', () => {
  const level = fc.oneof(fc.integer({ min: 0, max: 7 }), fc.constant('entries' as const))
  const tile = fc.record({ level, index: fc.nat(2 ** 31), width: fc.integer({ min: 1, max: 256 }) })
  fc.assert(fc.property(tile, each => assert.deepEqual({ ...decodeTilePath(tilePath(each)) }, { ...each })))
})

test('any other path is no tile', () => {
  const paths = [
    '',
    'tile',
    'tile/0/0',
    'tile/0/0000',
    'tile/00/000',
    'tile/8/000',
    'tile/-1/000',
    'tile/0/000.p/0',
    'tile/0/000.p/256',
  ]
  paths.push(
    'tile/0/000.p/01',
    'tile/0/x000/000',
    'tile/0/x001',
    'tile/0/x001/x002',
    'tile/0/../000',
    'tile/0/000/',
    '/tile/0/000',
  )
  paths.push('tile/data/000', 'tile/0/000.p/1/2', 'tile/0/000\n', 'tile/0/%300', `tile/0/${'x001/'.repeat(20)}000`)
  for (const path of paths) assert.equal(decodeTilePath(path), null, path)
})

test('growth names the tiles that changed: full ones and the partial one at the end', () => {
  const paths = (level: number | 'entries', from: number, to: number) => grownTiles(level, from, to).map(tilePath)
  assert.deepEqual(paths(0, 0, 0), [])
  assert.deepEqual(paths(0, 0, 3), ['tile/0/000.p/3'])
  assert.deepEqual(paths(0, 3, 3), [])
  assert.deepEqual(paths(0, 250, 600), ['tile/0/000', 'tile/0/001', 'tile/0/002.p/88'])
  assert.deepEqual(paths(0, 256, 512), ['tile/0/001'])
  assert.deepEqual(paths(1, 250, 600), ['tile/1/000.p/2'])
  assert.deepEqual(paths(1, 600, 700), [])
  assert.deepEqual(paths(2, 65535, 65536), ['tile/2/000.p/1'])
  assert.deepEqual(paths('entries', 255, 257), ['tile/entries/000', 'tile/entries/001.p/1'])
})

test('an entry bundle holds its entries again, and its beginning is a narrower bundle', () => {
  const bundles = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 20 })
  fc.assert(
    fc.property(bundles, entries => {
      const bytes = encodeBundle(entries)
      const decoded = decodeBundle(bytes, entries.length)
      assert.deepEqual(
        decoded.map(entry => entry.toString('hex')),
        entries.map(entry => Buffer.from(entry).toString('hex')),
      )
      const half = Math.floor(entries.length / 2)
      assert.deepEqual(narrowBundle(bytes, half), encodeBundle(entries.slice(0, half)))
    }),
  )
})

test('a bundle cut anywhere, or with more behind it, is refused', () => {
  const bytes = encodeBundle([Buffer.from('one'), Buffer.from('two')])
  for (let end = 0; end < bytes.length; end++)
    assert.throws(() => decodeBundle(bytes.subarray(0, end), 2), { code: 'MALFORMED' })
  assert.throws(() => decodeBundle(Buffer.concat([bytes, Buffer.of(0)]), 2), { code: 'MALFORMED' })
  assert.throws(() => encodeBundle([Buffer.alloc(65536)]), { code: 'LIMIT' })
})
