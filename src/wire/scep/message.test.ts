import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { authority, Bench, code, party, rsaKeys, signWith, withoutOpenssl } from '../../../test/support/pkcs.ts'
import { OID } from '../der/oids.ts'
import { octets, printable } from '../der/write.ts'
import { decodeCertificate, encodeName } from '../pkcs/certificate.ts'
import { decodeEnvelopedData, decryptKey, findRecipient, openEnvelope } from '../pkcs/enveloped-data.ts'
import { decodeRequest, encodeRequest, verifyRequest } from '../pkcs/request.ts'
import { encodeSignedData } from '../pkcs/signed-data.ts'
import { type Attribute, certsOnly } from '../pkcs/signing.ts'
import { type CertRepFields, decodeCertRep, prepareCertRep } from './certrep.ts'
import { decodePkiMessage, signerCertificate, verifyPkiMessage } from './message.ts'
import { encodePkcsReq, type PkcsReqFields } from './pkcsreq.ts'
import { CAPABILITIES } from './vocabulary.ts'

const ca = authority()
const ra = party(rsaKeys(), { subject: encodeName({ CN: 'ra' }) }, ca)
const deviceKeys = rsaKeys()
const device = party(deviceKeys, { subject: encodeName({ CN: 'phone' }) }, ca)
const throwAway = party(rsaKeys(), { subject: encodeName({ CN: 'self' }) })
const raCertificate = decodeCertificate(ra.certificate)
const senderNonce = randomBytes(16)
const transactionID = '9C4F 2A'

const request = encodeRequest(
  { subject: encodeName({ CN: 'phone' }), spki: device.spki, challengePassword: 's3cret' },
  device.sign,
)

function asked(more: Partial<PkcsReqFields> = {}): Buffer {
  const sign = signWith(throwAway.privateKey, more.digest ?? 'sha256')
  return encodePkcsReq({
    request,
    transactionID,
    senderNonce,
    signerCertificate: throwAway.certificate,
    sign,
    recipientCertificate: ra.certificate,
    contentAlgorithm: 'aes-128-cbc',
    digest: 'sha256',
    randomBytes,
    ...more,
  })
}

function answered(more: Partial<CertRepFields> = {}, signer = ra): Buffer {
  const { bytes, seal } = prepareCertRep({
    status: 'SUCCESS',
    transactionID,
    recipientNonce: senderNonce,
    senderNonce: randomBytes(16),
    issued: device.certificate,
    caCertificate: ca.certificate,
    recipientCertificate: throwAway.certificate,
    raCertificate,
    randomBytes,
    contentAlgorithm: 'aes-128-cbc',
    digest: 'sha256',
    ...more,
  })
  return seal(signer.sign(bytes))
}

const reader = {
  serverCertificates: [ra.certificate, ca.certificate],
  recipientCertificate: throwAway.certificate,
  privateKey: throwAway.privateKey,
  transactionID,
  senderNonce,
}

test('the server reads what a client of any age sends', () => {
  for (const contentAlgorithm of ['aes-128-cbc', 'aes-256-cbc', 'des-ede3-cbc', 'des-cbc'] as const) {
    for (const digest of ['sha1', 'sha256', 'sha512'] as const) {
      const message = decodePkiMessage(asked({ contentAlgorithm, digest }))
      assert.equal(message.messageType, 'PKCSReq')
      assert.equal(message.transactionID, transactionID)
      assert.deepEqual(message.senderNonce, senderNonce)
      assert.equal(verifyPkiMessage(message), true)
      assert.deepEqual(signerCertificate(message).der, throwAway.certificate)
      const envelope = decodeEnvelopedData(message.content!)
      const opened = openEnvelope(envelope, decryptKey(findRecipient(envelope, raCertificate), ra.privateKey))
      assert.deepEqual(opened, request)
      assert.equal(decodeRequest(opened).challengePassword, 's3cret')
      assert.equal(verifyRequest(decodeRequest(opened)), true)
    }
  }
})

test('the client reads a success, and the certificate in it', () => {
  for (const contentAlgorithm of ['aes-128-cbc', 'des-ede3-cbc', 'des-cbc'] as const) {
    const answer = decodeCertRep(answered({ contentAlgorithm }), reader)
    assert.equal(answer.status, 'SUCCESS')
    assert.deepEqual(answer.issued, device.certificate)
    assert.deepEqual(answer.message.certificates, [ra.certificate, ca.certificate])
    assert.deepEqual(answer.message.recipientNonce, senderNonce)
  }
})

