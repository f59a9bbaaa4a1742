import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { commandUuid } from '../src/trust/token.ts'
import { createEffects } from './effect.ts'

const [device, stranger, order, other] = [randomUUID(), randomUUID(), randomUUID(), randomUUID()]
const did = (id: string, of = order, type = 'Settings', words = 'for me') => ({
  uuid: commandUuid(of, id),
  type,
  words,
})
function effects() {
  const made = createEffects()
  made.approve(order, { type: 'Settings', words: 'for me', devices: [device] })
  return made
}

test('what members approved for a device, it may do once', () => {
  assert.deepEqual(effects().violations([{ id: device, executed: [did(device)] }]), [])
})

const wrong: [name: string, executed: ReturnType<typeof did>[], id?: string][] = [
  ['twice', [did(device), did(device)]],
  ['an order that nobody approved', [did(device, other)]],
  ['another action under the order’s name', [did(device, order, 'EraseDevice')]],
  ['other words', [did(device, order, 'Settings', 'for you')]],
  ['on another device', [did(stranger)], stranger],
]
for (const [name, executed, id = device] of wrong)
  test(`the score counts ${name}`, () => {
    assert.equal(effects().violations([{ id, executed }]).length, 1)
  })

test('the score counts what is done after it was cancelled', () => {
  const made = effects()
  made.cancel(order, [{ id: device, executed: [] }])
  assert.equal(made.violations([{ id: device, executed: [did(device)] }]).length, 1)
})
