import assert from 'node:assert/strict'
import { randomBytes, randomUUID } from 'node:crypto'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { BulkheadError } from '../../base/errors.ts'
import { type Disk, openDisk } from './disk.ts'
import { openKeyring, restoreKeyring } from './keyring.ts'
import type { Row } from './rows.ts'

const place = mkdtempSync(join(tmpdir(), 'bulkhead-keyring-'))
after(() => rmSync(place, { recursive: true, force: true }))
let folders = 0
const newDir = () => join(place, String(folders++))
const clock = () => 1_800_000_000
const open = (dir: string, more: { disk?: Disk; copyDir?: string } = {}) =>
  openKeyring({ dir, random: randomBytes, clock, ...more })
type Keyring = Awaited<ReturnType<typeof open>>

const unit = randomUUID()
const newRow = (fields: Partial<Row> = {}): Row => ({
  kind: 'person',
  id: randomUUID(),
  unit,
  version: 1,
  made: 1,
  body: randomBytes(32),
  key: randomBytes(32),
  ...fields,
})
const rowsOf = (count: number) => Array.from({ length: count }, () => newRow())
const put = (keyring: Keyring, rows: Row[]) => keyring.change(() => ({ type: 'rows', rows }))
const erase = (keyring: Keyring, places: Row[]) => keyring.changeForGood(() => ({ type: 'gone', places }))
const spend = (serial: number, people: string[]) => ({
  ...{ grant: 'grant', member: 'member', unit, serial, at: clock(), until: clock() + 100, people },
})
const filesOf = (dir: string) => readdirSync(dir).filter(name => !name.startsWith('lock') && name !== '.sync')
/** Every byte of every file. */
const bytesOf = (dir: string) => Buffer.concat(readdirSync(dir).map(name => readFileSync(join(dir, name))))
const keyFile = (dir: string) => readFileSync(join(dir, readdirSync(dir).find(name => name.endsWith('.key'))!))

test('what was written is there after a restart, readable by its owner alone, and never in clear on disk', async () => {
  const dir = newDir()
  const keyring = await open(dir)
  const rows = [...rowsOf(50), newRow({ kind: 'device' }), newRow({ kind: 'text', version: 1_000_000_000 })]
  await put(keyring, rows)
  await put(keyring, [{ ...rows[0]!, version: 2 }])
  await keyring.change(() => ({ type: 'spend', spend: spend(3, ['one', 'two']) }))
  const digest = keyring.digest('somebody')
  await keyring.close()
  for (let times = 0; times < 2; times++) {
    const again = await open(dir)
    assert.equal(again.size, 52)
    assert.deepEqual(again.find(rows[0]!), { ...rows[0]!, version: 2 })
    for (const row of rows.slice(1)) assert.deepEqual(again.find(row), row)
    assert.equal(again.digest('somebody'), digest)
    assert.throws(() => again.spending.check(spend(3, []), 10, []), { code: 'CONFLICT' })
    assert.equal(again.spending.check(spend(4, ['one', 'three']), 10, []).grant, 7)
    await again.close()
  }
  const bytes = bytesOf(dir)
  for (const { key, body } of rows) assert.ok(!bytes.includes(key) && !bytes.includes(body))
  for (const name of filesOf(dir)) assert.equal(statSync(join(dir, name)).mode & 0o777, 0o600)
})

test('what is erased opens with no key that still exists, and what lives stays', async () => {
  const dir = newDir()
  const keyring = await open(dir)
  const [gone, ...living] = rowsOf(200)
  await put(keyring, [gone!, ...living])
  await put(keyring, [{ ...gone!, version: 2 }])
  const oldKey = keyFile(dir)
  const before = new Map(filesOf(dir).map(name => [name, readFileSync(join(dir, name))]))
  const inode = statSync(join(dir, '00000001.key')).ino
  let overwritten = false
  const seen = openDisk()
  await keyring.close()
  const again = await open(dir, {
    disk: {
      ...seen,
      async overwrite(path, bytes) {
        overwritten ||= statSync(path).ino === inode
        await seen.overwrite(path, bytes)
      },
    },
  })
  const epoch = await erase(again, [gone!])
  assert.equal(again.find(gone!), undefined)
  assert.equal(again.epoch, epoch)
  assert.ok(overwritten, 'the old key was overwritten in its place')
  assert.deepEqual(filesOf(dir), [`0000000${epoch}.key`, `0000000${epoch}.snapshot`])
  const now = bytesOf(dir)
  assert.ok(!now.includes(oldKey))
  for (const bytes of before.values()) assert.ok(!now.includes(bytes.subarray(0, 40)))
  await again.close()
  const third = await open(dir)
  assert.equal(third.find(gone!), undefined)
  assert.equal(third.size, 199)
  for (const row of living) assert.deepEqual(third.find(row), row)
  await third.close()
})