test('a transaction of any characters is answered under its own name', () => {
  const odd = { transactionID: 'phöne_1@x' }
  assert.equal(decodePkiMessage(asked(odd)).transactionID, odd.transactionID)
  assert.deepEqual(decodeCertRep(answered(odd), { ...reader, ...odd }).issued, device.certificate)
})

test('a refusal carries its reason and no envelope', () => {
  const refused = decodeCertRep(answered({ status: 'FAILURE', failInfo: 'badMessageCheck' }), reader)
  assert.equal(refused.status, 'FAILURE')
  assert.equal(refused.failInfo, 'badMessageCheck')
  assert.equal(refused.issued, undefined)
  assert.equal(refused.message.content, undefined)
  const pending = decodeCertRep(answered({ status: 'PENDING' }), reader)
  assert.equal(pending.status, 'PENDING')
  assert.equal(pending.failInfo, undefined)
})

test('an answer of another server, or to another request, is refused', () => {
  const other = { ...reader, serverCertificates: [throwAway.certificate] }
  assert.throws(() => decodeCertRep(answered(), other), code('UNPROVEN'))
  assert.throws(() => decodeCertRep(answered({}, ca), reader), code('UNPROVEN'))
  assert.throws(() => decodeCertRep(answered({ transactionID: '1' }), reader), code('UNPROVEN'))
  assert.throws(() => decodeCertRep(answered({ recipientNonce: randomBytes(16) }), reader), code('UNPROVEN'))
  assert.throws(() => decodeCertRep(asked(), reader), code('MALFORMED'))
  const { issued, ...nothing } = { issued: 1 }
  assert.throws(() => answered({ ...nothing, issued: undefined } as never), code('BAD_REQUEST'))
})

test('a changed envelope or a signer without certificate proves nothing', () => {
  const message = decodePkiMessage(asked())
  assert.equal(verifyPkiMessage({ ...message, content: message.content!.subarray(1) }), false)
  assert.equal(verifyPkiMessage({ ...message, certificates: [ra.certificate] }), false)
  assert.throws(() => signerCertificate({ ...message, certificates: [] }), code('UNPROVEN'))
})

test('a renewal is signed with the certificate that it renews', () => {
  const signer = { signerCertificate: device.certificate, sign: device.sign }
  const message = decodePkiMessage(asked({ messageType: 'RenewalReq', ...signer }))
  assert.equal(message.messageType, 'RenewalReq')
  assert.equal(verifyPkiMessage(message), true)
  assert.deepEqual(signerCertificate(message).der, device.certificate)
})

test('a message whose attributes are missing or senseless is refused', () => {
  const type: Attribute = [OID.messageType, printable('19')]
  const id: Attribute = [OID.transactionID, printable('1')]
  const nonce: Attribute = [OID.senderNonce, octets(senderNonce)]
  const message = (...attributes: Attribute[]) => {
    const signer = { certificate: ra.certificate, digest: 'sha256', attributes, sign: ra.sign } as const
    return encodeSignedData({ content: Buffer.from('x'), certificates: [ra.certificate], signer })
  }
  assert.equal(decodePkiMessage(message(type, id, nonce)).messageType, 'PKCSReq')
  for (const wrong of [
    message(type, id),
    message(type, nonce),
    message(id, nonce),
    message([OID.messageType, printable('99')], id, nonce),
    message([OID.messageType, octets(senderNonce)], id, nonce),
    message(type, [OID.transactionID, printable('1'.repeat(256))], nonce),
    message(type, id, [OID.senderNonce, octets(Buffer.alloc(0))]),
    message(type, id, [OID.senderNonce, octets(Buffer.alloc(65))]),
    certsOnly([ra.certificate]),
  ]) {
    assert.throws(() => decodePkiMessage(wrong), code('MALFORMED'))
  }
})

test('capabilities are words, one a line', () => {
  assert.match(CAPABILITIES, /^([A-Za-z0-9-]+\n)+SCEPStandard$/)
})

test('OpenSSL verifies and opens a success', { skip: withoutOpenssl }, () => {
  using bench = new Bench()
  bench.writeParty('ca', ca)
  bench.writeParty('self', throwAway)
  bench.write({ answer: answered() })
  bench.run('cms -verify -binary -inform DER -in answer -CAfile ca.pem -purpose any -out sealed')
  bench.run('cms -decrypt -binary -inform DER -in sealed -recip self.pem -inkey self.key -out certs')
  assert.match(bench.run('pkcs7 -inform DER -in certs -print_certs -noout'), /CN ?= ?phone/)
})
