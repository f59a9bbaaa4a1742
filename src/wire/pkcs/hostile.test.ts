import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { authority, Bench, ecKeys, party, rsaKeys, withoutOpenssl } from '../../../test/support/pkcs.ts'
import { BulkheadError } from '../../base/errors.ts'
import { prepareCertRep } from '../scep/certrep.ts'
import { decodePkiMessage, verifyPkiMessage } from '../scep/message.ts'
import { decodeCertificate, encodeName, verifyCertificate } from './certificate.ts'
import { decodeEnvelopedData, decryptKey, encodeEnvelopedData, openEnvelope } from './enveloped-data.ts'
import { publicKeyOf } from './key.ts'
import { decodeRequest, encodeRequest, verifyRequest } from './request.ts'
import { decodeSignedData, encodeSignedData, verifySigner } from './signed-data.ts'

const ca = authority()
const ra = party(rsaKeys(), { subject: encodeName({ CN: 'ra' }), extendedKeyUsage: ['clientAuth'] }, ca)
const ec = party(ecKeys(), { subject: encodeName({ CN: 'ec', UID: 'x' }), subjectAltNames: { dns: ['a.b'] } }, ca)
const signer = { certificate: ec.certificate, digest: 'sha256', signingTime: new Date(0), sign: ec.sign } as const
const signed = encodeSignedData({ content: Buffer.from('abc'), certificates: [ec.certificate], signer })
const sealed = encodeEnvelopedData(Buffer.from('abc'), ra.certificate, { algorithm: 'des-cbc', randomBytes })
const request = encodeRequest({ subject: encodeName({ CN: 'p' }), spki: ec.spki, challengePassword: 'c' }, ec.sign)
const answer = prepareCertRep({
  status: 'SUCCESS',
  transactionID: '1',
  recipientNonce: randomBytes(16),
  senderNonce: randomBytes(16),
  issued: ec.certificate,
  caCertificate: ca.certificate,
  recipientCertificate: ra.certificate,
  raCertificate: decodeCertificate(ra.certificate),
  randomBytes,
  contentAlgorithm: 'aes-128-cbc',
  digest: 'sha256',
})
const reply = answer.seal(ra.sign(answer.bytes))

/** Every decoder, with the cheap part of what follows it; true where a proof still held. */
const readers: Record<string, [Buffer, (bytes: Buffer) => boolean]> = {
  certificate: [ec.certificate, bytes => verifyCertificate(decodeCertificate(bytes), ca.publicKey)],
  request: [request, bytes => verifyRequest(decodeRequest(bytes))],
  'signed data': [
    signed,
    bytes => {
      const { signers, content, certificates } = decodeSignedData(bytes)
      for (const certificate of certificates) publicKeyOf(decodeCertificate(certificate).spki)
      return content !== undefined && signers.some(one => verifySigner(one, content, ec.publicKey))
    },
  ],
  'enveloped data': [sealed, bytes => decodeEnvelopedData(bytes).recipients.length > 0],
  'SCEP message': [reply, bytes => verifyPkiMessage(decodePkiMessage(bytes))],
}

/** Runs a reader on hostile bytes: it may accept or refuse, and refuse only with an error of ours. */
function survives(read: (bytes: Buffer) => boolean, bytes: Buffer): boolean {
  try {
    return read(bytes)
  } catch (error) {
    if (!(error instanceof BulkheadError)) throw error
    return false
  }
}

/** A small generator of its own, so that a failure comes back. */
function* numbers(seed: number): Generator<number, never> {
  for (let state = seed; ; ) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    yield state >>> 8
  }
}

for (const [name, [valid, read]] of Object.entries(readers)) {
  test(`a ${name} cut at any byte is refused`, () => {
    assert.equal(read(valid), true)
    for (let length = 0; length < valid.length; length++) {
      assert.throws(() => read(valid.subarray(0, length)), BulkheadError, `${length}`)
    }
  })

  test(`a ${name} changed at random raises no error but ours`, () => {
    const random = numbers(valid.length)
    const next = (below: number) => random.next().value % below
    for (let round = 0; round < 1500; round++) {
      const bytes = Buffer.from(valid)
      for (let change = 0; change <= round % 4; change++) bytes[next(bytes.length)] = next(256)
      survives(read, bytes)
    }
  })

  test(`a ${name} with a piece missing or doubled raises no error but ours`, () => {
    const random = numbers(valid.length + 1)
    for (let round = 0; round < 500; round++) {
      const from = random.next().value % valid.length
      const to = from + (random.next().value % 40)
      survives(read, Buffer.concat([valid.subarray(0, from), valid.subarray(to)]))
      survives(read, Buffer.concat([valid.subarray(0, to), valid.subarray(from)]))
    }
  })
}

test('no single changed bit of a certificate’s signed part is believed', () => {
  const { tbs } = decodeCertificate(ec.certificate)
  const start = ec.certificate.indexOf(tbs)
  for (let at = start; at < start + tbs.length; at++) {
    const bytes = Buffer.from(ec.certificate)
    bytes[at]! ^= 1 << (at % 8)
    assert.equal(survives(readers.certificate![1], bytes), false, `${at}`)
  }
})

test('a stream without lengths cut at any byte is refused', { skip: withoutOpenssl }, () => {
  using bench = new Bench()
  bench.write({ body: 'x'.repeat(600) })
  bench.writeParty('ec', ec)
  bench.writeParty('ra', ra)
  bench.run('cms -sign -binary -stream -nodetach -signer ec.pem -inkey ec.key -in body -outform DER -out s')
  bench.run('cms -encrypt -binary -stream -aes128 -in body -outform DER -out e ra.pem')
  for (const [file, read] of [
    ['s', decodeSignedData],
    ['e', decodeEnvelopedData],
  ] as const) {
    const valid = bench.read(file)
    read(valid)
    for (let length = 0; length < valid.length; length++) {
      assert.throws(() => read(valid.subarray(0, length)), BulkheadError, `${file} ${length}`)
    }
  }
})

test('a megabyte of openings is refused at once', () => {
  const began = performance.now()
  for (const opening of ['3080', '2480', 'a080', '3084000fffff', '04840fffffff', '3183ffffff']) {
    const bomb = Buffer.alloc(1_000_000, Buffer.from(opening, 'hex'))
    for (const [, read] of Object.values(readers)) assert.throws(() => read(bomb), BulkheadError)
  }
  const pieces = Buffer.concat([Buffer.from('2480', 'hex'), Buffer.alloc(900_000, Buffer.from('040100', 'hex'))])
  assert.throws(() => decodeSignedData(pieces), BulkheadError)
  assert.ok(performance.now() - began < 2000)
})

test('an envelope that was changed opens to nothing, or not at all', () => {
  const random = numbers(7)
  for (let round = 0; round < 200; round++) {
    const bytes = Buffer.from(sealed)
    bytes[random.next().value % bytes.length]! ^= 1 + (random.next().value % 255)
    survives(damaged => {
      const envelope = decodeEnvelopedData(damaged)
      return openEnvelope(envelope, decryptKey(envelope.recipients[0]!, ra.privateKey)).length > 0
    }, bytes)
  }
})
