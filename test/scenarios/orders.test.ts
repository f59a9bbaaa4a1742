import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { createDevice, type Device, type DeviceOptions } from '../../simulator/device.ts'
import type { DevicePage, Order } from '../../src/console/api.ts'
import type { Tier } from '../../src/trust/invitation.ts'
import { commandUuid } from '../../src/trust/token.ts'
import { allowedQueries } from '../../src/wire/apple/rights.ts'
import { encodeXmlPlist, type PlistInput } from '../../src/wire/plist/plist.ts'
import { type Installation, idOf, startInstallation, until } from '../support/installation.ts'
import { createOperator, type Operator } from '../support/operator.ts'

let installation: Installation
let owner: Operator
const devices: Device[] = []
before(async () => {
  installation = await startInstallation()
  owner = createOperator(installation)
})
after(async () => {
  for (const device of devices) device.close()
  await installation?.stop()
})

async function enrolled(seed: string, options: Partial<DeviceOptions> & { tier?: Tier } = {}): Promise<Device> {
  const { tier = 'full', ...rest } = options
  const { profileUrl } = await owner.invite({ tier })
  const device = createDevice({ seed, model: 'iphone', keyType: 'ec', ...rest })
  devices.push(device)
  await device.enrol(profileUrl)
  return device
}
/** Drafted and approved for one device. */
const ordered = (device: Device, action: string, set: string[] = []) =>
  owner.order({ action, set, devices: [idOf(device)] })
const outcome = async (order: string) => (await installation.show(order)).devices[0]!
const page = (device: Device) => installation.console.get<DevicePage>(`/api/devices/${idOf(device)}`)
const says = (device: Device, message: Record<string, PlistInput>) =>
  device.send('connect', encodeXmlPlist({ ...message, UDID: device.self.udid }))
const types = (device: Device) => device.executed.map(({ requestType }) => requestType)

test('a device that says NotNow is asked again when it comes, and the order says why it waits', async () => {
  const device = await enrolled('busy')
  device.notNow = true
  const [first, second] = [await ordered(device, 'ProfileList'), await ordered(device, 'SecurityInfo')]
  assert.equal(await device.connect(), 2) // each once: what was put off does not hold up what follows
  const waiting = await outcome(first)
  assert.equal(waiting.state, 'not-now')
  assert.match(String(waiting.result?.reason), /said NotNow once; it is asked again when it comes/)
  await device.connect()
  assert.match(String((await outcome(first)).result?.reason), /NotNow 2 times/)
  device.notNow = type => type === 'ProfileList'
  assert.equal(await device.connect(), 2) // one that is put off for ever holds up no other
  assert.equal((await outcome(second)).state, 'acknowledged')
  device.notNow = false
  assert.equal(await device.connect(), 1)
  for (const order of [first, second]) assert.equal((await outcome(order)).state, 'acknowledged')
  assert.equal(new Set(device.executed.map(({ commandUuid }) => commandUuid)).size, 2)
  assert.equal(await device.connect(), 0)
})

test("a command that the device does not know ends in the device's own error", async () => {
  const device = await enrolled('simple')
  const order = await ordered(device, 'ProvisioningProfileList')
  await device.connect()
  const { state, result } = await outcome(order)
  assert.deepEqual([state, result?.code, result?.domain], ['error', 12021, 'MCMDMErrorDomain'])
  assert.equal(await device.connect(), 0)
})

test('a command that the device cannot read ends in an error, whether it names it or not', async () => {
  const device = await enrolled('illiterate')
  for (const named of [true, false]) {
    const order = await ordered(device, 'ProfileList')
    const next = await ordered(device, 'SecurityInfo')
    assert.match((await says(device, { Status: 'Idle' })).body.toString(), /ProfileList/)
    await until(async () => (await outcome(order)).state === 'sent')
    const uuid = commandUuid(order, idOf(device))
    const answer = await says(device, { Status: 'CommandFormatError', ...(named ? { CommandUUID: uuid } : {}) })
    assert.match(answer.body.toString(), /SecurityInfo/)
    assert.equal((await outcome(order)).state, 'error')
    await device.connect()
    assert.equal((await outcome(next)).state, 'acknowledged')
  }
})

