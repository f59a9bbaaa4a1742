import assert from 'node:assert/strict'
import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { verifierOf } from '../wire/tlog/cosignature.ts'
import { leafHash, verifyConsistency, verifyInclusion } from '../wire/tlog/merkle.ts'
import { decodeVkey, encodeVkey, vkeyOf } from '../wire/tlog/note.ts'
import { openPromise } from '../wire/tlog/promise.ts'
import { openProof } from '../wire/tlog/proof.ts'
import { ledgerFor } from './answer.ts'
import type { Appended, Conflict, NewEntry, Outcome, Refusal } from './api.ts'
import { openHead } from './checkpoint.ts'
import { type Disk, openDisk } from './disk.ts'
import { describeFindings, fsck } from './fsck.ts'
import { Sequence } from './sequence.ts'

const place = mkdtempSync(join(tmpdir(), 'bulkhead-ledger-'))
after(() => rmSync(place, { recursive: true, force: true }))
const [log, clockKeys] = [generateKeyPairSync('ed25519'), generateKeyPairSync('ed25519')]
const signing = {
  origin: 'office/main',
  key: log.privateKey,
  clockName: 'office/clock',
  clockKey: clockKeys.privateKey,
}
const publicSigning = { ...signing, key: log.publicKey, clockKey: clockKeys.publicKey }
const START = 1_800_000_000_000
let folders = 0
const newDir = () => join(place, String(folders++))

async function open(dir: string, disk: Disk = openDisk(), clock = () => START) {
  const sequence = await Sequence.open({ disk, dir, log: 'main', signing, clock })
  return { sequence, disk, ledger: ledgerFor('console', { main: sequence, control: sequence }, {} as never) }
}
const entryOf = (number: number): NewEntry => ({
  entry: `{"group":"d${number}","type":"group","unique":"group:${number}"}`,
})
const entriesOf = (count: number, from = 0) => Array.from({ length: count }, (_, at) => entryOf(from + at))
const indexes = (outcomes: Outcome[]) => outcomes.map(outcome => (outcome as Appended).index)
const check = (dir: string) => fsck({ disk: openDisk(), dir, log: 'main', signing: publicSigning })
const append = (ledger: ReturnType<typeof ledgerFor>, entries: NewEntry[]) => ledger.append({ log: 'main', entries })
const store = (sequence: Sequence) => {
  sequence.publish()
  return sequence.store()
}

test('an appended entry is promised at once and proved under the next checkpoint', async () => {
  const { sequence, ledger, disk } = await open(newDir())
  const [first] = (await append(ledger, entriesOf(3))) as Appended[]
  const promise = openPromise(Buffer.from(first!.promise, 'base64'), log.publicKey)
  assert.deepEqual(promise, { origin: 'office/main', leafHash: first!.leafHash, maxIndex: 0, time: START })
  await assert.rejects(ledger.prove({ log: 'main', index: 0 }), { code: 'UNAVAILABLE' })
  await store(sequence)
  const { hashes, checkpoint, size } = await ledger.prove({ log: 'main', index: 0 })
  assert.equal(size, 3)
  const proof = { index: 0, hashes: hashes.map(hash => Buffer.from(hash, 'base64')), checkpoint: checkpoint! }
  const vkey = decodeVkey(encodeVkey(vkeyOf('office/main', 1, createPublicKey(log.privateKey))))
  assert.equal(openProof(proof, Buffer.from(entryOf(0).entry), 'office/main', verifierOf(vkey)).size, 3)
  await disk.close()
})

test('every proof of a log of some thousand entries verifies, over bundles, tail and restart', async () => {
  const dir = newDir()
  const first = await open(dir)
  for (let at = 0; at < 1500; at += 250) await append(first.ledger, entriesOf(250, at))
  const early = first.sequence.publish()
  await append(first.ledger, entriesOf(37, 1500))
  await first.disk.close()
  const { sequence, ledger, disk } = await open(dir)
  assert.equal(sequence.head.size, 1537)
  for (let index = 0; index < 1537; index += 13) {
    const { hashes } = await ledger.prove({ log: 'main', index })
    const { entry } = await ledger.entry({ log: 'main', index })
    assert.equal(entry, entryOf(index).entry)
    verifyInclusion(
      index,
      1537,
      leafHash(Buffer.from(entry)),
      hashes.map(hash => Buffer.from(hash, 'base64')),
      sequence.head.root,
    )
  }
  const { hashes } = await ledger.consistency({ log: 'main', from: 1500, to: 1537 })
  verifyConsistency(
    1500,
    1537,
    early.root,
    sequence.head.root,
    hashes.map(hash => Buffer.from(hash, 'base64')),
  )
  assert.deepEqual(
    await ledger.find({ log: 'main', unique: 'group:1033' }),
    await ledger.entry({ log: 'main', index: 1033 }),
  )
  assert.deepEqual(check(dir), { size: 1537, findings: [] })
  await disk.close()
})

