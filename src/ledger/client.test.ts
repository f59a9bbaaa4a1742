import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ControlView } from '../trust/follow.ts'
import type { ControlPage } from './api.ts'
import { followControl } from './client.ts'

const view = { head: { size: 1, root: '' }, next: 1, take: () => {} } as unknown as ControlView

test('whoever waits for the control log goes on with its first answer, not before', async () => {
  let asked = 0
  const answer = Promise.withResolvers<ControlPage>()
  const control = () => (asked++ === 0 ? Promise.reject(new Error('away')) : answer.promise)
  const following = followControl({ ledger: { control }, view, failed: () => {}, firstMs: 60_000 })
  let heard = false
  void following.heard.then(() => {
    heard = true
  })
  while (asked < 2) await new Promise(resolve => setTimeout(resolve, 10))
  assert.equal(heard, false)
  answer.resolve({ checkpoint: '', entries: [] })
  await following.heard
  await following.close()
})

test('where the ledger stays away, whoever waits goes on all the same', async () => {
  const control = () => Promise.reject(new Error('away'))
  const following = followControl({ ledger: { control }, view, failed: () => {}, firstMs: 20 })
  const stays = setTimeout(() => {}, 60_000) // the wait itself keeps no process alive
  await following.heard
  clearTimeout(stays)
  await following.close()
})
