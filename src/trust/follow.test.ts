import assert from 'node:assert/strict'
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { test } from 'node:test'
import { testRoster } from '../../test/support/roster.ts'
import { signHead } from '../ledger/checkpoint.ts'
import { leafHash, nodeHash, treeRoot } from '../wire/tlog/merkle.ts'
import { canonical } from './canonical.ts'
import { createFollower, FRESH, type Remembered } from './follow.ts'

// Whoever follows the control log believes what adds up under the ledger's signature, and never less or other than before.

const { genesis, trusted, ledger } = testRoster()
const NOW = 1_800_000_000
const first = canonical({
  type: 'roster',
  unique: 'roster:0',
  version: 0,
  digest: trusted.genesisDigest.toString('hex'),
})
const freeze = (n: number) => canonical({ type: 'freeze', unique: `freeze:${n}`, at: NOW, watch: `rule-${n}` })

const rootOf = (entries: readonly string[]): Buffer => {
  const read = (level: number, index: number): Buffer =>
    level === 0
      ? leafHash(Buffer.from(entries[index]!))
      : nodeHash(read(level - 1, 2 * index), read(level - 1, 2 * index + 1))
  return treeRoot(entries.length, read)
}
type Signing = { origin?: string; key?: KeyObject; clockKey?: KeyObject; time?: number }
/** A checkpoint over these entries, as the ledger signs it. */
function checkpoint(
  entries: readonly string[],
  { origin = 'example.test/control', key, clockKey, time = NOW }: Signing = {},
): string {
  const signing = {
    origin,
    key: key ?? ledger.control,
    clockName: 'example.test/clock',
    clockKey: clockKey ?? ledger.clock,
  }
  return signHead(signing, entries.length, rootOf(entries), time).note
}
const follower = (remembered?: Remembered) => createFollower(genesis, trusted, remembered)
const unproven = (message: RegExp) => ({ code: 'UNPROVEN', message })

test('entries count once a signed root covers them, in however many pages they come', () => {
  const log = [first, freeze(1), freeze(2)]
  const view = follower()
  view.take(checkpoint(log), log.slice(0, 1))
  assert.deepEqual([view.head.size, view.next, view.frozen()], [0, 1, undefined])
  view.take(checkpoint(log), log.slice(1))
  assert.deepEqual([view.head.size, view.next, view.frozen()?.by], [3, 3, 'watch: rule-1'])
  assert.equal(view.head.root, rootOf(log).toString('hex'))
})

test('a log that was cut short is not believed, and what was believed stays', () => {
  const view = follower()
  view.take(checkpoint([first, freeze(1)]), [first, freeze(1)])
  assert.throws(() => view.take(checkpoint([first]), []), { code: 'UNPROVEN' })
  assert.ok(view.frozen())
  view.take(checkpoint([first, freeze(1), freeze(2)]), [freeze(2)])
  assert.equal(view.head.size, 3)
})

test('after a restart, a shorter log is not believed, nor one of another past', () => {
  const log = [first, freeze(1), freeze(2)]
  const before = { size: 3, root: rootOf(log).toString('hex') }
  assert.throws(
    () => follower(before).take(checkpoint(log.slice(0, 2)), log.slice(0, 2)),
    unproven(/shorter than it was/),
  )
  const other = [first, freeze(3), freeze(4), freeze(5)]
  assert.throws(() => follower(before).take(checkpoint(other), other), unproven(/another than it was/))
  const longer = [...log, freeze(3)]
  const view = follower(before)
  view.take(checkpoint(longer), longer)
  assert.equal(view.head.size, 4)
})

test('entries that are not those under the root count for nothing, and the true ones can follow', () => {
  const log = [first, freeze(1)]
  const view = follower()
  assert.throws(() => view.take(checkpoint(log), [first, freeze(9)]), unproven(/not those of its checkpoint/))
  assert.deepEqual([view.head.size, view.next, view.frozen()], [0, 0, undefined])
  assert.throws(() => view.take(checkpoint([first]), log), unproven(/more entries than the checkpoint covers/))
  view.take(checkpoint(log), log)
  assert.equal(view.head.size, 2)
})

const stranger = generateKeyPairSync('ed25519').privateKey
const foreign: [name: string, signing: Signing][] = [
  ['signed by another key', { key: stranger }],
  ['of another log', { origin: 'example.test/main' }],
  ['of another installation', { origin: 'evil.test/control' }],
]
for (const [name, signing] of foreign)
  test(`a checkpoint ${name} is not believed`, () => {
    const view = follower()
    assert.throws(() => view.take(checkpoint([first], signing), [first]))
    assert.equal(view.head.size, 0)
  })

test('it is fresh for half a minute after the ledger’s own clock, which never runs backwards', () => {
  const view = follower()
  assert.equal(view.isFresh(NOW), false)
  view.take(checkpoint([first]), [first])
  assert.deepEqual([view.isFresh(NOW + FRESH), view.isFresh(NOW + FRESH + 1)], [true, false])
  view.take(checkpoint([first], { time: NOW - 60 }), [])
  assert.equal(view.time, NOW)
  view.take(checkpoint([first], { time: NOW + 60 }), [])
  assert.equal(view.isFresh(NOW + 60 + FRESH), true)
  const other = follower()
  const unsigned = checkpoint([first], { clockKey: stranger })
  try {
    other.take(unsigned, [first])
  } catch {} // refused or not, nobody knows the time from it
  assert.equal(other.isFresh(NOW), false)
})

test('an entry that does not count is passed over, and those behind it count', () => {
  const nobody = canonical({ type: 'freeze', unique: 'freeze:0a', at: NOW })
  const view = follower()
  const log = [first, nobody, freeze(1)]
  view.take(checkpoint(log), log)
  assert.deepEqual([view.passedOver.map(({ index }) => index), view.frozen()?.index], [[1], 2])
})
