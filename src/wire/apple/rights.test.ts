import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { PlistValue } from '../plist/plist.ts'
import { dictOf } from './dict.ts'
import { QUERIES } from './facts.generated.ts'
import { ACCESS_RIGHTS, allowedQueries, rightsNeeded, rightsNeededBy, TIERS } from './rights.ts'

test('access rights are the thirteen values 1 to 4096, not bit positions', () => {
  assert.deepEqual(
    Object.values(ACCESS_RIGHTS),
    Array.from({ length: 13 }, (_, bit) => 2 ** bit),
  )
  assert.equal(ACCESS_RIGHTS.AllowDeviceErase, 8)
  assert.equal(ACCESS_RIGHTS.AllowQueryNetworkInformation, 32)
  assert.equal(ACCESS_RIGHTS.AllowSettings, 2048)
})

test('the tiers leave out erasing, and erasing and the network', () => {
  assert.deepEqual(TIERS, { full: 8191, 'no-wipe': 8183, private: 8151 })
})

const NEEDED: [string, number][] = [
  ['ProfileList', 1],
  ['CertificateList', 1],
  ['InstallProfile', 2],
  ['RemoveProfile', 2],
  ...[
    'ClearPasscode',
    'DeviceLock',
    'RestartDevice',
    'ShutDownDevice',
    'RotateFileVaultKey',
    'SetFirmwarePassword',
  ].map((type): [string, number] => [type, 4]),
  ...['SetRecoveryLock', 'VerifyRecoveryLock', 'UnlockUserAccount', 'LOMDeviceRequest', 'LOMSetupRequest'].map(
    (type): [string, number] => [type, 4],
  ),
  ['EraseDevice', 8],
  ['DeviceInformation', 16],
  ['ContentCachingInformation', 32],
  ['ProvisioningProfileList', 64],
  ['InstallProvisioningProfile', 128],
  ['RemoveProvisioningProfile', 128],
  ['InstalledApplicationList', 256],
  ['Restrictions', 512],
  ['SecurityInfo', 1024],
  ['Settings', 2048],
  ...['InstallApplication', 'RemoveApplication', 'ManagedApplicationList', 'InstallEnterpriseApplication'].map(
    (type): [string, number] => [type, 4096],
  ),
  ...['InstallMedia', 'ScheduleOSUpdate'].map((type): [string, number] => [type, 4096]),
  ...['EnableLostMode', 'DisableLostMode', 'DeviceLocation', 'PlayLostModeSound', 'RequestUnlockToken'].map(
    (type): [string, number] => [type, 0],
  ),
  ...['ActivationLockBypassCode', 'SetAutoAdminPassword', 'DeleteUser', 'LogOutUser', 'UserList'].map(
    (type): [string, number] => [type, 0],
  ),
  ['NotKnownToAnybody', 0],
  ['constructor', 0],
]

test('every command of the reference table needs the right that the table names', () => {
  for (const [type, right] of NEEDED) assert.equal(rightsNeeded(type), right, type)
})

test('a query for a phone number needs the network right, in a command as in the list of a tier', () => {
  const ask = (...queries: string[]) =>
    rightsNeededBy(
      dictOf([
        ['RequestType', 'DeviceInformation'],
        ['Queries', queries],
      ]),
    )
  assert.equal(ask('OSVersion', 'SerialNumber', 'IMEI'), 16)
  assert.equal(ask('OSVersion', 'PhoneNumber'), 48)
  assert.equal(ask('WiFiMAC'), 48)
})

test('a setting of the radio needs the network right, one of an app the app right', () => {
  const set = (...items: PlistValue[]) =>
    rightsNeededBy(
      dictOf([
        ['RequestType', 'Settings'],
        ['Settings', items],
      ]),
    )
  assert.equal(set({ Item: 'TimeZone', TimeZone: 'Europe/Helsinki' }), 2048)
  assert.equal(set({ Item: 'Bluetooth', Enabled: true }), 2048 + 32)
  assert.equal(set({ Item: 'ApplicationConfiguration', Identifier: 'a' }, 'nonsense'), 2048 + 4096)
})

test('a private device is never asked for its number, its SIM, its carrier or its addresses', () => {
  const asked = allowedQueries('private')
  const hidden = ['PhoneNumber', 'ICCID', 'ServiceSubscriptions', 'SubscriberMCC', 'SubscriberMNC', 'CurrentMCC']
  hidden.push('WiFiMAC', 'BluetoothMAC', 'EthernetMAC', 'IsRoaming', 'SIMCarrierNetwork', 'CurrentCarrierNetwork')
  for (const query of hidden) assert.ok(!asked.includes(query), query)
  for (const query of ['OSVersion', 'SerialNumber', 'IMEI', 'UDID']) assert.ok(asked.includes(query), query)
  assert.equal(allowedQueries('full').length, QUERIES.length)
  assert.deepEqual(allowedQueries('no-wipe'), allowedQueries('full'))
})
