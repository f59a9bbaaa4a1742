import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { logKey } from '../../test/support/pasts.ts'
import { encodeCheckpoint } from '../wire/tlog/checkpoint.ts'
import { leafHash, treeRoot } from '../wire/tlog/merkle.ts'
import { noteSigner, signNote, vkeyOf } from '../wire/tlog/note.ts'
import { decodeTilePath, encodeBundle } from '../wire/tlog/tile.ts'
import { openDisk } from './disk.ts'
import { HashTree } from './hashes.ts'
import { mirrorLog } from './mirror.ts'

const place = mkdtempSync(join(tmpdir(), 'bhmir-'))
after(() => rmSync(place, { recursive: true, force: true }))
const origin = 'office/main'
const key = logKey()
const log = vkeyOf(origin, 1, key)
let folders = 0
const newDir = () => join(place, String(folders++))

type Fetch = (path: string, limit: number) => Promise<Buffer | null>

/** A log as it is served, of any size, with a past of its own from entry `parted` on. */
function source(parted = Number.POSITIVE_INFINITY) {
  const tree = new HashTree()
  const entries: Buffer[] = []
  const asked: string[] = []
  let size = 0
  const fetch: Fetch = async path => {
    asked.push(path)
    if (path === 'checkpoint') return Buffer.from(checkpoint())
    const tile = decodeTilePath(path)
    if (!tile) return null
    const first = tile.index * 256
    if (tile.level === 'entries') return encodeBundle(entries.slice(first, first + tile.width))
    return Buffer.from(tree.tile(tile.level, tile.index, tile.width))
  }
  const checkpoint = () =>
    signNote(encodeCheckpoint({ origin, size, root: treeRoot(size, tree.read) }), [noteSigner(origin, key)])
  function grow(to: number) {
    for (; size < to; size++) {
      const entry = Buffer.from(`{"at":${size},"other":${size >= parted}}`)
      entries.push(entry)
      tree.append(leafHash(entry))
    }
    return { fetch, asked, checkpoint, grow }
  }
  return grow(0)
}

const copy = (dir: string, fetch: Fetch) => mirrorLog({ disk: openDisk(), dir, log, fetch })
const files = (dir: string) =>
  (existsSync(dir) ? readdirSync(dir, { recursive: true, withFileTypes: true }) : [])
    .filter(entry => entry.isFile() && !entry.name.endsWith('.sync'))
    .map(({ parentPath, name }) => join(parentPath, name))
    .sort()
const contents = (dir: string) => files(dir).map(path => [path, readFileSync(path, 'latin1')])

test('a mirror of every size holds what the log holds, and a later run fetches only what is new', async () => {
  const dir = newDir()
  const { grow, fetch, asked, checkpoint } = source()
  for (const size of [0, 1, 2, 255, 256, 257, 511, 700, 65_535, 65_536, 65_800]) {
    grow(size)
    asked.length = 0
    assert.equal((await copy(dir, fetch)).to, size)
    if (size === 65_800) assert.ok(asked.length < 15, asked.join())
    assert.equal(readFileSync(join(dir, 'checkpoint'), 'utf8'), checkpoint())
  }
  for (const path of files(dir).filter(path => path.includes('/tile/') && !path.includes('.p/')))
    assert.deepEqual(readFileSync(path), await fetch(path.slice(dir.length + 1), 0), path)
  assert.equal(files(dir).filter(path => /entries.*\d$/.test(path) && !path.includes('.p/')).length, 257)
  asked.length = 0
  assert.deepEqual(await copy(dir, fetch), { from: 65_800, to: 65_800, fetched: 3 })
})