test('a unique key is used up once, the same entry again gets its first place, also after a restart', async () => {
  const dir = newDir()
  const other = { entry: '{"device":"d9","type":"group","unique":"group:1"}' }
  const before = await open(dir)
  assert.deepEqual(indexes(await append(before.ledger, [...entriesOf(3), entryOf(1)])), [0, 1, 2, 1])
  await before.disk.close()
  const { ledger, disk } = await open(dir)
  const [again, conflict, fresh] = await append(ledger, [entryOf(1), other, entryOf(3)])
  assert.equal((again as Appended).index, 1)
  assert.deepEqual(conflict, { code: 'CONFLICT', index: 1 } satisfies Conflict)
  assert.equal((fresh as Appended).index, 3)
  assert.equal(await ledger.find({ log: 'main', unique: 'group:77' }), null)
  await disk.close()
})

test('of many who race for one unique key, one wins and the others learn where', async () => {
  const { ledger, disk } = await open(newDir())
  const racers = Array.from({ length: 20 }, (_, racer) => ({
    entry: `{"racer":${racer},"type":"group","unique":"group:x"}`,
  }))
  const outcomes = (await Promise.all(racers.map(racer => append(ledger, [racer])))).flat()
  assert.equal(outcomes.filter(outcome => 'promise' in outcome).length, 1)
  assert.equal(outcomes.filter(outcome => 'code' in outcome && outcome.code === 'CONFLICT').length, 19)
  await disk.close()
})

test('a refused entry does not hold up the others', async () => {
  const { sequence, ledger, disk } = await open(newDir())
  const bad: [string, string][] = [
    ['{"type":"certificate"}', 'FORBIDDEN'], // the vault's
    ['{"type":"toString"}', 'FORBIDDEN'],
    ['{"type":"group","device":"d"}', 'BAD_REQUEST'], // not canonical
    ['{"device":"a","device":"b","type":"group"}', 'BAD_REQUEST'], // a name twice
    ['{"type":"group","unique":"consumed:1"}', 'BAD_REQUEST'], // another type's key
    ['{"type":"group","unique":7}', 'BAD_REQUEST'],
    ['{"a":"\\ud800","type":"group"}', 'BAD_REQUEST'],
    ['{"n":1e400,"type":"group"}', 'BAD_REQUEST'],
    ['[]', 'BAD_REQUEST'],
    ['null', 'BAD_REQUEST'],
    ['{"a":1}', 'BAD_REQUEST'],
    ['{', 'BAD_REQUEST'],
    ['', 'BAD_REQUEST'],
    [`{"a":"${'x'.repeat(16_384)}","type":"group"}`, 'LIMIT'],
    [`{"a":${'['.repeat(5000)}${']'.repeat(5000)},"type":"group"}`, 'LIMIT'],
  ]
  const outcomes = await append(ledger, [entryOf(0), ...bad.map(([entry]) => ({ entry })), entryOf(1)])
  assert.deepEqual(
    outcomes.slice(1, -1).map(outcome => (outcome as Refusal).code),
    bad.map(([, code]) => code),
  )
  assert.deepEqual([(outcomes[0] as Appended).index, (outcomes.at(-1) as Appended).index], [0, 1])
  const [mismatch] = await append(ledger, [{ ...entryOf(5), unique: 'group:6' }])
  assert.equal((mismatch as Refusal).code, 'BAD_REQUEST')
  assert.equal(sequence.publish().size, 2)
  await disk.close()
})

test('what is not there, or not yet covered, has no proof', async () => {
  const { sequence, ledger, disk } = await open(newDir())
  await append(ledger, entriesOf(5))
  await store(sequence)
  await append(ledger, entriesOf(1, 5))
  const code = (code: string) => ({ code })
  await assert.rejects(ledger.prove({ log: 'main', index: 5 }), code('UNAVAILABLE'))
  await assert.rejects(ledger.prove({ log: 'main', index: 6 }), code('NOT_FOUND'))
  await assert.rejects(ledger.prove({ log: 'main', index: 3, size: 3 }), code('BAD_REQUEST'))
  await assert.rejects(ledger.prove({ log: 'main', index: 3, size: 6 }), code('UNAVAILABLE'))
  await assert.rejects(ledger.consistency({ log: 'main', from: 4, to: 3 }), code('BAD_REQUEST'))
  await assert.rejects(ledger.consistency({ log: 'main', from: 4, to: 6 }), code('UNAVAILABLE'))
  await assert.rejects(ledger.entry({ log: 'main', index: 6 }), code('NOT_FOUND'))
  assert.equal((await ledger.prove({ log: 'main', index: 1, size: 2 })).checkpoint, null)
  await disk.close()
})