test('DeviceInformation without a list asks for all that the rights allow, and no more', async () => {
  const [open, closed] = [await enrolled('open'), await enrolled('closed', { tier: 'private' })]
  const order = await owner.order({ action: 'DeviceInformation', devices: [open, closed].map(idOf) })
  for (const device of [open, closed]) await device.connect()
  const [all, few] = [open, closed].map(device => device.executed[0]!.keys.Queries as string[])
  assert.deepEqual(all, allowedQueries('full'))
  assert.deepEqual(few, allowedQueries('private'))
  assert.ok(all!.includes('PhoneNumber') && !few!.includes('PhoneNumber'))
  assert.equal((await installation.show(order)).state, 'done')
  assert.equal((await page(closed)).facts.OSVersion, closed.self.os)
})

test('nothing personal that a device tells stands in an answer or in the database', async () => {
  const device = await enrolled('private person', { supervised: true })
  const { self } = device
  const orders = [
    await ordered(device, 'DeviceInformation'),
    await ordered(device, 'CertificateList'),
    await ordered(device, 'EnableLostMode', ['Message=Lost']),
  ]
  orders.push(await ordered(device, 'DeviceLocation'))
  await device.connect()
  const mac = await enrolled('private mac', { model: 'mac' })
  await mac.addUser('unmistakable')
  const shown = await Promise.all(orders.map(order => installation.cli('order', 'show', order)))
  for (const { devices } of shown as { devices: { state: string }[] }[]) assert.equal(devices[0]!.state, 'acknowledged')
  const { rows } = await installation.database.query(
    `select table_schema || '.' || table_name as name from information_schema.tables where table_schema in ('edge', 'vault', 'console', 'watch')`,
  )
  const tables = await Promise.all(
    rows.map(({ name }) =>
      installation.database.query(`select coalesce(string_agg(t::text, ' '), '') as text from ${name} t`),
    ),
  )
  const stored = tables.map(({ rows: [row] }) => String(row.text)).join(' ')
  const told = JSON.stringify([shown, await page(device), await page(mac)])
  assert.ok(stored.includes(idOf(device)) && told.includes(self.os)) // it was looked for in the right places
  const person = [
    self.serial,
    self.udid,
    self.imei,
    self.phone,
    self.owner,
    self.deviceName,
    self.wifi,
    String(self.latitude).slice(0, 8),
    device.push.magic,
  ]
  for (const secret of [...person, 'unmistakable', mac.self.owner, ...mac.users.keys()])
    for (const [where, text] of Object.entries({ told, stored })) {
      assert.ok(!text.toLowerCase().includes(secret.toLowerCase()), `${secret} in what is ${where}`)
      assert.ok(!text.includes(Buffer.from(secret).toString('hex')), `${secret} in hex in what is ${where}`)
    }
})

test('a body may have holes: each device gets its own id in them, and one approval is enough', async () => {
  const pair = [await enrolled('hole 1', { supervised: true }), await enrolled('hole 2', { supervised: true })]
  const order = await owner.order({
    action: 'Settings',
    set: ['Settings.DeviceName.DeviceName=Kiosk {{device-id}}'],
    devices: pair.map(idOf),
  })
  for (const device of pair) {
    await device.connect()
    assert.equal(device.state.name, `Kiosk ${idOf(device)}`)
  }
  assert.equal((await installation.show(order)).state, 'done')
  const wrong = owner.draft({ action: 'ProfileList', set: ['ManagedOnly={{unlock-token}}'], devices: [idOf(pair[0]!)] })
  await assert.rejects(wrong, { code: 'BAD_REQUEST' })
})

test("what an enrolment's rights do not allow is refused when it is drafted", async () => {
  const [full, noWipe, closed] = [
    await enrolled('f'),
    await enrolled('n', { tier: 'no-wipe' }),
    await enrolled('p', { tier: 'private' }),
  ]
  const refused = async (action: string, device: Device, set: string[] = []) =>
    assert.rejects(owner.draft({ action, set, devices: [idOf(full), idOf(device)] }), { code: 'RIGHT_MISSING' })
  await refused('EraseDevice', noWipe)
  await refused('EraseDevice', closed)
  await refused('DeviceInformation', closed, ['Queries=PhoneNumber'])
  await owner.draft({ action: 'DeviceInformation', set: ['Queries=PhoneNumber'], devices: [idOf(noWipe)] })
  await assert.rejects(installation.draft('--action', 'EraseDevice', '--all'), /RIGHT_MISSING.*remedy/s)
})

