import assert from 'node:assert/strict'
import { generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { mdmSignature, throwAwaySigner } from '../../simulator/identity.ts'
import { recordAad } from '../trust/directory.ts'
import { sha256Hex } from '../trust/statement.ts'
import { hpkeOpen } from '../wire/hpke.ts'
import { encodeBinaryPlist, encodeXmlPlist, type PlistInput } from '../wire/plist/plist.ts'
import { type CheckinFound, type ConnectFound, reportAad, sealAad } from './api.ts'
import { createCertificates } from './certificates.ts'
import { certificates, decodeDevice } from './device.ts'

const certificate = 'a'.repeat(64)
const candidate = { certificate, device: 'd', sealTo: randomBytes(32).toString('base64'), report: null }
const read = (kind: 'checkin' | 'connect', body: Uint8Array) =>
  decodeDevice({ kind, signature: null, certificate, candidates: [candidate] }, Buffer.from(body)) as CheckinFound &
    ConnectFound
const MIB = 1024 * 1024

/** Binary lists store equal texts once: a few bytes a time. */
const answer = (inside: PlistInput) => ({ UDID: 'U', Status: 'Acknowledged', CommandUUID: randomUUID(), X: inside })
const again = (text: string, times: number) => answer(Array<string>(times).fill(text))

test('a short message that unfolds to megabytes is refused, and its sender known', () => {
  for (const times of [180, 10_000]) {
    const body = encodeBinaryPlist(again('&'.repeat(20_000), times))
    assert.ok(body.length < 45_000)
    const { device, message, malformed } = read('connect', body)
    assert.deepEqual([device, message], ['d', null])
    assert.match(malformed!, /too many bytes/)
  }
})

test('an inventory of an honest Mac is read, although it names the same keys a thousand times', () => {
  const app = (n: number) => ({
    Identifier: `org.example.app${n}`,
    Name: `Application ${n}`,
    ShortVersion: '1.2',
    Version: '1.2.3',
    BundleSize: n * 4096,
    AdHocCodeSigned: false,
    AppStoreVendable: true,
    BetaApp: false,
    DeviceBasedVPP: true,
    HasUpdateAvailable: false,
    IsValidated: true,
  })
  const inventory = answer(Array.from({ length: 2_000 }, (_, n) => app(n)))
  for (const body of [encodeBinaryPlist(inventory), encodeXmlPlist(inventory)])
    assert.ok(read('connect', body).message!.sealed)
})

test('what is sealed stays below four megabytes for an answer and one for a check-in, whatever escaping adds', () => {
  const said = (DeviceName: string) => encodeXmlPlist({ UDID: 'U', MessageType: 'Authenticate', DeviceName })
  const answered = (text: string) => encodeBinaryPlist(answer(text))
  assert.ok(read('connect', answered('x'.repeat(3.9 * MIB))).message!.sealed)
  const { message } = read('connect', answered('&'.repeat(MIB)))
  assert.equal(message!.sealed, null)
  assert.match(message!.unread!, /too many bytes/)
  assert.ok(read('checkin', said('x'.repeat(0.9 * MIB))).message!.sealed)
  assert.match(read('checkin', said('x'.repeat(1.1 * MIB))).malformed!, /too many bytes/)
})

const strangers = () => throwAwaySigner(generateKeyPairSync('ec', { namedCurve: 'P-256' }), new Date())

test('only the certificates of devices are kept, however many strangers bring theirs', () => {
  const body = Buffer.from(encodeXmlPlist({ UDID: 'U', Status: 'Idle' }))
  const own = strangers()
  const candidates = [{ ...candidate, certificate: sha256Hex(own.certificate) }]
  const before = certificates.size
  for (const identity of [strangers(), own, strangers(), own, strangers()]) {
    const signature = mdmSignature(body, identity)
    const { device } = decodeDevice({ kind: 'connect', signature, certificate: null, candidates }, body)
    assert.equal(device, identity === own ? 'd' : null)
  }
  assert.equal(certificates.size, before + 1)
})

test('no more certificates are kept than fit', () => {
  const few = createCertificates(2)
  for (let count = 0; count < 5; count++) {
    const { certificate: der } = strangers()
    few.keep(der, few.find(der))
    assert.ok(few.size >= 1 && few.size <= 2)
  }
})

test('what a device reports is sealed in two halves: to the key in its voucher, and inside to its unit’s', () => {
  const pair = () => {
    const { privateKey, publicKey } = generateKeyPairSync('x25519')
    return { privateKey, raw: publicKey.export({ format: 'raw-public' }).toString('base64') }
  }
  const [vault, release, unitKey] = [pair(), pair(), pair()]
  const [device, unit, genesis] = [randomUUID(), randomUUID(), randomBytes(32)]
  const report = { unit, unitKey: unitKey.raw, releaseKey: release.raw, genesis: genesis.toString('hex') }
  const to = { certificate, device, sealTo: vault.raw, report }
  const body = encodeXmlPlist({
    ...{ MessageType: 'Authenticate', UDID: 'U', Topic: 't', DeviceName: 'Ada’s phone', SerialNumber: 'C02XW0' },
  })
  const found = decodeDevice({ kind: 'checkin', signature: null, certificate, candidates: [to] }, Buffer.from(body))
  const sealed = Buffer.from((found as CheckinFound).message!.sealed!, 'base64')
  const record = { kind: 'device' as const, id: device, unit, version: 1 }
  assert.throws(() => hpkeOpen(vault.privateKey, sealed, sealAad('device.sealed', device)), { code: 'UNPROVEN' })
  const inner = hpkeOpen(release.privateKey, sealed, recordAad('outer', record, genesis))
  assert.ok(!inner.includes('Ada'))
  const aad = reportAad('device.sealed', recordAad('inner', record, genesis))
  assert.match(hpkeOpen(unitKey.privateKey, inner, aad).toString(), /Ada’s phone.*C02XW0/s)
  const another = reportAad('device.sealed', recordAad('inner', { ...record, id: randomUUID() }, genesis))
  assert.throws(() => hpkeOpen(unitKey.privateKey, inner, another), { code: 'UNPROVEN' })
})
