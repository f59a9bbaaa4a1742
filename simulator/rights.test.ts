import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TIERS } from '../src/wire/apple/rights.ts'
import { allows, allowsQuery, allowsSetting, FAULT, refusal } from './rights.ts'

const phone = (rights: number, supervised = false) => ({ platform: 'iOS' as const, supervised, rights })
const mac = { platform: 'macOS' as const, supervised: true, rights: TIERS.full }

test('EraseDevice is refused by a private and a no-wipe enrolment, and obeyed by a full one', () => {
  assert.equal(refusal('EraseDevice', phone(TIERS.private))?.code, FAULT.notAuthorised)
  assert.equal(refusal('EraseDevice', phone(TIERS['no-wipe']))?.code, FAULT.notAuthorised)
  assert.equal(refusal('EraseDevice', phone(TIERS.full)), undefined)
})

test('a private enrolment tells its serial number and neither its phone number nor its addresses', () => {
  assert.equal(allowsQuery('SerialNumber', TIERS.private), true)
  for (const query of [
    'PhoneNumber',
    'ICCID',
    'WiFiMAC',
    'BluetoothMAC',
    'ServiceSubscriptions',
    'CurrentCarrierNetwork',
  ])
    assert.equal(allowsQuery(query, TIERS.private), false, query)
  assert.equal(allowsQuery('PhoneNumber', TIERS['no-wipe']), true)
})

test('a command that no device knows is answered with 12021, and so is one of another platform', () => {
  assert.equal(refusal('MakeCoffee', phone(TIERS.full))?.code, 12021)
  assert.equal(refusal('EnableLostMode', mac)?.code, 12021)
  assert.equal(refusal('constructor', phone(TIERS.full))?.code, 12021)
})

test('Lost Mode needs supervision and no right', () => {
  assert.equal(refusal('EnableLostMode', phone(TIERS.private))?.code, FAULT.unsupervised)
  assert.equal(refusal('EnableLostMode', phone(1, true)), undefined)
})

test('each gated command is refused when exactly its right is missing', () => {
  const gated: [string, number][] = [
    ['ProfileList', 1],
    ['InstallProfile', 2],
    ['DeviceLock', 4],
    ['DeviceInformation', 16],
    ['InstalledApplicationList', 256],
    ['SecurityInfo', 1024],
    ['Settings', 2048],
  ]
  for (const [requestType, right] of gated) {
    assert.equal(refusal(requestType, phone(8191, true)), undefined, requestType)
    assert.equal(refusal(requestType, phone(8191 - right, true))?.code, FAULT.notAuthorised, requestType)
  }
})

test('the right to install means nothing without the right to inspect', () => {
  assert.equal(allows(8191 - 1, 2), false)
  assert.equal(allows(3, 2), true)
})

test('network settings need the network right', () => {
  assert.equal(allowsSetting('DeviceName', TIERS.private), true)
  assert.equal(allowsSetting('DataRoaming', TIERS.private), false)
})