test('a lost phone shows a message and tells where it is, until it is found', async () => {
  const device = await enrolled('lost', { supervised: true })
  const tooEarly = await ordered(device, 'DeviceLocation')
  await device.connect()
  assert.equal((await outcome(tooEarly)).state, 'error')
  await ordered(device, 'EnableLostMode', ['Message=Please bring it back', 'PhoneNumber=+32 2 555 00 00'])
  await device.connect()
  assert.equal(device.state.lostMode?.message, 'Please bring it back')
  assert.equal((await page(device)).state, 'lost')
  const where = await ordered(device, 'DeviceLocation')
  await device.connect()
  const { state, result } = await outcome(where)
  assert.equal(state, 'acknowledged')
  assert.deepEqual(Object.keys(result!).sort(), ['at', 'code', 'domain'])
  await ordered(device, 'DisableLostMode')
  await device.connect()
  assert.equal(device.state.lostMode, undefined)
  assert.equal((await page(device)).state, 'enrolled')
})

test('the PIN of a DeviceLock reaches the Mac and is nowhere to be read on the way', async () => {
  const mac = await enrolled('locked', { model: 'mac' })
  const order = await ordered(mac, 'DeviceLock', ['PIN=736251', 'Message=Ask at the desk'])
  const shown = await installation.console.get<Order>(`/api/orders/${order}`)
  assert.deepEqual([shown.secret, shown.body], [true, null])
  const { rows } = await installation.database.query(
    'select o::text as text, body from console.orders o where order_id = $1',
    [order],
  )
  for (const text of [JSON.stringify(shown), rows[0].text, rows[0].body.toString('latin1')])
    assert.ok(!text.includes('736251'))
  await mac.connect()
  assert.deepEqual(mac.state.locked, { pin: '736251', message: 'Ask at the desk' })
  assert.equal((await outcome(order)).state, 'acknowledged')
})

test('a passcode is cleared with the token that the device itself gave', async () => {
  const device = await enrolled('forgetful')
  const order = await ordered(device, 'ClearPasscode')
  await device.connect()
  assert.equal(device.state.passcode, false)
  assert.equal((await outcome(order)).state, 'acknowledged')
  const mac = await enrolled('never gave one', { model: 'mac' })
  const without = await ordered(mac, 'ClearPasscode')
  assert.equal(await mac.connect(), 0)
  assert.deepEqual([(await outcome(without)).state, types(mac)], ['error', []])
})

test('a device that was told to erase itself is gone, and its order says that it agreed', async () => {
  const device = await enrolled('erased')
  const order = await ordered(device, 'EraseDevice')
  await ordered(device, 'ProfileList')
  await device.connect()
  assert.deepEqual([device.state.erased, types(device)], [true, ['EraseDevice']])
  assert.equal((await outcome(order)).state, 'acknowledged')
  await assert.rejects(device.connect(), /erased/)
})

test('a profile is installed, listed and removed', async () => {
  const device = await enrolled('profiles', { supervised: true })
  const payload = {
    PayloadType: 'com.apple.applicationaccess',
    PayloadVersion: 1,
    PayloadIdentifier: 'example.office.camera',
    PayloadUUID: '0B1C6E6E-61A5-4A5E-9E0B-000000000001',
    allowCamera: false,
  }
  const profile = {
    PayloadType: 'Configuration',
    PayloadVersion: 1,
    PayloadIdentifier: 'example.office',
    PayloadUUID: '0B1C6E6E-61A5-4A5E-9E0B-000000000002',
    PayloadContent: [payload],
  }
  const file = join(installation.home, 'office.mobileconfig')
  writeFileSync(file, encodeXmlPlist(profile))
  const install = await installation.order('--action', 'InstallProfile', '--body', file, '--device', idOf(device))
  await device.connect()
  assert.equal((await outcome(install)).state, 'acknowledged')
  assert.ok(device.state.profiles.some(({ identifier }) => identifier === 'example.office'))
  const remove = await ordered(device, 'RemoveProfile', ['Identifier=example.office'])
  await device.connect()
  assert.equal((await outcome(remove)).state, 'acknowledged')
  assert.equal(device.state.profiles.length, 1)
  const again = await ordered(device, 'RemoveProfile', ['Identifier=example.office'])
  await device.connect()
  assert.equal((await outcome(again)).result?.code, 12013)
})

test('an order that is cancelled before it was sent reaches nobody, nor when it was put off', async () => {
  const device = await enrolled('spared')
  device.notNow = true
  const putOff = await ordered(device, 'ProfileList')
  await device.connect()
  const pending = await ordered(device, 'RestartDevice')
  for (const order of [putOff, pending]) {
    const { state } = await installation.cli<{ state: string }>(
      'order',
      'cancel',
      order,
      '--passkey',
      installation.passkey,
    )
    assert.equal(state, 'cancelled')
    assert.equal((await outcome(order)).state, 'cancelled')
  }
  device.notNow = false
  assert.equal(await device.connect(), 0)
  await assert.rejects(installation.approve(pending), /CONFLICT|cancelled/)
})

