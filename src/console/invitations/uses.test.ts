import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Desk } from '../desk.ts'
import { usesOf } from './uses.ts'

test('the uses of an invitation are counted from the ledger alone, with few questions however many there may be', async () => {
  for (const [used, most] of [
    [0, 1],
    [1, 1],
    [0, 10],
    [3, 10],
    [10, 10],
    [77_777, 100_000],
  ] as const) {
    let questions = 0
    const find = async ({ unique }: { unique: string }) => {
      questions++
      const n = Number(/^consumed:i:(\d+)$/.exec(unique)?.[1])
      return n >= 1 && n <= used ? { index: n, entry: '{}' } : null
    }
    const desk = { ledger: { find } } as unknown as Desk
    assert.equal(await usesOf(desk, 'i', most), used)
    assert.ok(questions <= 17, `${questions} questions`)
  }
})
