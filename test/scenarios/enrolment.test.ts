import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { createDevice, type DeviceOptions } from '../../simulator/device.ts'
import { createFleet } from '../../simulator/fleet.ts'
import { createHttp } from '../../simulator/http.ts'
import type { DeviceLine, DevicePage } from '../../src/console/api.ts'
import { allowedQueries } from '../../src/wire/apple/rights.ts'
import { encodeXmlPlist } from '../../src/wire/plist/plist.ts'
import { type Installation, idOf, startInstallation } from '../support/installation.ts'
import { createOperator, type Operator } from '../support/operator.ts'
import { startProxy } from '../support/proxy.ts'

const PROXY = '127.0.0.2' // an address of the loopback interface that nothing else here calls from
let installation: Installation
let owner: Operator
let proxy: Awaited<ReturnType<typeof startProxy>>
before(async () => {
  installation = await startInstallation({ up: ['--trusted-proxy', PROXY] })
  owner = createOperator(installation)
  proxy = await startProxy(installation.urls.edge, PROXY)
})
after(async () => {
  proxy?.close()
  await installation?.stop()
})

const http = createHttp()
after(() => http.close())

const listed = async (device: string) =>
  (await installation.cli<DeviceLine[]>('device', 'list')).find(one => one.device === device)
const phone = (seed: string, options: Partial<DeviceOptions> = {}) =>
  createDevice({ seed, model: 'iphone', keyType: 'ec', ...options })

const proofs: Record<string, () => Partial<DeviceOptions>> = {
  'a signature header': () => ({}),
  'mutual TLS': () => ({ mutualTls: { origin: installation.tlsUrl, ca: 'any' } }),
  "a trusted proxy's word": () => ({ mutualTls: { origin: proxy.url, ca: 'any' } }),
}

for (const unsigned of [false, true])
  for (const [proof, options] of Object.entries(proofs))
    test(`a phone enrols with a profile that is ${unsigned ? 'unsigned' : 'signed'}, is asked for its facts, and answers, proven by ${proof}`, async () => {
      const { profileUrl } = await installation.invite({ unsigned, tier: 'full' })
      const device = phone(`${proof} ${unsigned}`, options())
      await device.enrol(profileUrl)
      assert.equal(device.state.profiles[0]!.signer === undefined, unsigned)
      const id = idOf(device)
      assert.equal((await listed(id))!.state, 'enrolled')

      const order = await owner.order({ action: 'DeviceInformation', devices: [id] })
      assert.equal(await device.connect(), 1)
      const [asked] = device.executed
      assert.deepEqual([asked!.requestType, asked!.status], ['DeviceInformation', 'Acknowledged'])
      assert.deepEqual(asked!.keys.Queries, allowedQueries('full'))

      const shown = await installation.show(order)
      assert.equal(shown.state, 'done')
      assert.equal(shown.devices[0]!.state, 'acknowledged')
      const page = await installation.console.get<DevicePage>(`/api/devices/${id}`)
      assert.equal(page.facts.OSVersion, device.self.os)
      assert.equal(await device.connect(), 0)
      device.close()
    })

test("a Client-Cert header from an address that is not the proxy's is worth nothing", async () => {
  const { profileUrl } = await owner.invite()
  const device = phone('liar')
  await device.enrol(profileUrl)
  const body = encodeXmlPlist({ Status: 'Idle', UDID: device.self.udid })
  const header = { 'client-cert': `:${device.state.identity!.certificate.toString('base64')}:` }
  const claim = () => device.send('connect', body, { signature: false, headers: header })
  assert.equal((await claim()).status, 403)
  const fromProxy = createHttp({ localAddress: PROXY })
  const url = device.state.enrolment!.serverUrl
  assert.equal((await fromProxy.send(url, { method: 'PUT', body, headers: header })).status, 200)
  assert.equal((await fromProxy.send(url, { method: 'PUT', body })).status, 403)
  fromProxy.close()
  device.close()
})

test('an iPad and a Mac enrol too; a user of the Mac has a channel of their own', async () => {
  const { profileUrl } = await owner.invite({ uses: 2 })
  const [ipad, mac] = (['ipad', 'mac'] as const).map(model => createDevice({ seed: model, model, binary: true }))
  await ipad!.enrol(profileUrl)
  await mac!.enrol(profileUrl)
  const user = await mac!.addUser()
  const ids = [ipad!, mac!].map(idOf)
  const forDevices = await owner.order({ action: 'ProfileList', devices: ids })
  const forUsers = await owner.order({ action: 'ProfileList', devices: [ids[1]!], channel: 'user' })
  assert.equal(await ipad!.connect(), 1)
  assert.equal(await mac!.connect(), 1)
  assert.equal(await mac!.connect({ user }), 1)
  assert.deepEqual(
    mac!.executed.map(one => one.user),
    [undefined, user.id],
  )
  for (const order of [forDevices, forUsers]) assert.equal((await installation.show(order)).state, 'done')
  for (const device of [ipad!, mac!]) device.close()
})

test('a Mac gets its bootstrap token back, and nobody else does', async () => {
  const { profileUrl } = await owner.invite({ uses: 2 })
  const [mac, other] = ['keeper', 'nosy'].map(seed => createDevice({ seed, model: 'mac', keyType: 'ec' }))
  for (const one of [mac!, other!]) await one.enrol(profileUrl)
  assert.equal(await mac!.getBootstrapToken(), undefined)
  const token = await mac!.setBootstrapToken()
  assert.deepEqual(await mac!.getBootstrapToken(), token)
  assert.equal(await other!.getBootstrapToken(), undefined)
  const ask = encodeXmlPlist({ MessageType: 'GetBootstrapToken', UDID: mac!.self.udid })
  const stolen = await other!.send(mac!.state.enrolment!.checkInUrl, ask)
  assert.equal(stolen.status, 403)
  for (const one of [mac!, other!]) one.close()
})

