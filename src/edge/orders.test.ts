import assert from 'node:assert/strict'
import { generateKeyPairSync, randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { testLog } from '../../test/support/evidence.ts'
import { testRoster } from '../../test/support/roster.ts'
import { BulkheadError } from '../base/errors.ts'
import { canonical } from '../trust/canonical.ts'
import { orderDigest, targetsDigest } from '../trust/order.ts'
import { sha256Hex } from '../trust/statement.ts'
import { encodeTemplate } from '../trust/template.ts'
import { hpkeSeal, rawPublic } from '../wire/hpke.ts'
import { createOrders } from './orders.ts'
import type { StoredOrder } from './store.ts'

const delivery = generateKeyPairSync('x25519').privateKey
const roster = testRoster({
  voucher: generateKeyPairSync('ed25519').publicKey.export({ format: 'der', type: 'spki' }).toString('base64'),
  seal: rawPublic(delivery).toString('base64'),
})
const { trusted, owner } = roster
const NOW = 1_800_000_000

/** A row of console.orders with its approval, as the edge finds it. */
function stored(id: string, fields: Partial<StoredOrder> = {}): StoredOrder {
  const { template, holes } = encodeTemplate({ RequestType: 'SecurityInfo' })
  const targets = [randomUUID()]
  const statement = canonical({
    type: 'bulkhead-order/v1',
    id,
    platform: 'apple',
    action: 'SecurityInfo',
    channel: 'device',
    body: sha256Hex(template),
    holes,
    targets: { digest: targetsDigest(targets), count: 1 },
    notBefore: NOW,
    expiresAt: NOW + 86_400,
    nonce: '0'.repeat(32),
    reason: '0'.repeat(64),
  })
  const approvals = [owner.approve(orderDigest(statement, trusted))]
  return { kind: 'order', statement, body: template, targets, approvals, secret: false, state: 'approved', ...fields }
}

function world(table: Record<string, StoredOrder>) {
  const state = { now: NOW, asked: 0, away: false }
  const store = {
    async findOrder(id: string) {
      state.asked++
      if (state.away) throw new BulkheadError('UNAVAILABLE', 'away')
      return table[id]
    },
  }
  const log = testLog(roster)
  for (const row of Object.values(table)) log.log(row, { class: 'read' })
  const ledger = {
    async proofs({ keys }: { keys: string[] }) {
      return { size: 0, ...log.proofs(keys) }
    },
  }
  return {
    state,
    table,
    log,
    orders: createOrders(
      store,
      ledger,
      () => trusted,
      delivery,
      () => state.now,
    ),
  }
}
const refused = (message: RegExp) => ({ code: 'REFUSED', message })
const id = randomUUID()

test('an order is loaded and verified once for all who ask within 30 seconds', async () => {
  const { orders, state } = world({ [id]: stored(id) })
  const asked = await Promise.all(Array.from({ length: 50 }, () => orders.find(id)))
  assert.equal(new Set(asked).size, 1)
  state.now += 29
  assert.equal(await orders.find(id), asked[0])
  assert.equal(state.asked, 1)
})

test('an order that was cancelled elsewhere is refused 30 seconds later at the latest', async () => {
  const { orders, state, table } = world({ [id]: stored(id) })
  await orders.find(id)
  table[id]!.state = 'cancelled'
  state.now += 30
  await assert.rejects(orders.find(id), refused(/is cancelled/))
})

test('an order that lost its approval, or whose body changed, is refused when it is next loaded', async () => {
  for (const change of [{ approvals: [] }, { body: Buffer.from('x') }, { targets: [randomUUID()] }]) {
    const { orders, state, table } = world({ [id]: stored(id) })
    await orders.find(id)
    Object.assign(table[id]!, change)
    state.now += 30
    await assert.rejects(orders.find(id), { code: /REFUSED|MALFORMED/ })
  }
})

test('a refusal is kept as long, so that a forged order costs little, and a late approval counts after', async () => {
  const { orders, state, table } = world({ [id]: stored(id, { state: 'draft' }) })
  for (let times = 0; times < 5; times++) await assert.rejects(orders.find(id), refused(/is draft/))
  assert.equal(state.asked, 1)
  table[id]!.state = 'approved'
  state.now += 30
  assert.ok(await orders.find(id))
})

test('no order of that id is a refusal, and so is one that is filed under the id of another', async () => {
  const other = randomUUID()
  const { orders } = world({ [other]: stored(id) })
  await assert.rejects(orders.find(id), refused(/no such order/))
  await assert.rejects(orders.find(other), refused(/filed under another id/))
})

test('a database that was away is asked again by the next delivery', async () => {
  const { orders, state } = world({ [id]: stored(id) })
  state.away = true
  await assert.rejects(orders.find(id), { code: 'UNAVAILABLE' })
  state.away = false
  assert.ok(await orders.find(id))
})

test('a secret body opens with the delivery key, for its own order only', async () => {
  const plain = stored(id).body
  const seal = (to: string) => hpkeSeal(rawPublic(delivery), plain, Buffer.from(`bulkhead-body/v1\n${to}`))
  const mine = world({ [id]: stored(id, { secret: true, body: seal(id) }) })
  assert.equal((await mine.orders.find(id)).body, plain.toString())
  const moved = world({ [id]: stored(id, { secret: true, body: seal(randomUUID()) }) })
  await assert.rejects(moved.orders.find(id), { code: 'UNPROVEN' })
  const open = world({ [id]: stored(id, { secret: true }) })
  await assert.rejects(open.orders.find(id), { name: 'BulkheadError' })
})

test('thousands of forged ids do not push memory beyond a bound, and the newest are kept', async () => {
  const { orders, state } = world({})
  const ids = Array.from({ length: 2_001 }, () => randomUUID())
  for (const forged of ids) await assert.rejects(orders.find(forged))
  await assert.rejects(orders.find(ids.at(-1)!))
  assert.equal(state.asked, 2_001)
  await assert.rejects(orders.find(ids[0]!))
  assert.equal(state.asked, 2_002)
})
