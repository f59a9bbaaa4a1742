import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { silentLog } from '../base/log.ts'
import type { NewEntry } from '../ledger/api.ts'
import { createFindings, type Finding } from './findings.ts'

function world(t: TestContext) {
  t.mock.timers.enable({ apis: ['setInterval'] })
  const state = { now: 1_800_000_000_000, away: false }
  const entries: Record<string, unknown>[] = []
  const ledger = {
    async append({ entries: asked }: { entries: NewEntry[] }) {
      if (state.away) throw new Error('away')
      entries.push(...asked.map(({ entry }) => JSON.parse(entry) as Record<string, unknown>))
      return []
    },
  }
  const findings = createFindings({ ledger, log: silentLog, clock: () => state.now })
  t.after(() => findings.close())
  const tick = async (ms: number) => {
    state.now += ms
    t.mock.timers.tick(ms)
    for (let turns = 0; turns < 5; turns++) await new Promise(setImmediate)
  }
  return { state, entries, findings, tick }
}
const refusal = (reason = 'not-a-target'): Finding => ({ source: 'edge', code: 'turnstile-refused', reason, count: 1 })

test('the first refusal of a kind is in the ledger at once, and what goes on is said once a minute with its count', async t => {
  const { findings, entries, tick } = world(t)
  findings.see(refusal())
  await tick(250)
  assert.deepEqual(entries, [
    { type: 'finding', at: 1_800_000_000, source: 'edge', code: 'turnstile-refused', reason: 'not-a-target', count: 1 },
  ])
  for (let times = 0; times < 500; times++) findings.see(refusal())
  await tick(1_000)
  assert.equal(entries.length, 1)
  findings.see(refusal('permit'))
  await tick(250)
  assert.equal(entries.length, 2)
  await tick(60_000)
  assert.equal(entries[2]!.count, 500)
})

test('what belongs to ordinary work is no finding', async t => {
  const { findings, entries, tick } = world(t)
  findings.see(refusal('budget-trust'))
  findings.see({ source: 'edge', code: 'identity-refused', reason: null, count: 1 })
  await tick(1_000)
  assert.deepEqual(entries, [])
})

test('a ledger that is away gets the findings when it is back, none lost', async t => {
  const { findings, entries, tick, state } = world(t)
  state.away = true
  findings.see(refusal())
  await tick(250)
  findings.see(refusal())
  await tick(250)
  state.away = false
  await tick(250)
  assert.deepEqual(
    entries.map(({ count }) => count),
    [2],
  )
})
