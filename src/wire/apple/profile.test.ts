import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decodePlist, encodeXmlPlist, type PlistDict } from '../plist/plist.ts'
import { isDict } from './dict.ts'
import { type Key, PAYLOADS } from './facts.generated.ts'
import { enrolmentProfile, uuidFrom } from './profile.ts'

const options = {
  organisation: 'Town of Somewhere',
  displayName: 'Device management',
  profileIdentifier: 'eu.example.mdm',
  profileUuid: uuidFrom('profile'),
  scepPayloadUuid: uuidFrom('scep'),
  mdmPayloadUuid: uuidFrom('mdm'),
  serverUrl: 'https://mdm.example/d/t/connect',
  checkInUrl: 'https://mdm.example/d/t/checkin',
  scepUrl: 'https://mdm.example/d/t/scep',
  challenge: 'challenge',
  topic: 'com.apple.mgmt.External.test',
  accessRights: 8151,
  caFingerprint: new Uint8Array(32),
  anchors: [Uint8Array.of(1), Uint8Array.of(2)],
}
const payloadsOf = (profile: PlistDict) => (profile.PayloadContent as PlistDict[]).filter(isDict)

test('the profile has the anchors, the identity and the management, joined by the identity’s UUID', () => {
  const payloads = payloadsOf(enrolmentProfile(options))
  assert.deepEqual(
    payloads.map(payload => payload.PayloadType),
    ['com.apple.security.root', 'com.apple.security.root', 'com.apple.security.scep', 'com.apple.mdm'],
  )
  const mdm = payloads[3]!
  assert.equal(mdm.IdentityCertificateUUID, payloads[2]!.PayloadUUID)
  assert.equal(mdm.AccessRights, 8151)
  assert.equal(mdm.SignMessage, true)
  assert.equal(mdm.CheckOutWhenRemoved, true)
  assert.deepEqual(mdm.ServerCapabilities, ['com.apple.mdm.per-user-connections', 'com.apple.mdm.bootstraptoken'])
  const uuids = payloads.map(payload => payload.PayloadUUID)
  assert.equal(new Set(uuids).size, uuids.length)
})

test('every key of every payload is one of the schema, and none that it requires is missing', () => {
  const keysOf = (type: string): readonly Key[] => PAYLOADS.find(fact => fact.type === type)!.keys
  const profile = enrolmentProfile(options)
  const check = (dict: PlistDict, keys: readonly Key[]) => {
    for (const name of Object.keys(dict))
      assert.ok(
        keys.some(key => key.name === name),
        name,
      )
    for (const key of keys) assert.ok(!key.required || key.name in dict, key.name)
  }
  check(profile, keysOf('TopLevel'))
  for (const payload of payloadsOf(profile))
    check(payload, [...keysOf(String(payload.PayloadType)), ...keysOf('CommonPayloadKeys')])
})

test('the profile survives being written and read', () => {
  const profile = enrolmentProfile(options)
  assert.deepEqual(decodePlist(encodeXmlPlist(profile)), profile)
})

test('a renewal differs in the challenge only', () => {
  const [before, after] = [options, { ...options, challenge: 'fresh' }].map(one =>
    JSON.stringify(enrolmentProfile(one)),
  )
  assert.equal(before!.replace('"challenge"', '"fresh"'), after)
})

test('a UUID from a seed is stable, well formed and different for another seed', () => {
  assert.equal(uuidFrom('a'), uuidFrom('a'))
  assert.notEqual(uuidFrom('a'), uuidFrom('b'))
  assert.match(uuidFrom('a'), /^[0-9A-F]{8}-[0-9A-F]{4}-5[0-9A-F]{3}-[89AB][0-9A-F]{3}-[0-9A-F]{12}$/)
})
