import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { canonical } from '../trust/canonical.ts'
import { DEFAULTS, type Rules, strictest } from '../trust/policy.ts'
import type { Delivery } from './api.ts'
import { Deliveries } from './deliveries.ts'
import { openDesk } from './desk.ts'
import { decodeEntry } from './entry.ts'

// Grants, answers and budgets as the ledger's own state: what its entries say, and nothing else.

const NOW = 1_800_000_000
const [HOUR, DAY] = [3_600, 86_400]
const rules = strictest([
  { quorum: { read: 1, change: 1, trust: 2, destroy: 2 }, softwarePasskeys: true, longestOrder: 90 * DAY },
])
const delivery = (fields: Partial<Delivery> = {}): Delivery => ({
  command: randomUUID(),
  order: randomUUID(),
  device: randomUUID(),
  class: 'destroy',
  counted: true,
  ...fields,
})
const many = (count: number, fields: Partial<Delivery> = {}) => Array.from({ length: count }, () => delivery(fields))

/** A ledger in memory: what is judged is entered at once, as the ledger does it. */
function ledger(fleet = 0) {
  const state = new Deliveries(() => ({ now: NOW, enrol: [] }))
  const entries: string[] = []
  const enter = (added: string[]) => {
    for (const entry of added) {
      state.added(Buffer.from(entry))
      entries.push(entry)
    }
  }
  enter(
    Array.from({ length: fleet }, (_, at) =>
      canonical({ type: 'certificate', unique: `certificate:${at}`, voucher: 'ab' }),
    ),
  )
  return {
    state,
    entries,
    deliver(deliveries: Delivery[], at = NOW, by: Rules = rules) {
      const { verdicts, entries: made } = state.judge(deliveries, at, by)
      enter(made)
      return verdicts
    },
    answer(commands: string[]) {
      const { unknown, entries: made } = state.answer(commands, NOW)
      enter(made)
      return unknown
    },
  }
}
const tally = (verdicts: string[]) => [
  verdicts.filter(verdict => verdict === 'granted').length,
  verdicts.filter(verdict => verdict === 'budget').length,
]

test('a command is granted once; the same again is no second one, within a batch too; after its answer never', () => {
  const { deliver, answer } = ledger()
  const one = delivery({ class: 'read' })
  assert.deepEqual(deliver([one, one]), ['granted', 'again'])
  assert.deepEqual(deliver([one]), ['again'])
  const stranger = randomUUID()
  assert.deepEqual(answer([one.command, stranger, one.command]), [stranger])
  assert.deepEqual(deliver([one, { ...one, device: randomUUID() }]), ['answered', 'answered'])
})

test('ten devices in a day, however many orders, batches and seconds they come in', () => {
  const { deliver } = ledger(5_000)
  assert.deepEqual(tally(deliver(many(6))), [6, 0])
  assert.deepEqual(tally(deliver(many(6), NOW + 1)), [4, 2])
  assert.deepEqual(tally(deliver(many(5), NOW + DAY - 1)), [0, 5])
  assert.deepEqual(tally(deliver(many(12), NOW + DAY)), [6, 6], 'those of the first second are over')
  assert.deepEqual(tally(deliver(many(12), NOW + DAY + 1)), [4, 8])
})

test('a device that was reached uses up no more, and what is not counted uses up nothing', () => {
  const { deliver } = ledger()
  const reached = many(10)
  deliver(reached)
  assert.deepEqual(tally(deliver([delivery({ device: reached[0]!.device })])), [1, 0])
  assert.deepEqual(tally(deliver(many(3, { counted: false }))), [3, 0])
  assert.deepEqual(tally(deliver(many(1))), [0, 1])
})

test('a class that nobody knows is the worst one; questions have no budget', () => {
  const { deliver } = ledger()
  assert.deepEqual(tally(deliver(many(11, { class: 'unheardof' }))), [10, 1])
  assert.deepEqual(tally(deliver(many(1))), [0, 1])
  assert.deepEqual(tally(deliver(many(500, { class: 'read' }))), [500, 0])
})

test('a change of trust reaches a tenth of the fleet, and after its first hour all; another order does not ride along', () => {
  const { deliver } = ledger(300)
  const order = randomUUID()
  assert.deepEqual(tally(deliver(many(50, { class: 'trust', order }))), [30, 20])
  assert.deepEqual(tally(deliver(many(1, { class: 'trust' }), NOW + HOUR - 1)), [0, 1])
  assert.deepEqual(tally(deliver(many(50, { class: 'trust', order }), NOW + HOUR - 1)), [0, 50])
  assert.deepEqual(tally(deliver(many(50, { class: 'trust', order }), NOW + HOUR)), [50, 0])
})

