import assert from 'node:assert/strict'
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { Duplex } from 'node:stream'
import { test } from 'node:test'
import fc from 'fast-check'
import { mdmSignature, throwAwaySigner } from '../../simulator/identity.ts'
import { certificationRequest, scepRequest, testKey, throwAway } from '../../test/support/scep.ts'
import { encodeFrame, type Frame, frameReader } from '../base/frame.ts'
import { sha256Hex } from '../trust/statement.ts'
import { certsOnly } from '../wire/pkcs/signing.ts'
import { encodeBinaryPlist, encodeXmlPlist } from '../wire/plist/plist.ts'
import type { IntakeAnswer } from './api.ts'
import { answer, serveIntake } from './server.ts'

const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
const identity = throwAwaySigner({ publicKey, privateKey }, new Date())
const candidate = {
  certificate: sha256Hex(identity.certificate),
  device: 'd',
  sealTo: randomBytes(32).toString('base64'),
  report: null,
}
const token = { UDID: 'U', MessageType: 'TokenUpdate', Token: randomBytes(32), PushMagic: 'm', Topic: 't' }
const answered = { UDID: 'U', Status: 'Error', CommandUUID: 'c', ErrorChain: [{ ErrorCode: 1, ErrorDomain: 'MC' }] }
const bodies = [token, answered].flatMap(message => [encodeXmlPlist(message), encodeBinaryPlist(message)])
const request = certificationRequest(testKey('device'), 'a challenge')
const pki = scepRequest(certsOnly([throwAway(testKey('ra'))]), { challenge: 'a challenge' }).bytes

/** The one answer to one question, as it goes over the wire. */
function ask(method: string, params: unknown, bytes: Uint8Array): IntakeAnswer {
  const frames: Frame[] = []
  const read = frameReader(frame => frames.push(frame), 24 * 1024 * 1024)
  read(answer({ header: { id: 7, method, params }, bytes: Buffer.from(bytes) }))
  assert.equal(frames.length, 1)
  return frames[0]!.header as IntakeAnswer
}

/** A result, or a refusal in words; never a fault of our own. */
function isAnswered(method: string, params: unknown, bytes: Uint8Array): IntakeAnswer {
  const said = ask(method, params, bytes)
  assert.equal(said.id, 7)
  if (said.error) {
    assert.notEqual(said.error.code, 'INTERNAL')
    assert.ok(said.error.message.length < 300)
  } else assert.equal(typeof said.result, 'object')
  return said
}

const device = (kind: 'checkin' | 'connect', signature: string | null) => ({
  kind,
  signature,
  certificate: signature === null ? candidate.certificate : null,
  candidates: [candidate],
})
const kinds = ['checkin', 'connect'] as const

test('the honest messages that the others are made of are read', () => {
  for (const [at, body] of bodies.entries()) {
    const { result } = ask('device', device(kinds[at >> 1]!, mdmSignature(body, identity)), body)
    assert.ok((result as { message: unknown }).message, `${at}`)
  }
  assert.ok(ask('scep', {}, pki).result)
  assert.ok(ask('request', {}, request).result)
})

type Edit = { at: number; cut: number; put: Uint8Array }
const edit: fc.Arbitrary<Edit> = fc.record({
  at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
  cut: fc.oneof(fc.constant(1), fc.constant(0), fc.nat(60)),
  put: fc.oneof(fc.uint8Array({ minLength: 1, maxLength: 1 }), fc.uint8Array({ maxLength: 12 })),
})
const edits = fc.array(edit, { minLength: 1, maxLength: 4 })
function apply(bytes: Uint8Array, { at, cut, put }: Edit): Buffer {
  const start = Math.floor(at * bytes.length)
  return Buffer.concat([bytes.subarray(0, start), put, bytes.subarray(start + cut)])
}
const changed = (bytes: Uint8Array, all: Edit[]) => Buffer.from(all.reduce<Uint8Array>(apply, bytes))

test('a message that was changed anywhere is read or refused, with a signature or over TLS', () => {
  fc.assert(
    fc.property(fc.constantFrom(...bodies), fc.constantFrom(...kinds), edits, (body, kind, all) => {
      const other = changed(body, all)
      isAnswered('device', device(kind, mdmSignature(other, identity)), other)
      isAnswered('device', device(kind, null), other)
    }),
    { numRuns: 250 },
  )
})

test('a signature that was changed anywhere is read or refused', () => {
  fc.assert(
    fc.property(fc.constantFrom(...bodies), edits, fc.boolean(), (body, all, attached) => {
      const signature = changed(Buffer.from(mdmSignature(body, identity, { attached }), 'base64'), all)
      isAnswered('device', device('checkin', signature.toString('base64')), body)
    }),
    { numRuns: 400 },
  )
})

test('a SCEP message or a request that was changed anywhere is read or refused', () => {
  fc.assert(
    fc.property(edits, all => {
      isAnswered('scep', {}, changed(pki, all))
      isAnswered('request', {}, changed(request, all))
    }),
    { numRuns: 600 },
  )
})

test('random bytes are refused by every reader', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.string(), (bytes, text) => {
      for (const method of ['scep', 'request', 'nonsense', '__proto__']) assert.ok(isAnswered(method, {}, bytes).error)
      for (const signature of [Buffer.from(bytes).toString('base64'), text])
        assert.ok(isAnswered('device', device('connect', signature), bytes).error)
      const { result } = isAnswered('device', device('checkin', null), bytes)
      assert.equal((result as { message: unknown }).message, null)
    }),
    { numRuns: 500 },
  )
})

test('what a certificate that is not a candidate’s signed is not even decoded', () => {
  const params = { ...device('connect', mdmSignature(bodies[2]!, identity)), candidates: [] }
  const { result } = ask('device', params, bodies[2]!)
  assert.deepEqual([(result as { device: unknown }).device, (result as { message: unknown }).message], [null, null])
})

test('an answer that is too long for the asker is not sent: a refusal is', () => {
  const enveloped = randomBytes(5_000_000)
  const { bytes } = scepRequest(certsOnly([throwAway(testKey('ra'))]), { challenge: 'a challenge', request: enveloped })
  const frame = answer({ header: { id: 7, method: 'scep', params: {} }, bytes })
  assert.ok(frame.length < 1000)
  assert.equal(ask('scep', {}, bytes).error?.code, 'LIMIT')
})

test('nothing more is read while nobody takes the answers', async () => {
  const taken: (() => void)[] = []
  const got: Frame[] = []
  const collect = frameReader(frame => got.push(frame), 1_000_000)
  const socket = new Duplex({
    read() {},
    highWaterMark: 10_000,
    write(chunk, _, done) {
      collect(chunk)
      taken.push(done)
    },
  })
  const turn = () => new Promise(resolve => setImmediate(resolve))
  serveIntake(socket, () => assert.fail('it ended'))
  const body = encodeXmlPlist({ ...answered, Status: 'Acknowledged', X: 'x'.repeat(20_000) })
  for (let id = 0; id < 5; id++) {
    socket.push(encodeFrame({ id, method: 'device', params: device('connect', null) }, body))
    await turn()
  }
  assert.equal(got.length, 1)
  assert.ok(socket.readableLength > 4 * 20_000)
  for (let turns = 0; turns < 100 && got.length < 5; turns++) {
    taken.shift()?.()
    await turn()
  }
  assert.deepEqual(
    got.map(({ header }) => (header as IntakeAnswer).id),
    [0, 1, 2, 3, 4],
  )
})