test('the time of a checkpoint never runs backwards, and a machine whose clock does is refused', async () => {
  const dir = newDir()
  let now = START
  const { sequence, disk } = await open(dir, openDisk(), () => now)
  now -= 3_600_000
  assert.equal(sequence.publish().time, START / 1000)
  now = START + 7000
  assert.equal(sequence.publish().time, START / 1000 + 7)
  await disk.close()
  await assert.rejects(
    open(dir, openDisk(), () => START - 3_600_000),
    { code: 'UNAVAILABLE' },
  )
})

test('a journal cut at any byte keeps every whole entry, drops the torn one, and gives one root for one size', async () => {
  const origin = newDir()
  const { sequence, ledger, disk } = await open(origin)
  for (let at = 0; at < 258; at += 1)
    if (at % 64 === 0 || at > 255) await append(ledger, entriesOf(at > 255 ? 1 : 64, at))
  await store(sequence)
  const covered = sequence.head
  await append(ledger, entriesOf(3, 258))
  const roots = new Map([[covered.size, covered.root.toString('hex')]])
  await disk.close()
  const [segment] = readdirSync(join(origin, 'journal'))
  const whole = readFileSync(join(origin, 'journal', segment!))
  const record = 12 + Buffer.byteLength(entryOf(258).entry)
  for (let length = whole.length - 3 * record; length <= whole.length; length++) {
    const dir = newDir()
    cpSync(origin, dir, { recursive: true })
    writeFileSync(join(dir, 'journal', segment!), whole.subarray(0, length))
    const again = await open(dir)
    const { size, root } = again.sequence.head
    assert.equal(size, 258 + Math.floor((length - (whole.length - 3 * record)) / record))
    assert.equal(roots.get(size) ?? root.toString('hex'), root.toString('hex'))
    roots.set(size, root.toString('hex'))
    // The torn end is gone for good: what comes next is read again by the one after.
    assert.deepEqual(indexes(await append(again.ledger, entriesOf(1, 900))), [size])
    await again.disk.close()
    if (length % 8 === 0) {
      const third = await open(dir)
      assert.equal(third.sequence.head.size, size + 1)
      await third.disk.close()
      assert.deepEqual(check(dir).findings, [])
    }
    rmSync(dir, { recursive: true })
  }
  assert.equal(roots.size, 4)
})

test('a journal cut below the last checkpoint is a fault, and nothing is signed over it', async () => {
  const dir = newDir()
  const { sequence, ledger, disk } = await open(dir)
  await append(ledger, entriesOf(5))
  await store(sequence)
  await disk.close()
  const segment = join(dir, 'journal', readdirSync(join(dir, 'journal'))[0]!)
  const bytes = readFileSync(segment)
  const before = readFileSync(join(dir, 'checkpoint'), 'utf8')
  for (const damage of [
    bytes.subarray(0, -1),
    Buffer.alloc(0),
    bytes.map((byte, at) => (at === 20 ? byte ^ 1 : byte)),
  ]) {
    writeFileSync(segment, damage)
    await assert.rejects(open(dir), { code: 'INTERNAL' })
    writeFileSync(segment, bytes)
  }
  assert.equal(readFileSync(join(dir, 'checkpoint'), 'utf8'), before)
})

/** A disk that stops for ever at its n-th change, in the middle of it where that can be seen. */
function dyingDisk(steps: number): Disk {
  const disk = openDisk()
  let left = steps
  const dead = () => Promise.reject(new Error('the process is dead'))
  const step =
    <Args extends unknown[]>(act: (...args: Args) => Promise<void>, torn?: (...args: Args) => Promise<void>) =>
    async (...args: Args) => {
      if (--left > 0) return act(...args)
      if (left === 0 && torn) await torn(...args)
      return dead()
    }
  return {
    ...disk,
    put: step(disk.put, (path, bytes, durable) =>
      disk.put(`${path}.new`, bytes.subarray(0, bytes.length / 2), durable),
    ),
    append: step(disk.append, (path, bytes) => disk.append(path, bytes.subarray(0, bytes.length - 5))),
    syncFolder: step(disk.syncFolder),
    truncate: step(disk.truncate),
    remove: step(disk.remove),
  }
}

