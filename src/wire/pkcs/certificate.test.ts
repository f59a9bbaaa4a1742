import assert from 'node:assert/strict'
import { X509Certificate as NodeCertificate } from 'node:crypto'
import { test } from 'node:test'
import {
  authority,
  authorityName,
  Bench,
  code,
  ecKeys,
  party,
  rsaKeys,
  spkiOf,
  withoutOpenssl,
} from '../../../test/support/pkcs.ts'
import { OID } from '../der/oids.ts'
import { readDer } from '../der/read.ts'
import { bits, contextPrimitive, integer, nothing, oid, sequence, set } from '../der/write.ts'
import { decodeCertificate, encodeName, keyIdentifier, verifyCertificate } from './certificate.ts'
import { publicKeyOf } from './key.ts'
import { decodeName } from './name.ts'

const ca = authority()
const subject = encodeName({ C: 'BE', O: 'Büro', OU: 'IT', CN: 'phone', UID: 'com.apple.mgmt.External.1' })
const device = party(
  ecKeys(),
  {
    subject,
    serial: Buffer.from('80ff01', 'hex'),
    keyUsage: ['digitalSignature', 'keyAgreement'],
    extendedKeyUsage: ['clientAuth', 'serverAuth'],
    subjectAltNames: {
      dns: ['mdm.example.org'],
      uri: ['urn:device:1'],
      email: ['a@example.org'],
      ip: [Buffer.from([127, 0, 0, 1])],
    },
  },
  ca,
)

test('what was issued is decoded to the same values', () => {
  const decoded = decodeCertificate(device.certificate)
  assert.equal(decoded.serial.toString('hex'), '0080ff01')
  assert.equal(decoded.subjectCommonName, 'phone')
  assert.equal(decoded.subjectUid, 'com.apple.mgmt.External.1')
  assert.deepEqual(decoded.issuer, authorityName)
  assert.deepEqual(decoded.subject, subject)
  assert.deepEqual(decoded.spki, device.spki)
  assert.deepEqual(decoded.der, device.certificate)
  assert.equal(decoded.notBefore.toISOString(), '2020-01-01T00:00:00.000Z')
  assert.equal(decoded.notAfter.toISOString(), '2060-01-01T00:00:00.000Z')
  assert.equal(decoded.isCa, false)
  assert.deepEqual([...decoded.keyUsage!], ['digitalSignature', 'keyAgreement'])
  assert.deepEqual(decoded.extendedKeyUsage, ['clientAuth', 'serverAuth'])
  assert.deepEqual(decoded.subjectAltNames.dns, ['mdm.example.org'])
  assert.deepEqual(decoded.subjectAltNames.ip, [Buffer.from([127, 0, 0, 1])])
  assert.deepEqual(decoded.subjectKeyId, keyIdentifier(device.spki))
  assert.deepEqual(decoded.authorityKeyId, keyIdentifier(ca.spki))
  assert.equal(decodeCertificate(ca.certificate).isCa, true)
})

test('a certificate is verified with its issuer’s key and no other', () => {
  const decoded = decodeCertificate(device.certificate)
  assert.equal(verifyCertificate(decoded, ca.publicKey), true)
  assert.equal(verifyCertificate(decoded, device.publicKey), false)
  const signature = Buffer.from(decoded.signature)
  signature[9]! ^= 1
  assert.equal(verifyCertificate({ ...decoded, signature }, ca.publicKey), false)
  const tbs = Buffer.from(decoded.tbs)
  tbs[tbs.length - 1]! ^= 1
  assert.equal(verifyCertificate({ ...decoded, tbs }, ca.publicKey), false)
})

test('@peculiar/x509 reads what we issued as we do', async () => {
  // It asks for decorator metadata when it is loaded and reads none that matters here.
  Object.assign(Reflect, { getMetadata: () => undefined, getOwnMetadata: () => undefined, defineMetadata() {} })
  const { X509Certificate } = await import('@peculiar/x509')
  const theirs = new X509Certificate(device.certificate)
  const ours = decodeCertificate(device.certificate)
  assert.equal(theirs.serialNumber.replace(/^00/, ''), '80ff01')
  assert.deepEqual(Buffer.from(theirs.subjectName.toArrayBuffer()), ours.subject)
  assert.equal(theirs.notAfter.getTime(), ours.notAfter.getTime())
  assert.deepEqual(Buffer.from(theirs.publicKey.rawData), ours.spki)
  assert.equal(theirs.extensions.length, ours.extensions.size)
  const publicKey = await new X509Certificate(ca.certificate).publicKey.export()
  assert.equal(await theirs.verify({ publicKey, signatureOnly: true }), true)
})

