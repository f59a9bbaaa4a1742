import assert from 'node:assert/strict'
import { generateKeyPairSync, sign } from 'node:crypto'
import { test } from 'node:test'
import { type EnrolmentParts, enrolmentProfileBytes } from '../src/wire/apple/enrolment.ts'
import { encodeSignedData } from '../src/wire/pkcs/signed-data.ts'
import { throwAwaySigner } from './identity.ts'
import { enrolmentOf, openProfile, renewalRefusal } from './profile.ts'
import { FAULT } from './rights.ts'

const parts: EnrolmentParts = {
  path: 'p',
  pathToken: 't',
  challenge: 'c',
  tier: 'private',
  topic: 'com.apple.mgmt.External.1',
  url: 'https://edge.example',
  organisation: 'Town hall',
}
const bytesWith = (changes: Partial<EnrolmentParts> = {}) => enrolmentProfileBytes({ ...parts, ...changes })
const keys = generateKeyPairSync('rsa', { modulusLength: 2048 })
const signer = throwAwaySigner(keys, new Date())
const signed = (content: Uint8Array) =>
  encodeSignedData({
    content,
    certificates: [signer.certificate],
    signer: {
      certificate: signer.certificate,
      digest: 'sha256',
      sign: bytes => sign('sha256', bytes, keys.privateKey),
    },
  })
const open = (bytes: Uint8Array) => enrolmentOf(openProfile(bytes))
const before = open(bytesWith())

test('a renewal with nothing new but its challenge is accepted', () => {
  assert.equal(renewalRefusal(before, open(bytesWith({ challenge: 'fresh' }))), undefined)
})

test('a renewal may take rights away and may not add one', () => {
  const wide = open(bytesWith({ tier: 'full' }))
  assert.equal(renewalRefusal(wide, before), undefined)
  assert.equal(renewalRefusal(before, wide)?.code, FAULT.invalidReplacement)
  assert.equal(renewalRefusal(open(bytesWith({ tier: 'no-wipe' })), wide)?.code, FAULT.invalidReplacement)
})

test('swapping one right for another adds one', () => {
  assert.equal(
    renewalRefusal({ ...before, rights: 1 + 16 }, { ...before, rights: 1 + 32 })?.code,
    FAULT.invalidReplacement,
  )
})

test('a renewal with another ServerURL, CheckInURL or Topic is refused', () => {
  for (const changes of [
    { pathToken: 'other' },
    { url: 'https://elsewhere.example' },
    { topic: 'com.apple.mgmt.External.2' },
  ])
    assert.equal(renewalRefusal(before, open(bytesWith(changes)))?.code, FAULT.mismatch)
  assert.equal(renewalRefusal(before, { ...before, checkInUrl: 'https://edge.example/other' })?.code, FAULT.mismatch)
})

test('a second management profile is refused', () => {
  assert.equal(renewalRefusal(before, { ...before, identifier: 'org.example.other' })?.code, FAULT.multipleServers)
})

test('per-user connections cannot be taken away later', () => {
  assert.equal(renewalRefusal(before, { ...before, capabilities: [] })?.code, FAULT.invalidReplacement)
})

test('a signed enrolment is replaced by one of the same signer only', () => {
  const bySigner = open(signed(bytesWith()))
  assert.equal(renewalRefusal(bySigner, open(signed(bytesWith({ challenge: 'fresh' })))), undefined)
  assert.equal(renewalRefusal(bySigner, before)?.code, FAULT.invalidReplacement)
  const stranger = throwAwaySigner(generateKeyPairSync('rsa', { modulusLength: 2048 }), new Date())
  assert.equal(renewalRefusal(bySigner, { ...bySigner, signer: stranger.certificate })?.code, FAULT.invalidReplacement)
})

test('a signed profile with one byte changed is not opened', () => {
  const bytes = signed(bytesWith())
  const at = bytes.indexOf('Town hall')
  assert.ok(at > 0)
  bytes[at] = 0x62
  assert.throws(() => openProfile(bytes), { code: 'UNPROVEN' })
})

test('what is no enrolment profile is refused', () => {
  assert.throws(() => openProfile(Buffer.from('<plist><dict/></plist>')), { code: 'MALFORMED' })
  const profile = openProfile(bytesWith())
  assert.throws(() => enrolmentOf({ ...profile, payloads: [] }), { code: 'MALFORMED' })
  const mdm = profile.payloads.map(payload =>
    payload.PayloadType === 'com.apple.mdm' ? { ...payload, AccessRights: 0 } : payload,
  )
  assert.throws(() => enrolmentOf({ ...profile, payloads: mdm }), { code: 'MALFORMED' })
})