test('where several budgets hold, the strictest does', () => {
  const two = {
    ...rules,
    budgets: { ...rules.budgets, destroy: [...rules.budgets.destroy, { ...DEFAULTS.budgets.destroy!, devices: 2 }] },
  }
  assert.deepEqual(tally(ledger().deliver(many(5), NOW, two)), [2, 3])
})

test('a ledger that starts again from its entries comes to the same verdicts', () => {
  const first = ledger(40)
  const [one, two] = many(2, { class: 'read' })
  first.deliver([one!, two!, ...many(9)])
  first.answer([one!.command])
  const again = ledger()
  for (const entry of first.entries) again.state.added(Buffer.from(entry))
  assert.deepEqual(again.deliver([one!, two!]), ['answered', 'again'])
  assert.deepEqual(tally(again.deliver(many(3))), [1, 2])
})

test('devices enrol at the roster’s rate, also in a ledger that has just started', () => {
  const rate = { devices: 3, seconds: HOUR }
  let [now, n] = [NOW, 0]
  const open = () => new Deliveries(() => ({ now, enrol: [{ devices: 100, seconds: 60 }, rate] }))
  let state = open()
  const entries: Buffer[] = []
  const enrol = (at: number = now) => {
    const unique = `consumed:i:${++n}`
    const entry = decodeEntry(canonical({ type: 'consumed', at, unique, invitation: 'i', n, request: 'ab' }), 16_384)
    state.check('vault', entry)
    state.added(entry.bytes)
    entries.push(entry.bytes)
  }
  state.added(Buffer.from(canonical({ type: 'consumed', unique: 'consumed:i:0', invitation: 'i', n: 0 })))
  for (let times = 0; times < 3; times++) enrol()
  assert.throws(() => enrol(), { code: 'LIMIT' })
  now = NOW + HOUR - 1
  state = open()
  for (const entry of entries) state.added(entry)
  assert.throws(() => enrol(), { code: 'LIMIT' })
  now = NOW + HOUR
  enrol()
  for (const at of [now - 61, now + 61, 0]) assert.throws(() => enrol(at), { code: 'BAD_REQUEST' })
})

test('a new installation lets 500 devices enrol in an hour, and a higher rate waits beside the old one', () => {
  assert.deepEqual(rules.enrol, [{ devices: 500, seconds: HOUR }])
  const policy = { quorum: rules.quorum, softwarePasskeys: true, longestOrder: DAY }
  const both = strictest([policy, { ...policy, budgets: { enrol: { devices: 9_000, seconds: HOUR } } }])
  assert.deepEqual(both.enrol, [
    { devices: 500, seconds: HOUR },
    { devices: 9_000, seconds: HOUR },
  ])
})

test('a passkey counts forwards, or not at all', () => {
  const { state } = ledger()
  let n = 0
  const approval = (count: number) =>
    decodeEntry(
      canonical({
        type: 'approval',
        unique: `approval:${n++}`,
        of: 'a',
        member: 'm',
        credential: 'c'.repeat(64),
        count,
      }),
      16_384,
    )
  const takes = (count: number) => {
    const entry = approval(count)
    state.check('console', entry)
    state.added(entry.bytes)
  }
  for (const count of [0, 0, 4, 9]) takes(count)
  for (const count of [9, 8, 0]) assert.throws(() => takes(count), { code: 'FORBIDDEN' })
  takes(10)
})

test('while it is frozen the ledger grants nothing, and notes answers all the same', async () => {
  const { state } = ledger()
  const control = { freezes: [{ index: 1, at: NOW, by: 'somebody' }], trustedAt: () => ({ rules }) }
  const appended: string[] = []
  const main = {
    appendOwn: async (entries: string[]) => void appended.push(...entries),
    signStatement: () => Buffer.alloc(64),
  }
  const parts = { main, deliveries: state, control, clock: () => NOW * 1000 }
  const desk = openDesk(parts as unknown as Parameters<typeof openDesk>[0])
  await assert.rejects(desk.deliver([delivery({ class: 'read' })], []), { code: 'UNAVAILABLE' })
  assert.deepEqual(appended, [])
  const unknown = randomUUID()
  assert.deepEqual((await desk.deliver([], [unknown])).unknown, [unknown])
  control.freezes.length = 0
  const { verdicts, statement } = await desk.deliver([delivery({ class: 'read' }), ...many(11)], [])
  assert.deepEqual(tally(verdicts), [11, 1])
  assert.equal(JSON.parse(statement).commands.length, 11, 'what has to wait has no permit')
})