test('a segment cut anywhere keeps every whole change, and drops the torn one', async () => {
  const origin = newDir()
  const keyring = await open(origin)
  const rows = rowsOf(3)
  const ends: number[] = []
  const segment = '00000001.segment'
  for (const row of rows) {
    await put(keyring, [row])
    ends.push(statSync(join(origin, segment)).size)
  }
  cpSync(origin, `${origin}-live`, { recursive: true })
  await keyring.close()
  const whole = readFileSync(join(`${origin}-live`, segment))
  const heads = [0, ...ends].flatMap(end => [-1, 0, 1, 7, 8, 9, 40].map(more => end + more))
  for (const length of heads.filter(length => length >= 0 && length <= whole.length)) {
    const dir = newDir()
    cpSync(`${origin}-live`, dir, { recursive: true })
    writeFileSync(join(dir, segment), whole.subarray(0, length))
    const again = await open(dir)
    assert.equal(again.size, ends.filter(end => end <= length).length, `cut at ${length}`)
    await put(again, [newRow()])
    await again.close()
    rmSync(dir, { recursive: true })
  }
})

test('damage in the middle is a fault that destroys nothing: the vault does not go on with fewer keys', async () => {
  const dir = newDir()
  const keyring = await open(dir)
  for (const row of rowsOf(3)) await put(keyring, [row])
  cpSync(dir, `${dir}-live`, { recursive: true })
  await keyring.close()
  const refuses = async (name: string, change: (bytes: Buffer) => Buffer | null) => {
    const copy = newDir()
    cpSync(`${dir}-live`, copy, { recursive: true })
    const bytes = change(readFileSync(join(copy, name)))
    if (bytes) writeFileSync(join(copy, name), bytes)
    else rmSync(join(copy, name))
    const before = filesOf(copy)
    await assert.rejects(open(copy), { code: 'INTERNAL' }, name)
    assert.deepEqual(filesOf(copy), before)
  }
  const flip = (at: number) => (bytes: Buffer) => bytes.fill(bytes.at(at)! ^ 1, at, at + 1)
  await refuses('00000001.segment', flip(0))
  await refuses('00000001.segment', flip(30))
  await refuses('00000001.segment', flip(7))
  await refuses('00000001.segment', bytes => bytes.subarray(bytes.readUInt32BE(0) + 8)) // the first change left out
  await refuses('00000001.snapshot', flip(60))
  await refuses('00000001.snapshot', bytes => bytes.subarray(0, -1))
  await refuses('00000001.snapshot', () => null)
  await refuses('00000001.key', flip(3))
  await refuses('00000001.key', () => null)
})

/** A disk that stops for ever at its n-th change, in the middle of it where that can be seen. */
function dyingDisk(steps: number, named: boolean): Disk {
  const disk = openDisk()
  let left = steps
  const step =
    <Args extends unknown[]>(act: (...args: Args) => Promise<void>, torn?: (...args: Args) => Promise<void>) =>
    async (...args: Args) => {
      if (--left > 0) return act(...args)
      if (left === 0 && torn) await torn(...args)
      throw new Error('the process is dead')
    }
  return {
    ...disk,
    put: step(disk.put, async (path, bytes) => {
      if (named) return disk.put(path, bytes) // it is there, and nobody knows it
      writeFileSync(`${path}.new`, bytes.subarray(0, bytes.length / 2))
    }),
    append: step(disk.append, (path, bytes) => disk.append(path, bytes.subarray(0, bytes.length - 5))),
    overwrite: step(disk.overwrite, (path, bytes) => disk.overwrite(path, bytes.subarray(0, bytes.length / 2))),
    remove: step(disk.remove, async path => rmSync(path, { force: true })),
    sync: step(disk.sync),
  }
}
const died = (error: unknown) =>
  assert.match(String(((error as Error).cause as Error)?.message ?? error), /the process is dead/)

for (const named of [false, true])
  test(`a vault killed at any step loses no living key and brings back none that was erased (${named ? 'after' : 'within'} a write)`, async () => {
    let survived = false
    for (let steps = 1; !survived; steps++) {
      const dir = newDir()
      const living = new Map<string, Row>()
      const erased = new Set<Row>()
      const oldKeys: Buffer[] = []
      let asked: Row | undefined
      let keyring: Keyring | undefined
      try {
        keyring = await open(dir, { disk: dyingDisk(steps, named) })
        for (let round = 0; round < 3; round++) {
          const rows = rowsOf(4)
          await put(keyring, rows)
          for (const row of rows) living.set(row.id, row)
          await keyring.change(() => ({ type: 'spend', spend: spend(round + 1, [String(round)]) }))
          const [first] = rows
          const key = keyFile(dir)
          asked = first
          living.delete(first!.id)
          await erase(keyring, [first!])
          erased.add(first!)
          oldKeys.push(key)
        }
        survived = true
      } catch (error) {
        died(error)
      }
      await keyring?.close()
      rmSync(join(dir, 'lock'), { force: true })
      for (let times = 0; times < 2; times++) {
        const again = await open(dir)
        for (const row of living.values()) assert.deepEqual(again.find(row), row, `after ${steps} steps`)
        for (const row of erased) assert.equal(again.find(row), undefined)
        if (asked && !again.find(asked)) erased.add(asked) // begun before the crash: then it is completed
        await again.close()
        assert.deepEqual(filesOf(dir).length, 2, `${filesOf(dir)} after ${steps} steps`)
        for (const key of oldKeys) assert.ok(!bytesOf(dir).includes(key))
      }
      rmSync(dir, { recursive: true })
    }
  })

