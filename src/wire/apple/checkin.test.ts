import assert from 'node:assert/strict'
import { test } from 'node:test'
import { BulkheadError } from '../../base/errors.ts'
import type { PlistDict } from '../plist/plist.ts'
import { decodeCheckin } from './checkin.ts'
import { CHECKINS } from './facts.generated.ts'

const UDID = '00008110-000A1B2C3D4E5F60'
const authenticate: PlistDict = {
  MessageType: 'Authenticate',
  Topic: 'com.apple.mgmt.External.test',
  UDID,
  OSVersion: '18.1',
  BuildVersion: '22B83',
  ProductName: 'iPhone14,5',
  ModelName: 'iPhone',
  Model: 'MLPF3',
  DeviceName: 'Aino’s iPhone',
  SerialNumber: 'F17XXXXXXX',
  IMEI: '35 000000 000000 0',
}
const tokenUpdate: PlistDict = {
  MessageType: 'TokenUpdate',
  UDID,
  Token: new Uint8Array(32),
  PushMagic: 'magic',
  Topic: 'another topic',
}
const refused = (code: string, part: RegExp) => (error: unknown) => {
  assert.ok(error instanceof BulkheadError)
  assert.equal(error.code, code)
  assert.match(error.message, part)
  return true
}

test('versions and models of an Authenticate are in clear, names and numbers to be sealed', () => {
  const checkin = decodeCheckin(authenticate)
  assert.equal(checkin.type, 'Authenticate')
  assert.equal(checkin.udid, UDID)
  assert.deepEqual(
    { ...checkin.clear },
    { OSVersion: '18.1', BuildVersion: '22B83', ProductName: 'iPhone14,5', ModelName: 'iPhone', Model: 'MLPF3' },
  )
  assert.deepEqual(Object.keys(checkin.personal!).sort(), ['DeviceName', 'IMEI', 'SerialNumber'])
})

test('a name in the place of a version is sealed, not stored in clear', () => {
  const { clear, personal } = decodeCheckin({
    ...authenticate,
    OSVersion: 'Aino Virtanen',
    ModelName: 'Aino',
    Model: 'Aino Virtanen',
  })
  assert.deepEqual(Object.keys(clear).sort(), ['BuildVersion', 'ProductName'])
  assert.equal(personal!.OSVersion, 'Aino Virtanen')
})

test('an Authenticate without versions, topic or UDID is accepted when it has an EnrollmentID', () => {
  const checkin = decodeCheckin({ MessageType: 'Authenticate', EnrollmentID: 'E1' })
  assert.deepEqual(checkin, { type: 'Authenticate', enrollmentId: 'E1', clear: Object.create(null) })
})

test('a message that says neither UDID nor EnrollmentID is refused, but for bootstrap tokens', () => {
  assert.throws(
    () => decodeCheckin({ MessageType: 'CheckOut' }),
    refused('BAD_REQUEST', /neither UDID nor EnrollmentID/),
  )
  assert.equal(decodeCheckin({ MessageType: 'GetBootstrapToken' }).type, 'GetBootstrapToken')
})

test('a TokenUpdate has its token, and a NotOnConsole that may be a string', () => {
  const unlockToken = new Uint8Array([1, 2, 3])
  const checkin = decodeCheckin({
    ...tokenUpdate,
    UnlockToken: unlockToken,
    NotOnConsole: 'true',
    AwaitingConfiguration: true,
  })
  assert.deepEqual(checkin.tokenUpdate, {
    token: new Uint8Array(32),
    pushMagic: 'magic',
    unlockToken,
    topic: 'another topic',
    awaitingConfiguration: true,
    notOnConsole: true,
  })
  assert.equal(checkin.personal, undefined)
  assert.equal(decodeCheckin({ ...tokenUpdate, NotOnConsole: 'false' }).tokenUpdate!.notOnConsole, false)
  assert.equal(decodeCheckin({ ...tokenUpdate, Token: new Uint8Array(100) }).tokenUpdate!.token.length, 100)
})

test('a TokenUpdate without a token or push magic is refused, and a huge token is too long', () => {
  assert.throws(() => decodeCheckin({ ...tokenUpdate, Token: 'text' }), refused('BAD_REQUEST', /Token is missing/))
  assert.throws(() => decodeCheckin({ ...tokenUpdate, PushMagic: 5 }), refused('BAD_REQUEST', /PushMagic is missing/))
  assert.throws(() => decodeCheckin({ ...tokenUpdate, Token: new Uint8Array(101) }), refused('LIMIT', /Token/))
  assert.throws(() => decodeCheckin({ ...tokenUpdate, UDID: 'x'.repeat(257) }), refused('LIMIT', /UDID/))
})

test('a user channel says which user, and their names are sealed', () => {
  const user = decodeCheckin({ ...tokenUpdate, UserID: 'U1', UserShortName: 'aino', UserLongName: 'Aino Virtanen' })
  assert.equal(user.userId, 'U1')
  assert.equal(user.userShortName, 'aino')
  assert.deepEqual({ ...user.personal }, { UserShortName: 'aino', UserLongName: 'Aino Virtanen' })
  assert.equal(decodeCheckin({ ...tokenUpdate, EnrollmentUserID: 'U2' }).userId, 'U2')
})

test('every message type of the schema decodes, with the parts that it carries', () => {
  const parts: PlistDict = {
    ...tokenUpdate,
    BootstrapToken: Uint8Array.of(7),
    TokenServiceType: 'com.apple.maid',
    TokenParameters: { PhoneUDID: 'P' },
    Endpoint: 'tokens',
    Data: Uint8Array.of(8),
    DigestResponse: 'digest',
  }
  for (const { messageType } of CHECKINS)
    assert.equal(decodeCheckin({ ...parts, MessageType: messageType }).type, messageType)
  assert.deepEqual(decodeCheckin({ ...parts, MessageType: 'SetBootstrapToken' }).bootstrapToken, Uint8Array.of(7))
  assert.equal(
    decodeCheckin({ MessageType: 'SetBootstrapToken', UDID, BootstrapToken: new Uint8Array() }).bootstrapToken,
    undefined,
  )
  assert.equal(decodeCheckin({ ...parts, MessageType: 'GetToken' }).tokenServiceType, 'com.apple.maid')
  const declarative = decodeCheckin({ ...parts, MessageType: 'DeclarativeManagement' })
  assert.equal(declarative.endpoint, 'tokens')
  assert.deepEqual(declarative.data, Uint8Array.of(8))
  assert.equal(decodeCheckin({ ...parts, MessageType: 'UserAuthenticate' }).digestResponse, 'digest')
})

test('secrets are in neither the clear nor the personal part', () => {
  const { clear, personal } = decodeCheckin({
    ...authenticate,
    UnlockToken: Uint8Array.of(1),
    BootstrapToken: Uint8Array.of(2),
  })
  for (const key of ['UnlockToken', 'BootstrapToken', 'UDID']) assert.ok(!(key in clear) && !(key in personal!), key)
})

test('an unknown message type, and what is no dictionary, are refused', () => {
  for (const message of [{ MessageType: 'toString', UDID }, { UDID }, { MessageType: 1, UDID }])
    assert.throws(() => decodeCheckin(message as PlistDict), refused('BAD_REQUEST', /MessageType/))
  for (const message of ['x', 1, [], new Date(0), Uint8Array.of(1)])
    assert.throws(() => decodeCheckin(message), refused('BAD_REQUEST', /not a dictionary/))
})