test('a ledger killed at any step keeps what it promised and never shows two roots for one size', async () => {
  let survived = false
  for (let steps = 1; !survived; steps++) {
    const dir = newDir()
    const promised = new Map<number, string>()
    const roots = new Map<number, string>()
    const shown = ({ size, root }: { size: number; root: Buffer }) => {
      assert.equal(roots.get(size) ?? root.toString('hex'), root.toString('hex'))
      roots.set(size, root.toString('hex'))
    }
    const seen = () => {
      const note = openDisk().read(join(dir, 'checkpoint'))
      if (note) shown(openHead(publicSigning, note.toString()))
    }
    const disk = dyingDisk(steps)
    try {
      const { sequence, ledger } = await open(dir, disk)
      for (const [from, count] of [
        [0, 3],
        [3, 254],
        [257, 260],
      ] as const) {
        const entries = entriesOf(count, from)
        for (const [at, outcome] of (await append(ledger, entries)).entries())
          promised.set((outcome as Appended).index, entries[at]!.entry)
        shown(sequence.publish()) // seen by everybody before its files are there
        await sequence.store()
        seen()
      }
      survived = true
    } catch (error) {
      assert.match(String((error as Error).cause ?? error), /the process is dead/)
    }
    await disk.close()
    seen()
    const again = await open(dir)
    seen()
    assert.ok(again.sequence.head.size >= Math.max(0, ...roots.keys()), 'the past that was shown is still there')
    for (const [index, entry] of promised) assert.equal(again.sequence.entry(index).bytes.toString(), entry)
    assert.deepEqual(check(dir).findings, [], `after ${steps} steps`)
    await again.disk.close()
    rmSync(dir, { recursive: true })
  }
})

test('after a failed write the ledger appends nothing more', async () => {
  const disk = openDisk()
  const { sequence, ledger } = await open(newDir(), { ...disk, append: () => Promise.reject(new Error('no space')) })
  await assert.rejects(append(ledger, entriesOf(1)), { code: 'UNAVAILABLE' })
  await assert.rejects(append(ledger, entriesOf(1)), { code: 'UNAVAILABLE' })
  assert.ok(sequence.broken)
  assert.equal(await ledger.find({ log: 'main', unique: 'group:0' }), null)
  assert.equal(sequence.publish().size, 0)
  await disk.close()
})

test('fsck finds a changed bundle, a changed tile, a missing tile, a forged and a missing checkpoint', async () => {
  const dir = newDir()
  const { sequence, ledger, disk } = await open(dir)
  await append(ledger, entriesOf(300))
  await store(sequence)
  await disk.close()
  assert.deepEqual(check(dir), { size: 300, findings: [] })
  const places = (path: string, change: (bytes: Buffer) => Buffer | null) => {
    const file = join(dir, path)
    const bytes = readFileSync(file)
    const changed = change(Buffer.from(bytes))
    if (changed) writeFileSync(file, changed)
    else rmSync(file)
    const { findings } = check(dir)
    writeFileSync(file, bytes)
    return findings.map(finding => finding.place)
  }
  const flip = (at: number) => (bytes: Buffer) => bytes.fill(bytes[at]! ^ 1, at, at + 1)
  assert.ok(places('tile/entries/000', flip(13)).includes('checkpoint'))
  assert.deepEqual(places('tile/0/000', flip(13)), ['tile/0/000'])
  assert.deepEqual(
    places('tile/1/000.p/1', () => null),
    ['tile/1/000.p/1'],
  )
  assert.deepEqual(
    places('tile/entries/001.p/44', () => null),
    ['tile/entries/001.p/44'],
  )
  assert.deepEqual(
    places('checkpoint', bytes => Buffer.from(bytes.toString().replace('\n300\n', '\n299\n'))),
    ['checkpoint'],
  )
  assert.deepEqual(
    places('checkpoint', () => null),
    ['checkpoint'],
  )
  assert.match(describeFindings('main', check(dir)), /^main: 300 entries under the checkpoint, 0 findings\n$/)
})

test('journal segments that full bundles hold are forgotten, and a restart needs the rest only', async () => {
  const dir = newDir()
  const { sequence, ledger, disk } = await open(dir)
  const long = (number: number) => ({
    entry: `{"a":"${'x'.repeat(16_000)}","type":"group","unique":"group:${number}"}`,
  })
  for (let from = 0; from < 1300; from += 100)
    await append(
      ledger,
      Array.from({ length: 100 }, (_, at) => long(from + at)),
    )
  const segments = () => readdirSync(join(dir, 'journal'))
  assert.equal(segments().length, 3)
  await store(sequence)
  assert.equal(segments().length, 1)
  assert.ok(Number(segments()[0]) > 600)
  await disk.close()
  const again = await open(dir)
  assert.equal(again.sequence.head.root.toString('hex'), sequence.head.root.toString('hex'))
  assert.equal((await again.ledger.find({ log: 'main', unique: 'group:1299' }))?.index, 1299)
  assert.deepEqual(indexes(await append(again.ledger, [long(3), long(1300)])), [3, 1300])
  await again.disk.close()
})