test('after a write that failed nothing is answered until the disk takes it, and then all is there', async () => {
  const dir = newDir()
  const disk = openDisk()
  let full = false
  const append: Disk['append'] = (path, bytes) =>
    full ? Promise.reject(new Error('no space')) : disk.append(path, bytes)
  const put_: Disk['put'] = (path, bytes) => (full ? Promise.reject(new Error('no space')) : disk.put(path, bytes))
  const keyring = await open(dir, { disk: { ...disk, append, put: put_ } })
  const [one, two] = rowsOf(2)
  await put(keyring, [one!])
  full = true
  await assert.rejects(put(keyring, [two!]), { code: 'UNAVAILABLE' })
  await assert.rejects(put(keyring, [two!]), { code: 'UNAVAILABLE' })
  assert.equal(keyring.find(two!), undefined)
  full = false
  await put(keyring, [two!])
  assert.deepEqual([keyring.find(one!), keyring.find(two!)], [one, two])
  await keyring.close()
})

test('a change that is refused changes nothing, and those behind it go on', async () => {
  const keyring = await open(newDir())
  const refusal = keyring.change(() => {
    throw new BulkheadError('CONFLICT', 'no')
  })
  const row = newRow()
  const other = put(keyring, [row])
  await assert.rejects(refusal, { code: 'CONFLICT' })
  await other
  assert.deepEqual(keyring.find(row), row)
  await keyring.close()
})

test('two vaults do not use one keyring', async () => {
  const dir = newDir()
  const keyring = await open(dir)
  await assert.rejects(open(dir), { code: 'CONFLICT' })
  await keyring.close()
})

test('the newest two copies are kept, none outlives an erasure, and one makes a lost keyring again', async () => {
  const [dir, copyDir] = [newDir(), newDir()]
  const copies = () => readdirSync(copyDir).filter(name => name.includes('copy'))
  const rows = rowsOf(20)
  for (let times = 0; times < 4; times++) {
    const keyring = await open(dir, { copyDir })
    await put(keyring, [rows[times]!])
    await keyring.close() // writes what waits
  }
  const keyring = await open(dir, { copyDir })
  await put(keyring, rows)
  assert.ok(copies().length <= 2)
  const keys = copies().map(name => readFileSync(join(copyDir, name)).subarray(0, 32))
  await erase(keyring, [rows[0]!])
  assert.equal(copies().length, 1)
  for (const key of keys) assert.ok(!bytesOf(copyDir).includes(key))
  const last = newRow()
  await put(keyring, [last])
  await keyring.close()
  assert.equal(copies().length, 2)
  const lost = newDir()
  const copy = join(copyDir, copies().at(-1)!)
  await restoreKeyring({ dir: lost, copy, random: randomBytes })
  await assert.rejects(restoreKeyring({ dir: lost, copy, random: randomBytes }), { code: 'CONFLICT' })
  const again = await open(lost)
  assert.equal(again.size, 20)
  assert.deepEqual(again.find(last), last)
  assert.equal(again.find(rows[0]!), undefined)
  await again.close()
})

test('an erasure whose copies cannot be rewritten says so, and the next try completes it', async () => {
  const [dir, copyDir] = [newDir(), newDir()]
  const keyring = await open(dir, { copyDir })
  const [row] = rowsOf(1)
  await put(keyring, [row!])
  await erase(keyring, [newRow()])
  rmSync(copyDir, { recursive: true })
  writeFileSync(copyDir, 'no folder')
  await assert.rejects(erase(keyring, [row!]), { code: 'UNAVAILABLE' })
  rmSync(copyDir)
  await keyring.changeForGood(() => undefined)
  assert.equal(keyring.find(row!), undefined)
  assert.equal(readdirSync(copyDir).filter(name => name.endsWith('.copy')).length, 1)
  await keyring.close()
})

test('a hundred thousand records are opened, and a new epoch begun, within the time that erasing may take', async t => {
  const dir = newDir()
  const keyring = await open(dir)
  const rows = rowsOf(100_000)
  const began = performance.now()
  for (let at = 0; at < rows.length; at += 1000) await put(keyring, rows.slice(at, at + 1000))
  const wrote = performance.now()
  await erase(keyring, [rows[0]!])
  const erased = performance.now()
  await keyring.close()
  const again = await open(dir)
  const opened = performance.now()
  t.diagnostic(`written in ${Math.round(wrote - began)} ms, erased in ${Math.round(erased - wrote)} ms`)
  t.diagnostic(`opened in ${Math.round(opened - erased)} ms`)
  assert.equal(again.size, 99_999)
  await again.close()
})
