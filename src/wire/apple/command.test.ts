import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BulkheadError } from '../../base/errors.ts'
import { encodeXmlPlist, type PlistDict } from '../plist/plist.ts'
import { checkCommand, commandFromSets, requestTypes, requireKnown } from './command.ts'

const refused = (part: RegExp, remedy?: RegExp) => (error: unknown) => {
  assert.ok(error instanceof BulkheadError)
  assert.equal(error.code, 'BAD_REQUEST')
  assert.match(error.message, part)
  if (remedy !== undefined) assert.match(error.remedy ?? '', remedy)
  return true
}
const plain = (command: PlistDict) => JSON.parse(JSON.stringify(command))

test('a known command with the right keys is known', () => {
  assert.deepEqual(checkCommand({ RequestType: 'DeviceInformation', Queries: ['OSVersion'] }), { known: true })
  assert.equal(requestTypes().length, 66)
})

test('an unknown request type passes when it is well formed, and only then', () => {
  assert.deepEqual(checkCommand({ RequestType: 'FutureCommand', Anything: 1 }), { known: false })
  assert.deepEqual(checkCommand({ RequestType: 'constructor' }), { known: false })
  assert.throws(() => checkCommand({ RequestType: 'a b' }), refused(/RequestType/))
  assert.throws(() => checkCommand({ RequestType: 'x'.repeat(65) }), refused(/RequestType/))
  assert.throws(() => checkCommand({}), refused(/RequestType is missing/))
})

test('a missing required key is named with its type', () => {
  assert.throws(
    () => checkCommand({ RequestType: 'InstallProfile' }),
    refused(/InstallProfile\.Payload is missing: data/),
  )
  assert.throws(
    () => checkCommand({ RequestType: 'Settings', Settings: [{ Item: 'Bluetooth' }] }),
    refused(/Settings\.Settings\[0\]\(Bluetooth\)\.Enabled is missing: boolean/),
  )
  assert.throws(
    () => checkCommand({ RequestType: 'RotateFileVaultKey', KeyType: 'personal' }),
    refused(/FileVaultUnlock is missing: dictionary/),
  )
})

test('a key of the wrong type is named, however deep it is', () => {
  assert.throws(
    () => checkCommand({ RequestType: 'DeviceLock', PIN: 123456 }),
    refused(/DeviceLock\.PIN is integer: string/),
  )
  assert.throws(
    () => checkCommand({ RequestType: 'DeviceInformation', Queries: ['OSVersion', 7] }),
    refused(/Queries\[1\] is integer: string/),
  )
  assert.throws(
    () => checkCommand({ RequestType: 'EraseDevice', ReturnToService: { Enabled: 'yes' } }),
    refused(/EraseDevice\.ReturnToService\.Enabled is string: boolean/),
  )
  assert.throws(() => checkCommand({ RequestType: 'Settings', Settings: ['x'] }), refused(/Settings\[0\] is string/))
})

test('keys and settings of a newer system pass', () => {
  assert.deepEqual(checkCommand({ RequestType: 'DeviceLock', NewKey: true }), { known: true })
  assert.deepEqual(checkCommand({ RequestType: 'Settings', Settings: [{ Item: 'NewSetting', X: 1 }] }), { known: true })
})

test('sets become typed keys', () => {
  assert.deepEqual(plain(commandFromSets('DeviceInformation', ['Queries=OSVersion,Model'])), {
    RequestType: 'DeviceInformation',
    Queries: ['OSVersion', 'Model'],
  })
  const install = commandFromSets('InstallApplication', [
    'iTunesStoreID=361309726',
    'Options.PurchaseMethod=1',
    'InstallAsManaged=true',
  ])
  assert.deepEqual(plain(install), {
    RequestType: 'InstallApplication',
    iTunesStoreID: 361309726,
    Options: { PurchaseMethod: 1 },
    InstallAsManaged: true,
  })
  assert.deepEqual(commandFromSets('ClearPasscode', ['UnlockToken=AQID']).UnlockToken, Uint8Array.of(1, 2, 3))
  assert.equal(commandFromSets('DeviceLock', ['Message=call=me, please']).Message, 'call=me, please')
})

test('items of an array are set by position, those of Settings by name', () => {
  assert.deepEqual(
    plain(commandFromSets('ScheduleOSUpdate', ['Updates.0.InstallAction=Default', 'Updates.0.ProductVersion=18.1'])),
    {
      RequestType: 'ScheduleOSUpdate',
      Updates: [{ InstallAction: 'Default', ProductVersion: '18.1' }],
    },
  )
  assert.deepEqual(
    plain(commandFromSets('Settings', ['Settings.Bluetooth.Enabled=true', 'Settings.DeviceName.DeviceName=Desk 7'])),
    {
      RequestType: 'Settings',
      Settings: [
        { Item: 'Bluetooth', Enabled: true },
        { Item: 'DeviceName', DeviceName: 'Desk 7' },
      ],
    },
  )
})

