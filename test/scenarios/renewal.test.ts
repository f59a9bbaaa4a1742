import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { createDevice, type Device } from '../../simulator/device.ts'
import { createHttp } from '../../simulator/http.ts'
import { type Identity, makeKeys } from '../../simulator/identity.ts'
import { type Enrolment, enrolmentOf, openProfile, payloadBytes } from '../../simulator/profile.ts'
import { enrolScep, learnServer } from '../../simulator/scep.ts'
import type { DevicePage } from '../../src/console/api.ts'
import { own } from '../../src/wire/apple/dict.ts'
import { decodePlist, encodeXmlPlist, type PlistDict } from '../../src/wire/plist/plist.ts'
import { type Installation, idOf, startInstallation } from '../support/installation.ts'
import { createOperator, type Operator } from '../support/operator.ts'

// Certificates of 20 days: their renewal is due from the first day.
let installation: Installation
let owner: Operator
before(async () => {
  installation = await startInstallation()
  owner = createOperator(installation)
})
after(() => installation?.stop())

const http = createHttp()
after(() => http.close())

async function enrolled(seed: string, fields: { signed?: boolean; keyType?: 'rsa' | 'ec' } = {}): Promise<Device> {
  const { signed = true, keyType = 'ec' } = fields
  const { profileUrl } = await owner.invite({ identityDays: 20, signed, tier: 'full' })
  const device = createDevice({ seed, model: 'iphone', keyType })
  await device.enrol(profileUrl)
  return device
}

/** Status of an Idle that is proven by this identity. */
async function idle(device: Device, identity: Identity): Promise<number> {
  const body = encodeXmlPlist({ Status: 'Idle', UDID: device.self.udid })
  return (await device.send('connect', body, { identity })).status
}
const page = (id: string) => installation.console.get<DevicePage>(`/api/devices/${id}`)
/** All of an enrolment but what a renewal is for. */
const lasting = ({ scep: _, signer: __, ...rest }: Enrolment) => rest
const outcome = async (order: string) => (await installation.show(order)).devices[0]!

for (const signed of [true, false])
  test(`a certificate is renewed and nothing is lost, with a profile that is ${signed ? 'signed' : 'unsigned'}`, async () => {
    const device = await enrolled(`keeper ${signed}`, { signed })
    const id = idOf(device)
    const { identity: old, enrolment: before } = { ...device.state }
    const devices = (await installation.cli<unknown[]>('device', 'list')).length
    const pending = await owner.order({ action: 'ProfileList', devices: [id] })
    const putOff = await owner.order({ action: 'InstalledApplicationList', devices: [id] })

    device.notNow = type => type === 'InstalledApplicationList'
    await device.connect()
    device.notNow = false
    const renewal = device.executed.find(({ requestType }) => requestType === 'InstallProfile')
    assert.equal(renewal?.status, 'Acknowledged')
    const fresh = device.state.identity!
    assert.notDeepEqual(fresh.certificate, old!.certificate)
    assert.equal((await outcome(pending)).state, 'acknowledged')
    assert.equal((await outcome(putOff)).state, 'not-now')

    // The answer to the renewal was sent with the new one already: so it was used, and the old one is over.
    assert.equal(await idle(device, old!), 403)
    assert.equal(await idle(device, fresh), 200)

    assert.deepEqual(lasting(device.state.enrolment!), lasting(before!))
    assert.equal(idOf(device), id)
    assert.equal((await page(id)).state, 'enrolled')
    assert.equal((await installation.cli<unknown[]>('device', 'list')).length, devices)
    await device.connect()
    assert.equal((await outcome(putOff)).state, 'acknowledged')
    const cleared = await owner.order({ action: 'ClearPasscode', devices: [id] })
    await device.connect() // with the unlock token of before
    assert.equal((await outcome(cleared)).state, 'acknowledged')
    assert.equal(device.state.passcode, false)
    assert.ok(new Date((await page(id)).certificateExpires!) <= new Date(Date.now() + 21 * 86_400_000))
    device.close()
  })

/** SCEP's own message for a renewal: signed with the old certificate, whose key must be RSA to read the answer. */
async function renewByScep(
  url: string,
  signer: Identity,
  challenge = '',
  messageType: 'PKCSReq' | 'RenewalReq' = 'RenewalReq',
) {
  const keys = await makeKeys('rsa')
  return enrolScep(http, await learnServer(http, url), {
    url,
    challenge,
    keys,
    signer,
    commonName: 'anything',
    messageType,
  })
}

test('by RenewalReq too; the old certificate and the new one are both accepted until the new one is used', async () => {
  const device = await enrolled('between', { keyType: 'rsa' })
  const old = device.state.identity!
  const fresh = await renewByScep(device.state.enrolment!.scep.url, old)
  assert.notDeepEqual(fresh.certificate, old.certificate)
  assert.equal(await idle(device, old), 200)
  assert.equal(await idle(device, old), 200)
  assert.equal(await idle(device, fresh), 200)
  assert.equal(await idle(device, old), 403)
  assert.equal(await idle(device, fresh), 200)
  await assert.rejects(renewByScep(device.state.enrolment!.scep.url, old), /SCEP: FAILURE/)
  device.close()
})

test("a renewal for another device's URLs is refused, by certificate and by challenge", async () => {
  const [one, other] = [await enrolled('one', { keyType: 'rsa' }), await enrolled('other', { keyType: 'rsa' })]
  const others = other.state.enrolment!.scep.url
  await assert.rejects(renewByScep(others, one.state.identity!), /SCEP: FAILURE, badRequest/)
  const challenge = await challengeOf(one)
  await assert.rejects(renewByScep(others, one.state.identity!, challenge, 'PKCSReq'), /SCEP: FAILURE, badRequest/)
  await assert.rejects(renewByScep(others, other.state.identity!, challenge, 'PKCSReq'), /SCEP: FAILURE, badRequest/)
  assert.equal(await idle(one, one.state.identity!), 200)
  assert.equal(await idle(other, other.state.identity!), 200)
  // The same challenge at its own URLs works: it was refused for where it was used.
  const fresh = await renewByScep(one.state.enrolment!.scep.url, one.state.identity!, challenge, 'PKCSReq')
  assert.equal(await idle(one, fresh), 200)
  for (const device of [one, other]) device.close()
})

/** The challenge in the renewal that the server offers, taken without answering. */
async function challengeOf(device: Device): Promise<string> {
  const answer = await device.send('connect', encodeXmlPlist({ Status: 'Idle', UDID: device.self.udid }))
  const command = own(decodePlist(answer.body) as PlistDict, 'Command') as PlistDict
  return enrolmentOf(openProfile(payloadBytes(command))).scep.challenge
}

test('a renewal that never reached the device is offered again', async () => {
  const device = await enrolled('deaf')
  const old = device.state.identity!
  for (let times = 0; times < 3; times++) assert.ok(await challengeOf(device))
  await device.connect()
  assert.notDeepEqual(device.state.identity!.certificate, old.certificate)
  assert.equal(await idle(device, old), 403)
  device.close()
})