test('check-ins are answered as the protocol says, and what is unknown is a clear error', async () => {
  const { profileUrl } = await owner.invite()
  const device = phone('talker')
  await device.enrol(profileUrl)
  const items = await device.declarative('declaration-items')
  assert.deepEqual((items.json as { Declarations: object }).Declarations, {
    Activations: [],
    Assets: [],
    Configurations: [],
    Management: [],
  })
  const tokens = (await device.declarative('tokens')).json as { SyncTokens: { DeclarationsToken: string } }
  assert.equal(tokens.SyncTokens.DeclarationsToken, (items.json as { DeclarationsToken: string }).DeclarationsToken)
  assert.equal((await device.declarative('declaration/configuration/none')).status, 404)
  assert.equal((await device.declarative('status', { StatusItems: {} })).status, 200)
  const says = (message: Record<string, string>) =>
    device.send('checkin', encodeXmlPlist({ ...message, UDID: device.self.udid }))
  const user = { UserID: 'A8E1E1E1-0000-0000-0000-000000000000', UserShortName: 'ada', UserLongName: 'Ada' }
  const authenticated = await says({ MessageType: 'UserAuthenticate', ...user })
  assert.equal(authenticated.status, 200)
  assert.match(authenticated.body.toString(), /<key>DigestChallenge<\/key>\s*<string>\s*<\/string>|<string\/>/)
  assert.equal((await says({ MessageType: 'GetToken', TokenServiceType: 'com.apple.maid' })).status, 404)
  for (const wrong of ['Hello', 'constructor', '']) {
    const answer = await says({ MessageType: wrong })
    assert.equal(answer.status, 400)
    assert.ok(answer.body.length < 300)
  }
  assert.equal(await device.connect(), 0)
  device.close()
})

test("an invitation's page speaks plain words and shows a picture to scan; looking and fetching use up nothing", async () => {
  const { url, profileUrl } = await owner.invite({ tier: 'no-wipe' })
  for (let times = 0; times < 3; times++) {
    const page = await http.send(url)
    assert.equal(page.status, 200)
    const html = page.body.toString()
    assert.match(html, /refuses the EraseDevice command/)
    assert.match(html, /for 1 more device\./)
    assert.match(html, /<svg/)
    assert.ok(html.includes(`href="${profileUrl}"`))
    assert.doesNotMatch(html, /<script/)
    assert.equal((await http.send(profileUrl)).headers['content-type'], 'application/x-apple-aspen-config')
  }
  const device = phone('first')
  await device.enrol(profileUrl)
  assert.match((await http.send(url)).body.toString(), /was used up/)
  assert.equal((await http.send(profileUrl)).status, 403)
  device.close()
})

test('an invitation for seven devices lets exactly seven of a hundred in, though all come at once', async () => {
  const { url, profileUrl } = await owner.invite({ uses: 7 })
  const { devices } = await createFleet({ count: 100, seed: 'rush', parallel: 100 })
  const profiles = await Promise.all(devices.map(async () => (await http.send(profileUrl)).body))
  const outcomes = await Promise.allSettled(devices.map((device, at) => device.enrol(profiles[at]!)))
  const enrolled = devices.filter((_, at) => outcomes[at]!.status === 'fulfilled')
  assert.equal(enrolled.length, 7)
  for (const outcome of outcomes)
    if (outcome.status === 'rejected') assert.match(outcome.reason.message, /SCEP: FAILURE, badRequest/)
  const order = await owner.order({ action: 'ProfileList', devices: enrolled.map(idOf) })
  for (const device of enrolled) assert.equal(await device.connect(), 1)
  assert.equal((await installation.show(order)).state, 'done')
  assert.match((await http.send(url)).body.toString(), /was used up/)
  for (const device of devices) device.close()
})

test('an invitation that has expired lets nobody in, not even with a profile that was fetched before', async () => {
  const now = Math.floor(Date.now() / 1000)
  const { url, profileUrl } = await owner.invite({ expiresAt: now + 3, uses: 5 })
  const profile = await http.send(profileUrl)
  assert.equal(profile.status, 200)
  while (Date.now() < (now + 3) * 1000) await new Promise(settle => setTimeout(settle, 100))
  assert.match((await http.send(url)).body.toString(), /has expired/)
  assert.equal((await http.send(profileUrl)).status, 403)
  await assert.rejects(phone('late').enrol(profile.body), /SCEP: FAILURE/)
})

test('a device that checks out is gone with its work, and may enrol again as a new one', async () => {
  const { profileUrl } = await owner.invite({ uses: 2 })
  const device = phone('leaver')
  await device.enrol(profileUrl)
  const id = idOf(device)
  const order = await owner.order({ action: 'ProfileList', devices: [id] })
  await device.checkOut()
  assert.equal((await listed(id))!.state, 'left')
  assert.equal((await installation.show(order)).devices[0]!.state, 'cancelled')
  await device.enrol(profileUrl)
  assert.notEqual(idOf(device), id)
  assert.equal(await device.connect(), 0)
  assert.equal((await listed(idOf(device)))!.state, 'enrolled')
  device.close()
})
