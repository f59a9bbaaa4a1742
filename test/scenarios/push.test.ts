import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { createDevice, type Device } from '../../simulator/device.ts'
import { createHttp } from '../../simulator/http.ts'
import { enrolmentOf, openProfile } from '../../simulator/profile.ts'
import type { Push } from '../../src/console/api.ts'
import { type ApnsReceiver, apnsReceiver, type Behaviour } from '../support/apns.ts'
import { type Installation, idOf, startInstallation, until } from '../support/installation.ts'
import { createOperator, type Operator } from '../support/operator.ts'

let apns: ApnsReceiver
let installation: Installation
let owner: Operator
let topic: string
const devices: Device[] = []
before(async () => {
  apns = await apnsReceiver()
  installation = await startInstallation({ up: ['--apns-url', apns.url, '--apns-ca', apns.ca] })
  owner = createOperator(installation)
})
after(async () => {
  for (const device of devices) device.close()
  await installation?.stop()
  await apns?.close()
})

async function enrolled(seed: string, model: 'iphone' | 'mac' = 'iphone'): Promise<Device> {
  const { profileUrl } = await owner.invite()
  const device = createDevice({ seed, model, keyType: 'ec' })
  devices.push(device)
  await device.enrol(profileUrl)
  return device
}
const tokenOf = (device: Device) => device.push.token.toString('hex')
const ordered = (device: Device) => owner.order({ action: 'ProfileList', devices: [idOf(device)] })
const pushed = (device: Device) => apns.received.filter(({ token }) => token === tokenOf(device)).length
type Wake = { attempts: number; gone: boolean; seconds: number }
const wake = async (device: Device): Promise<Wake | undefined> =>
  (
    await installation.database.query(
      'select attempts, gone, extract(epoch from due - now())::float8 as seconds from edge.wake where device_id = $1',
      [idOf(device)],
    )
  ).rows[0]
/** The time of its next push has come. */
const later = (device: Device) =>
  installation.database.query('update edge.wake set due = now() where device_id = $1', [idOf(device)])

test('without a push certificate the profile has a placeholder topic, and it is said what that means', async () => {
  const shown = await installation.cli<Push>('push', 'show')
  assert.equal(shown.placeholder, true)
  const http = createHttp()
  const { body } = await http.send((await owner.invite()).profileUrl)
  http.close()
  assert.equal(enrolmentOf(openProfile(body)).topic, shown.topic)
  assert.match(shown.topic, /^com\.apple\.mgmt\.External\.[0-9a-f-]{36}$/)
})

test('a push certificate is asked for, signed, imported and shown with its topic, end and account', async () => {
  const [csr, pem] = ['push.csr', 'push.pem'].map(name => join(installation.home, name)) as [string, string]
  await installation.cli('push', 'csr', '--out', csr)
  writeFileSync(pem, apns.certify(readFileSync(csr, 'utf8')))
  const approved = ['--passkey', installation.passkey]
  await installation.cli('push', 'import', pem, '--account', 'mdm@example.test', ...approved)
  const shown = await installation.cli<Push>('push', 'show')
  assert.deepEqual([shown.placeholder, shown.account], [false, 'mdm@example.test'])
  assert.ok(new Date(shown.expiresAt!) > new Date())
  topic = shown.topic
  const device = await enrolled('topical')
  assert.equal(device.state.enrolment!.topic, topic)
  await assert.rejects(installation.cli('push', 'import', csr, '--account', 'x', ...approved), /MALFORMED/)
})

test('an approved order wakes its device, which comes, does it and is left alone', async () => {
  const device = await enrolled('light sleeper')
  const stop = apns.listen(push => {
    if (push.token === tokenOf(device) && push.magic === device.push.magic) void device.connect()
  })
  const order = await ordered(device)
  await installation.until(order, ({ state }) => state === 'done', 30)
  stop()
  const push = apns.kept.get(tokenOf(device))!
  assert.deepEqual([push.topic, push.magic, push.headers['apns-push-type']], [topic, device.push.magic, 'mdm'])
  await until(async () => (await wake(device))?.attempts === 1)
  await later(device)
  await until(async () => (await wake(device)) === undefined) // it came: nothing is due any more
  assert.equal(pushed(device), 1)
})

test('a device that does not come is pushed again, later each time', async () => {
  const device = await enrolled('deep sleeper')
  await ordered(device)
  const waits: number[] = []
  for (const attempts of [1, 2, 3]) {
    const row = await until(async () => {
      const found = await wake(device)
      return found?.attempts === attempts ? found : undefined
    })
    waits.push(row.seconds)
    await later(device)
  }
  assert.ok(waits[0]! < waits[1]! && waits[1]! < waits[2]!)
  await until(() => pushed(device) >= 4)
})

test('a token that APNs calls dead is not pushed again, until the device says a new one', async () => {
  for (const behaviour of ['unregistered', 'bad-token'] satisfies Behaviour[]) {
    const device = await enrolled(behaviour)
    apns.behave(behaviour, { token: tokenOf(device) })
    await ordered(device)
    await until(async () => (await wake(device))?.gone)
    await later(device)
    assert.equal(pushed(device), 0)
    device.push.token = Buffer.from(tokenOf(device).replace(/^../, '00'), 'hex')
    await device.tokenUpdate()
    await until(() => pushed(device) === 1)
    assert.equal(await device.connect(), 1)
  }
})

test('whatever APNs does, the push arrives in the end', async () => {
  for (const behaviour of ['slow-down', 'broken', 'forbidden', 'hang-up'] satisfies Behaviour[]) {
    const device = await enrolled(behaviour)
    apns.behave(behaviour, { token: tokenOf(device), times: 1 })
    const before = apns.count()
    await ordered(device)
    await until(() => apns.count() > before)
    await until(async () => {
      await later(device)
      return pushed(device) === 1
    })
  }
})

test("a user's order wakes the user's own channel", async () => {
  const mac = await enrolled('mac', 'mac')
  const before = apns.received.length
  const user = await mac.addUser()
  await owner.order({ action: 'ProfileList', devices: [idOf(mac)], channel: 'user' })
  const push = await until(() => apns.received.slice(before).find(({ token }) => token !== tokenOf(mac)))
  assert.notEqual(push.magic, mac.push.magic)
  assert.equal(pushed(mac), 0)
  assert.equal(await mac.connect({ user }), 1)
})

test('a vault that starts again goes on pushing what was due', async () => {
  const device = await enrolled('patient')
  apns.behave('hang-up')
  await ordered(device)
  await installation.renew('vault')
  assert.equal(pushed(device), 0)
  apns.behave('ok')
  await until(() => pushed(device) > 0)
})

test('another push certificate with another topic is refused while devices depend on the first', async () => {
  const csr = (await installation.cli<{ csr: string }>('push', 'csr')).csr
  const pem = join(installation.home, 'other.pem')
  writeFileSync(pem, apns.certify(csr))
  const words = ['push', 'import', pem, '--account', 'another@example.test']
  await assert.rejects(installation.cli(...words), /USAGE.*--passkey/s)
  await assert.rejects(installation.cli(...words, '--passkey', installation.passkey), /REFUSED.*topic/s)
  assert.equal((await installation.cli<Push>('push', 'show')).topic, topic)
})