test('a body is the profile of InstallProfile, and the whole dictionary of other commands', () => {
  assert.deepEqual(commandFromSets('InstallProfile', [], Uint8Array.of(1, 2)).Payload, Uint8Array.of(1, 2))
  const body = encodeXmlPlist({ RequestType: 'DeviceLock', Message: 'hello' })
  assert.deepEqual(plain(commandFromSets('DeviceLock', ['PIN=123456'], body)), {
    RequestType: 'DeviceLock',
    Message: 'hello',
    PIN: '123456',
  })
  assert.throws(() => commandFromSets('EraseDevice', [], body), refused(/another RequestType/))
  assert.throws(() => commandFromSets('DeviceLock', [], Buffer.from('junk')), BulkheadError)
})

test('what cannot be set is refused with a remedy', () => {
  const cases: [string, string[], RegExp, RegExp?][] = [
    ['DeviceLock', ['Mesage=x'], /no key "Mesage"/, /Nearest: Message/],
    ['DeviceLok', ['PIN=1'], /not a command/, /DeviceLock/],
    ['DeviceLock', ['PIN'], /not KEY=VALUE/],
    ['DeviceLock', ['=x'], /not KEY=VALUE/],
    ['DeviceLock', ['PIN=1', 'PIN=2'], /set twice/],
    ['DeviceLock', ['PIN.x=1'], /has no keys/],
    ['DeviceLock', ['RequestType=EraseDevice'], /cannot be set/],
    ['DeviceLock', ['__proto__.x=1'], /no key/],
    ['EraseDevice', ['PreserveDataPlan=yes'], /should be boolean/, /true or false/],
    ['InstallApplication', ['iTunesStoreID=1e9'], /should be integer/, /whole number/],
    ['ClearPasscode', ['UnlockToken=%%%'], /should be data/, /base64/],
    ['Settings', ['Settings=x'], /array of dictionaries/, /Settings\.NAME/],
    ['Settings', ['Settings.Bluetooh.Enabled=true'], /no key "Bluetooh"/, /Bluetooth/],
    ['ScheduleOSUpdate', ['Updates.3.InstallAction=Default'], /position should be 0 to 0/],
    ['ScheduleOSUpdate', ['Updates.0.ProductVersion=18'], /InstallAction is missing/],
    ['InstallApplication', ['Options=x'], /should be dictionary/, /keys within it/],
    ['DeviceInformation', ['Queries.0=x'], /items of Queries are string/, /Queries=ONE,TWO/],
  ]
  for (const [type, sets, message, remedy] of cases)
    assert.throws(() => commandFromSets(type, sets), refused(message, remedy), sets.join(' '))
})

test('a key of a hundred thousand characters is refused quickly', () => {
  const started = process.cpuUsage()
  assert.throws(() => commandFromSets('DeviceLock', [`${'x'.repeat(100_000)}=1`]), refused(/no key/))
  assert.ok(process.cpuUsage(started).user < 500_000)
})

test('a mistyped action is refused with the one that was likely meant, and with none where nothing is near', () => {
  for (const [typed, meant] of [
    ['DeviceInfo', 'DeviceInformation'],
    ['devicelock', 'DeviceLock'],
    ['EraseDevise', 'EraseDevice'],
    ['ProfilList', 'ProfileList'],
  ] as const)
    assert.throws(() => requireKnown(typed), refused(/is known here/, new RegExp(`^Did you mean ${meant}\\?`)))
  for (const typed of ['Zzzzzzzzzz', 'A', 'x'.repeat(64)])
    assert.throws(() => requireKnown(typed), refused(/is known here/, /^For a command/))
  for (const type of requestTypes()) requireKnown(type)
})

test('a PIN that nobody could type is refused: it is six digits', () => {
  for (const type of ['DeviceLock', 'EraseDevice'])
    for (const pin of ['', '12345', '1234567', '12345a', '123 56', '１２３４５６'])
      assert.throws(() => commandFromSets(type, [`PIN=${pin}`]), refused(/not six digits/, /six digits/), pin)
  assert.equal(commandFromSets('EraseDevice', ['PIN=000000']).PIN, '000000')
  const body = encodeXmlPlist({ RequestType: 'DeviceLock', PIN: '1234' })
  assert.throws(() => commandFromSets('DeviceLock', [], body), refused(/not six digits/))
})