test('a fork is refused at every size, and the copy stays as it was with the evidence beside it', async () => {
  for (const [size, parted, grown] of [
    [300, 299, 300],
    [300, 10, 700],
    [256, 255, 70_000],
    [1, 0, 2],
  ] as const) {
    const dir = newDir()
    await copy(dir, source().grow(size).fetch)
    const before = contents(dir)
    const other = source(parted).grow(grown)
    await assert.rejects(copy(dir, other.fetch), { code: 'REFUSED', message: /forked/ })
    const evidence = join(dir, 'checkpoint.refused')
    assert.equal(readFileSync(evidence, 'utf8'), other.checkpoint())
    assert.deepEqual(
      contents(dir).filter(([path]) => path !== evidence),
      before,
    )
    assert.equal((await copy(dir, source().grow(grown).fetch)).to, grown)
  }
})

test('a log that shrank is refused', async () => {
  const dir = newDir()
  await copy(dir, source().grow(300).fetch)
  await assert.rejects(copy(dir, source().grow(299).fetch), {
    code: 'REFUSED',
    message: /299 entries and has shown 300/,
  })
})

test('no tile and no entry is taken that does not lead to the signed root, whichever of them is changed', async () => {
  const { fetch, asked } = source().grow(66_000)
  await copy(newDir(), fetch)
  const kinds = ['tile/2/000.p/1', 'tile/1/000', 'tile/1/001.p/1', 'tile/0/000', 'tile/0/256', 'tile/0/257.p/208']
  for (const path of [...kinds, 'tile/entries/000', 'tile/entries/257.p/208']) {
    assert.ok(asked.includes(path), path)
    for (const change of [
      (bytes: Buffer) => bytes.with(bytes.length - 1, bytes.at(-1)! ^ 1),
      (bytes: Buffer) => bytes.subarray(0, -32),
    ]) {
      const dir = newDir()
      const lying: Fetch = async (asked, limit) => {
        const bytes = (await fetch(asked, limit))!
        return asked === path ? Buffer.from(change(bytes)) : bytes
      }
      await assert.rejects(copy(dir, lying), (error: Error & { code: string }) =>
        ['UNPROVEN', 'MALFORMED'].includes(error.code),
      )
      for (const [file] of contents(dir)) assert.ok(!file!.endsWith(`/${path}`) && !file!.endsWith('checkpoint'), path)
    }
  }
})

test('a checkpoint of another key or another log is not believed', async () => {
  const { fetch } = source().grow(3)
  const stranger = vkeyOf(origin, 1, logKey())
  await assert.rejects(mirrorLog({ disk: openDisk(), dir: newDir(), log: stranger, fetch }), { code: 'UNPROVEN' })
  const elsewhere = vkeyOf('office/control', 1, key)
  await assert.rejects(mirrorLog({ disk: openDisk(), dir: newDir(), log: elsewhere, fetch }), { code: 'UNPROVEN' })
})

test('a mirror cut off anywhere goes on where it stopped and fetches nothing twice that was whole', async () => {
  const dir = newDir()
  const { fetch, asked } = source().grow(5000)
  for (let left = 5; ; left += 12) {
    let budget = left
    const mortal: Fetch = (path, limit) => {
      if (budget-- <= 0) throw new Error('killed')
      return fetch(path, limit)
    }
    const done = await copy(dir, mortal).catch(error => assert.match(String(error), /killed/))
    if (done) break
    assert.ok(!existsSync(join(dir, 'checkpoint')))
  }
  const twice = Map.groupBy(asked, path => path)
  // What was under way in the group that was cut off is fetched again, never more often than there were cuts.
  for (const [path, times] of twice)
    if (path.startsWith('tile/') && !path.includes('.p/')) assert.ok(times.length <= 3, `${path} ${times.length}`)
})

test('what was changed in the mirror itself is not believed when the next head is checked', async () => {
  const dir = newDir()
  const { grow, fetch } = source()
  grow(600)
  await copy(dir, fetch)
  const path = join(dir, 'tile/0/001')
  const bytes = readFileSync(path)
  writeFileSync(path, bytes.with(0, bytes[0]! ^ 1))
  await copy(dir, grow(1100).fetch)
  assert.equal((await copy(dir, fetch)).to, 1100)
})
