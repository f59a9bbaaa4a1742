import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { createDevice, type Device } from '../../simulator/device.ts'
import { type Installation, idOf, startInstallation, until } from '../support/installation.ts'
import { createOperator, type Operator } from '../support/operator.ts'
import { refusal } from '../support/refusal.ts'

/** One responder stops every delivery; ending it takes the owners; what was cancelled meanwhile never leaves. */
let installation: Installation
let owner: Operator
let phone: Device
let codes: string[]
before(async () => {
  installation = await startInstallation()
  owner = createOperator(installation)
  const paper = readFileSync(`${installation.passkey}.freeze-codes`, 'utf8')
  codes = paper.match(/[0-9a-f]{4}(-[0-9a-f]{4}){5}/g)!
  phone = createDevice({ seed: 'freeze', model: 'iphone', keyType: 'ec' })
  await phone.enrol((await owner.invite({ tier: 'full' })).profileUrl)
})
after(async () => {
  phone?.close()
  await installation?.stop()
})

type Frozen = { frozen: boolean; state?: string; missing?: string[] }
const freeze = (...line: string[]) => installation.cli<Frozen>('freeze', ...line)
const thaw = (by: string) => installation.cli<Frozen>('unfreeze', '--passkey', by)
const ordered = (action: string) => owner.order({ action, devices: [idOf(phone)] })
const types = () => phone.executed.map(({ requestType }) => requestType)
/** Connects; an edge that is frozen may say nothing or ask to come later. */
const connect = () => phone.connect().catch(() => 0)
/** Both owners agree, and it is thawed. */
async function thawed() {
  for (const by of installation.passkeys) await thaw(by)
  await until(async () => !(await thaw(installation.passkey)).frozen)
}

/** A freeze holds on every edge within a second. */
const everywhere = () => sleep(1_000)

test('after a freeze by one passkey nothing is delivered, approved or enrolled, until two owners end it', async () => {
  const waiting = await ordered('ProfileList')
  await freeze('--passkey', installation.passkeys[1]!)
  await until(() =>
    owner.invite().then(
      () => false,
      error => error.code === 'UNAVAILABLE',
    ),
  )
  await everywhere()
  await connect()
  assert.deepEqual(types(), [])
  const drafted = await owner.draft({ action: 'SecurityInfo', devices: [idOf(phone)] })
  await assert.rejects(owner.approve(drafted), { code: 'UNAVAILABLE', message: /frozen since .* by test-member-2/ })

  const first = await thaw(installation.passkey)
  assert.deepEqual([first.frozen, first.state, first.missing], [true, 'open', ['test-member-2']])
  assert.equal((await thaw(installation.passkey)).frozen, true, 'the same owner twice is one')
  await connect()
  assert.deepEqual(types(), [])
  assert.equal((await thaw(installation.passkeys[1]!)).frozen, false)
  await until(async () => (await connect()) > 0)
  assert.deepEqual(types(), ['ProfileList'])
  assert.equal((await installation.show(waiting)).devices[0]!.state, 'acknowledged')
})

test('a paper code freezes once; used again, or made up, it does nothing', async () => {
  assert.equal(codes.length, 8)
  await freeze('--code', ` ${codes[0]!.toUpperCase()} `)
  await thawed()
  const again = await refusal(installation, 'freeze', '--code', codes[0]!)
  assert.equal(again.code, 'REFUSED')
  const madeUp = await refusal(installation, 'freeze', '--code', '0000-0000-0000-0000-0000-0000')
  assert.equal(madeUp.code, 'REFUSED')
  assert.equal((await refusal(installation, 'freeze', '--code', 'x')).code, 'USAGE')
  await ordered('SecurityInfo')
  await until(async () => (await connect()) > 0)
  assert.equal(types().at(-1), 'SecurityInfo')
})

test('it freezes while the console is away', async () => {
  const order = await ordered('CertificateList')
  const [pid] = installation.pids('console')
  process.kill(pid!, 'SIGSTOP')
  try {
    await freeze('--passkey', installation.passkey)
    await everywhere()
    await connect()
  } finally {
    process.kill(pid!, 'SIGCONT')
  }
  await connect()
  assert.notEqual(types().at(-1), 'CertificateList')
  await thawed()
  await until(async () => (await connect()) > 0)
  assert.equal((await installation.show(order)).devices[0]!.state, 'acknowledged')
})

test('an order that was cancelled while frozen never leaves, not even when its rows are put back', async () => {
  const orders = [await ordered('RestartDevice'), await ordered('InstalledApplicationList')]
  await freeze('--code', codes[1]!)
  const all = await installation.cli<{ state: string }>('order', 'cancel', '--all', '--passkey', installation.passkey)
  assert.equal(all.state, 'cancelled')
  for (const order of orders) assert.equal((await installation.show(order)).state, 'cancelled')
  await thawed()
  await connect()
  const { database } = installation
  await database.query("update console.orders set state = 'approved' where order_id = any ($1)", [orders])
  await database.query('delete from edge.result where order_id = any ($1)', [orders])
  for (const order of orders)
    await database.query("select console.enqueue($1::uuid, false, now() + interval '1 day')", [order])
  await connect()
  await connect()
  assert.equal(types().includes('RestartDevice'), false)
  assert.equal(types().includes('InstalledApplicationList'), false)
  const later = await ordered('ProvisioningProfileList')
  await until(async () => {
    await connect()
    return (await installation.show(later)).devices[0]!.state !== 'pending'
  })
})