test('an order whose time is over is not sent any more and says that it expired', async () => {
  const device = await enrolled('too late')
  const order = await ordered(device, 'RestartDevice')
  await installation.database.query(
    "update edge.pending set expires_at = now() - interval '1 second' where order_id = $1",
    [order],
  )
  assert.equal(await device.connect(), 0)
  assert.equal((await outcome(order)).state, 'expired')
  await until(
    async () =>
      (await installation.database.query('select from edge.pending where order_id = $1', [order])).rowCount === 0,
  )
  assert.equal((await outcome(order)).state, 'expired')
  assert.equal(device.state.restarts, 0)
})

test('a draft is inert, however long it is looked at', async () => {
  const device = await enrolled('asked in vain')
  const { order } = await owner.draft({ action: 'RestartDevice', devices: [idOf(device)] })
  assert.equal(await device.connect(), 0)
  assert.equal((await installation.show(order)).state, 'draft')
})

test('a group is who its newest version says; an order keeps the devices that were approved', async () => {
  const [stays, leaves, joins] = [await enrolled('stays'), await enrolled('leaves'), await enrolled('joins')]
  const owned = ['--passkey', installation.passkey]
  await installation.cli('group', 'create', 'kiosks', ...owned)
  await installation.cli('group', 'add', 'kiosks', idOf(stays), idOf(leaves), ...owned)
  const first = await owner.order({ action: 'ProfileList', group: 'kiosks' })
  await installation.cli('group', 'remove', 'kiosks', idOf(leaves), ...owned)
  await installation.cli('group', 'add', 'kiosks', idOf(joins), ...owned)
  const second = await owner.order({ action: 'SecurityInfo', group: 'kiosks' })
  for (const device of [stays, leaves, joins]) await device.connect()
  assert.deepEqual(types(stays), ['ProfileList', 'SecurityInfo'])
  assert.deepEqual(types(leaves), ['ProfileList'])
  assert.deepEqual(types(joins), ['SecurityInfo'])
  for (const order of [first, second]) assert.equal((await installation.show(order)).devices.length, 2)
})

test('an invitation to a group makes its devices members', async () => {
  const statement = await owner.group('arrivals', [])
  const { id } = JSON.parse(statement) as { id: string }
  const { profileUrl } = await owner.invite({ groups: [id] })
  const device = createDevice({ seed: 'arrival', model: 'ipad', keyType: 'ec' })
  devices.push(device)
  await device.enrol(profileUrl)
  const order = await owner.order({ action: 'ProfileList', group: 'arrivals' })
  assert.equal(await device.connect(), 1)
  assert.deepEqual(
    (await installation.show(order)).devices.map(one => one.device),
    [idOf(device)],
  )
})

test("an order for the users of a Mac goes to each user's channel and not to the device's own", async () => {
  const mac = await enrolled('shared mac', { model: 'mac' })
  const [ada, bo] = [await mac.addUser('ada'), await mac.addUser('bo')]
  const order = await owner.order({ action: 'ProfileList', devices: [idOf(mac)], channel: 'user' })
  assert.equal(await mac.connect(), 0)
  for (const user of [ada, bo]) assert.equal(await mac.connect({ user }), 1)
  assert.deepEqual(
    mac.executed.map(({ user }) => user),
    [ada.id, bo.id],
  )
  assert.equal((await installation.show(order)).state, 'done')
})

// Last, because it reaches every device that enrols afterwards.
test('a standing order that was approved once reaches the devices that are there and each that enrols', async () => {
  const present = await enrolled('present')
  const { order } = await installation.cli<{ order: string }>(
    'standing',
    'create',
    '--action',
    'DeviceInformation',
    '--trigger',
    'enrolment',
    '--reason',
    'device pages are not empty',
  )
  assert.equal(await present.connect(), 0)
  await installation.cli('standing', 'approve', order, '--passkey', installation.passkey)
  const later = await enrolled('later', { tier: 'private' })
  for (const device of [present, later]) {
    assert.equal(await device.connect(), 1)
    assert.equal((await page(device)).facts.OSVersion, device.self.os)
    assert.equal(await device.connect(), 0)
  }
  const dangerous = installation.cli('standing', 'create', '--action', 'EraseDevice', '--reason', 'no')
  await assert.rejects(dangerous, /REFUSED/)
})