test('node reads what we issued as we do', () => {
  const theirs = new NodeCertificate(device.certificate)
  assert.equal(
    theirs.subjectAltName,
    'email:a@example.org, DNS:mdm.example.org, URI:urn:device:1, IP Address:127.0.0.1',
  )
  assert.equal(theirs.checkIssued(new NodeCertificate(ca.certificate)), true)
  assert.equal(theirs.verify(ca.publicKey), true)
})

test('OpenSSL verifies the chain and prints the extensions', { skip: withoutOpenssl }, () => {
  using bench = new Bench()
  bench.writeParty('ca', ca)
  bench.writeParty('device', device)
  assert.match(bench.run('verify -x509_strict -purpose sslclient -CAfile ca.pem device.pem'), /OK/)
  const text = bench.run('x509 -in device.pem -noout -text')
  assert.match(text, /CA:FALSE/)
  assert.match(text, /Digital Signature, Key Agreement\n/)
  assert.match(text, /TLS Web Client Authentication, TLS Web Server Authentication/)
  assert.match(text, /UID ?= ?com\.apple\.mgmt\.External\.1/)
  assert.match(text, /Not After : Jan {2}1 00:00:00 2060 GMT/)
})

test('certificates that OpenSSL made are decoded', { skip: withoutOpenssl }, () => {
  using bench = new Bench()
  for (const key of ['rsa:2048', 'ec -pkeyopt ec_paramgen_curve:P-384', 'ec -pkeyopt ec_paramgen_curve:P-521']) {
    bench.run(`req -x509 -newkey ${key} -nodes -keyout k -subj /CN=Peer/O=X -days 9 -outform DER -out c.der -sha384`)
    const decoded = decodeCertificate(bench.read('c.der'))
    assert.equal(decoded.subjectCommonName, 'Peer')
    assert.equal(decoded.isCa, true)
    assert.equal(verifyCertificate(decoded, publicKeyOf(decoded.spki)), true)
  }
})

test('two signature algorithms in one certificate are refused', () => {
  const { children } = readDer(device.certificate)
  const other = sequence(oid(OID.sha1WithRSA), nothing())
  const mixed = sequence(children[0]!.raw, other, children[2]!.raw)
  assert.throws(() => decodeCertificate(mixed), /two signature algorithms/)
})

test('keys that cost too much or that nobody uses are refused', () => {
  const rsa = (modulus: Buffer, exponent: Buffer) =>
    sequence(sequence(oid(OID.rsaEncryption), nothing()), bits(sequence(integer(modulus), integer(exponent))))
  const f4 = Buffer.from('010001', 'hex')
  assert.equal(publicKeyOf(rsa(Buffer.alloc(256, 0xff), f4)).asymmetricKeyType, 'rsa')
  for (const bad of [
    rsa(Buffer.alloc(2048, 0xff), f4),
    rsa(Buffer.alloc(64, 0xff), f4),
    rsa(Buffer.alloc(256, 0xff), Buffer.alloc(256, 0x7f)),
    spkiOf(ecKeys('secp256k1')),
    sequence(sequence(oid(OID.ecPublicKey), sequence()), bits(Buffer.alloc(65))),
    sequence(sequence(oid(OID.ecPublicKey), oid(OID.prime256v1)), bits(Buffer.alloc(65, 4))),
    contextPrimitive(0, Buffer.alloc(3)),
  ]) {
    assert.throws(() => publicKeyOf(bad), code('MALFORMED'))
  }
  assert.equal(publicKeyOf(rsaKeys().publicKey.export({ format: 'der', type: 'spki' })).type, 'public')
})

test('a name keeps the order and the characters of its parts', () => {
  assert.deepEqual(
    decodeName(subject).map(part => part.value),
    ['BE', 'Büro', 'IT', 'phone', 'com.apple.mgmt.External.1'],
  )
  assert.throws(() => encodeName({ C: 'Ö' }), code('BAD_REQUEST'))
  assert.throws(() => encodeName({ toString: 'x' } as object), code('BAD_REQUEST'))
  assert.deepEqual(decodeName(sequence(set([]))), [])
})
