import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BulkheadError } from '../../base/errors.ts'
import type { PlistDict } from '../plist/plist.ts'
import { decodeConnect } from './connect.ts'

const UDID = '00008110-000A1B2C3D4E5F60'
const answer = (rest: PlistDict): PlistDict => ({ Status: 'Acknowledged', UDID, CommandUUID: 'C-1', ...rest })

test('an Idle has an envelope and nothing personal', () => {
  const idle = decodeConnect({ Status: 'Idle', UDID, UserLongName: 'Aino Virtanen', NotOnConsole: false })
  assert.deepEqual(idle, { status: 'Idle', udid: UDID, notOnConsole: false, clear: Object.create(null) })
})

test('DeviceInformation is split into what may be in clear and what is sealed', () => {
  const { clear, personal } = decodeConnect(
    answer({
      QueryResponses: {
        OSVersion: '15.1',
        BuildVersion: '24B83',
        ProductName: 'MacBookPro18,3',
        BatteryLevel: 0.5,
        IsSupervised: true,
        DeviceCapacity: 128,
        SerialNumber: 'F17XXXXXXX',
        DeviceName: 'Aino',
        UDID,
        IMEI: '35',
        PhoneNumber: '+358',
        WiFiMAC: '00:00',
        ModelNumber: '+358401234567',
      },
    }),
  )
  assert.deepEqual(
    { ...clear },
    {
      OSVersion: '15.1',
      BuildVersion: '24B83',
      ProductName: 'MacBookPro18,3',
      BatteryLevel: 0.5,
      IsSupervised: true,
      DeviceCapacity: 128,
    },
  )
  assert.deepEqual(Object.keys(personal!), ['QueryResponses'])
  assert.deepEqual(Object.keys(personal!.QueryResponses as PlistDict), [
    'SerialNumber',
    'DeviceName',
    'UDID',
    'IMEI',
    'PhoneNumber',
    'WiFiMAC',
    'ModelNumber',
  ])
})

test('SecurityInfo is looked into, and its recovery key stays sealed', () => {
  const { clear, personal } = decodeConnect(
    answer({
      SecurityInfo: {
        PasscodePresent: true,
        FDE_Enabled: true,
        FDE_PersonalRecoveryKeyCMS: Uint8Array.of(1),
        ManagementStatus: { EnrolledViaDEP: true },
        SecureBoot: { SecureBootLevel: 'full', ReducedSecurity: [] },
      },
    }),
  )
  assert.deepEqual(
    { ...clear },
    { PasscodePresent: true, FDE_Enabled: true, EnrolledViaDEP: true, SecureBootLevel: 'full' },
  )
  const sealed = personal!.SecurityInfo as PlistDict
  assert.deepEqual(Object.keys(sealed), ['FDE_PersonalRecoveryKeyCMS', 'SecureBoot'])
})

test('an answer that is wholly in clear leaves nothing to seal', () => {
  assert.equal(decodeConnect(answer({ QueryResponses: { OSVersion: '18.1' } })).personal, undefined)
})

test('lists are personal as a whole', () => {
  const { clear, personal } = decodeConnect(answer({ InstalledApplicationList: [{ Name: 'Bank', OSVersion: '1.0' }] }))
  assert.deepEqual(Object.keys(clear), [])
  assert.deepEqual(Object.keys(personal!), ['InstalledApplicationList'])
})

test('an error shows its number and domain, and its texts are sealed', () => {
  const chain = (domain: string, code: unknown = 12021) =>
    answer({
      Status: 'Error',
      ErrorChain: [{ ErrorCode: code as number, ErrorDomain: domain, LocalizedDescription: 'for Aino' }],
    })
  const error = decodeConnect(chain('MCMDMErrorDomain'))
  assert.deepEqual(error.error, { code: 12021, domain: 'MCMDMErrorDomain' })
  assert.ok(error.personal!.ErrorChain)
  for (const domain of ['Aino Virtanen', 'AinoVirtanen', `MC${'x'.repeat(64)}`, 'MC\nAino', 'xcom.apple'])
    assert.deepEqual(decodeConnect(chain(domain)).error, { code: 12021 }, domain)
  assert.deepEqual(decodeConnect(chain('NSPOSIXErrorDomain', 'Aino')).error, { domain: 'NSPOSIXErrorDomain' })
  assert.equal(decodeConnect(answer({ ErrorChain: ['Aino'] })).error, undefined)
})

test('a NotNow and a CommandFormatError keep the command they answer', () => {
  for (const Status of ['NotNow', 'CommandFormatError'])
    assert.equal(decodeConnect(answer({ Status, RequestType: 'DeviceLock' })).commandUuid, 'C-1')
})

test('an EnrollmentID is enough, and an unreadable CommandUUID does not block', () => {
  const odd = decodeConnect({ Status: 'Acknowledged', EnrollmentID: 'E1', CommandUUID: 'a b', RequestType: "'; --" })
  assert.equal(odd.enrollmentId, 'E1')
  assert.equal(odd.commandUuid, undefined)
  assert.equal(odd.requestType, undefined)
})

test('an unknown status, a missing sender and what is no dictionary are refused', () => {
  for (const message of [{ UDID }, { Status: 'idle', UDID }, { Status: 'Idle' }, [], 'Idle'])
    assert.throws(
      () => decodeConnect(message),
      error => error instanceof BulkheadError && error.code === 'BAD_REQUEST',
    )
})

test('a name in the place of a boolean, a number or a model is sealed', () => {
  const QueryResponses = { IsSupervised: 'Aino', BatteryLevel: 358401234567, Model: 'AINO', DeviceCapacity: Number.NaN }
  const { clear, personal } = decodeConnect(answer({ QueryResponses }))
  assert.deepEqual(Object.keys(clear), [])
  assert.deepEqual({ ...(personal!.QueryResponses as PlistDict) }, QueryResponses)
})
