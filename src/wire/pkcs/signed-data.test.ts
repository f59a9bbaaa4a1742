import assert from 'node:assert/strict'
import { createHash, type KeyObject } from 'node:crypto'
import { test } from 'node:test'
import {
  authority,
  Bench,
  code,
  ecKeys,
  type Party,
  party,
  rsaKeys,
  signWith,
  withoutOpenssl,
} from '../../../test/support/pkcs.ts'
import { OID } from '../der/oids.ts'
import { readDer } from '../der/read.ts'
import { element, octets, sequence } from '../der/write.ts'
import { decodeCertificate, encodeName } from './certificate.ts'
import {
  certsOnly,
  contentOf,
  decodeSignedData,
  encodeSignedData,
  encodeSignedDataFrom,
  isIdentified,
  issuerAndSerial,
  signedAttributesFor,
  signerInput,
  verifySigner,
} from './signed-data.ts'

const ca = authority()
const rsa = party(rsaKeys(), { subject: encodeName({ CN: 'rsa' }) }, ca)
const ec = party(ecKeys(), { subject: encodeName({ CN: 'ec' }) }, ca)
const ec384 = party(ecKeys('P-384'), { subject: encodeName({ CN: 'ec384' }) }, ca)
const body = Buffer.from(`<plist>${'x'.repeat(9000)}</plist>`)
const signingTime = new Date('2026-07-01T12:00:00Z')

function signed(by: Party, more: Partial<Parameters<typeof encodeSignedData>[0]> = {}): Buffer {
  const signer = { certificate: by.certificate, digest: 'sha256', signingTime, sign: by.sign } as const
  return encodeSignedData({ content: body, certificates: [by.certificate], signer, ...more })
}

function holds(der: Buffer, content: Buffer | undefined, key: KeyObject): boolean {
  const message = decodeSignedData(der)
  return message.signers.length === 1 && verifySigner(message.signers[0]!, contentOf(message, content), key)
}

test('what was signed is verified, attached and detached', () => {
  for (const by of [rsa, ec, ec384]) {
    assert.equal(holds(signed(by), undefined, by.publicKey), true)
    assert.equal(holds(signed(by), body, by.publicKey), true)
    const detached = signed(by, { detached: true })
    assert.equal(decodeSignedData(detached).content, undefined)
    assert.equal(holds(detached, body, by.publicKey), true)
    assert.equal(holds(detached, Buffer.from('other'), by.publicKey), false)
    assert.equal(holds(detached, body, ca.publicKey), false)
  }
})

test('an attached content that is not the body is refused, and so is no content at all', () => {
  const message = decodeSignedData(signed(rsa))
  assert.throws(() => contentOf(message, Buffer.from('other')), code('UNPROVEN'))
  assert.throws(() => contentOf({ content: undefined }), code('UNPROVEN'))
})

test('without attributes the signature is over the content itself', () => {
  const signer = { certificate: ec.certificate, digest: 'sha256', attributes: false, sign: ec.sign } as const
  const der = signed(ec, { signer })
  const [found] = decodeSignedData(der).signers
  assert.equal(found!.signedAttributes, undefined)
  assert.deepEqual(signerInput(found!, body), { bytes: body, digest: 'sha256', kind: 'ecdsa' })
  assert.equal(holds(der, body, ec.publicKey), true)
})

test('signed attributes passed off as content prove nothing', () => {
  const attributes = signedAttributesFor(body, signingTime)
  const stripped = encodeSignedDataFrom({
    content: attributes,
    certificates: [],
    issuerAndSerial: issuerAndSerial(decodeCertificate(ec.certificate)),
    digest: 'sha256',
    kind: 'ecdsa',
    signature: ec.sign(attributes),
  })
  assert.equal(holds(stripped, undefined, ec.publicKey), false)
  assert.throws(() => signerInput(decodeSignedData(stripped).signers[0]!, attributes), code('UNPROVEN'))
})

test('attributes that arrive unsorted and with long lengths are verified in DER', () => {
  const attributes = readDer(signedAttributesFor(body, signingTime))
  const shuffled = [...attributes.children].reverse().map(child => child.raw)
  const indefinite = Buffer.concat([Buffer.from([0xa0, 0x80]), ...shuffled, Buffer.alloc(2)])
  const whole = signed(ec, { detached: true })
  const at = whole.indexOf(attributes.body)
  const parts = readDer(whole).children[1]!.children[0]!.children
  const info = readDer(parts.at(-1)!.children[0]!.raw).children.map(child =>
    child.tag === 0xa0 ? indefinite : child.raw,
  )
  const rebuilt = sequence(
    readDer(whole).children[0]!.raw,
    element(0xa0, sequence(...parts.slice(0, -1).map(part => part.raw), element(0x31, sequence(...info)))),
  )
  assert.ok(at > 0 && !rebuilt.includes(attributes.body))
  assert.equal(holds(rebuilt, body, ec.publicKey), true)
})

test('one process signs the attributes and another assembles the same message', () => {
  const certificate = decodeCertificate(rsa.certificate)
  const signedAttributes = signedAttributesFor(body, signingTime)
  const apart = encodeSignedDataFrom({
    content: body,
    certificates: [rsa.certificate],
    issuerAndSerial: issuerAndSerial(certificate),
    digest: 'sha256',
    kind: 'rsa',
    signedAttributes,
    signature: rsa.sign(signedAttributes),
  })
  assert.deepEqual(apart, signed(rsa))
  assert.equal(signedAttributes[0], 0x31)
})

test('the decoded signer names its certificate and what it signed', () => {
  const message = decodeSignedData(signed(rsa, { certificates: [ca.certificate, rsa.certificate] }))
  const [signer] = message.signers
  assert.deepEqual(message.certificates, [ca.certificate, rsa.certificate])
  assert.deepEqual(
    message.certificates.map(der => isIdentified(signer!, decodeCertificate(der))),
    [false, true],
  )
  assert.equal(signer!.digestAlgorithm, OID.sha256)
  assert.equal(signer!.signedAttributes!.contentType, OID.data)
  assert.deepEqual(signer!.signedAttributes!.messageDigest, createHash('sha256').update(body).digest())
  assert.deepEqual([...signer!.signedAttributes!.others.keys()], [OID.signingTime])
})

test('an algorithm that is not accepted proves nothing', () => {
  const [signer] = decodeSignedData(signed(rsa)).signers
  const md5 = { ...signer!, digestAlgorithm: '1.2.840.113549.2.5' }
  assert.throws(() => signerInput(md5, body), code('UNPROVEN'))
  const pss = { ...signer!, signatureAlgorithm: '1.2.840.113549.1.1.10' }
  assert.throws(() => signerInput(pss, body), code('UNPROVEN'))
  assert.equal(verifySigner({ ...signer!, signatureAlgorithm: OID.ecdsaWithSHA256 }, body, rsa.publicKey), false)
  const bare = { ...signer!, signedAttributes: undefined, signatureAlgorithm: OID.sha512WithRSA }
  assert.throws(() => signerInput(bare, body), code('UNPROVEN'))
  const undigested = { ...signer!, signedAttributes: { ...signer!.signedAttributes!, messageDigest: undefined } }
  assert.equal(verifySigner(undigested, body, rsa.publicKey), false)
})

test('an attribute twice, or a content of another type than was signed, is refused', () => {
  const twice = { certificate: ec.certificate, digest: 'sha256', sign: ec.sign } as const
  const again = signed(ec, { signer: { ...twice, attributes: [[OID.messageDigest, octets(Buffer.alloc(32))]] } })
  assert.throws(() => decodeSignedData(again), code('MALFORMED'))
  const other = signed(ec, { contentType: OID.signedData })
  const mixed = Buffer.from(other)
  const name = Buffer.from('2a864886f70d010702', 'hex')
  mixed[mixed.indexOf(name, mixed.indexOf(name) + 1) + 8] = 1
  assert.throws(() => decodeSignedData(mixed), code('MALFORMED'))
  assert.equal(holds(other, undefined, ec.publicKey), true)
})

test('a message of certificates only has no content and no signer', () => {
  const message = decodeSignedData(certsOnly([rsa.certificate, ca.certificate]))
  assert.deepEqual(message.certificates, [rsa.certificate, ca.certificate])
  assert.deepEqual(message.signers, [])
  assert.equal(message.content, undefined)
})

const shapes = ['', '-nodetach', '-noattr', '-nodetach -noattr', '-nodetach -stream', '-nocerts', '-keyid', '-stream']

test('what OpenSSL signed in any shape is verified', { skip: withoutOpenssl }, () => {
  using bench = new Bench()
  bench.write({ body })
  for (const [name, by] of Object.entries({ rsa, ec, ec384 })) {
    bench.writeParty(name, by)
    for (const shape of shapes) {
      const digest = ['sha1', 'sha256', 'sha384', 'sha512'][shapes.indexOf(shape) % 4]
      const command = `cms -sign -binary ${shape} -md ${digest} -signer ${name}.pem -inkey ${name}.key -in body`
      bench.run(`${command.replaceAll('  ', ' ')} -outform DER -out s`)
      const beside = shape.includes('-nodetach') ? undefined : body
      const message = decodeSignedData(bench.read('s'))
      assert.equal(holds(bench.read('s'), beside, by.publicKey), true, `${name} ${shape} ${digest}`)
      assert.equal(holds(bench.read('s'), beside, ca.publicKey), false)
      assert.equal(isIdentified(message.signers[0]!, decodeCertificate(by.certificate)), true)
      assert.equal(message.certificates.length, shape === '-nocerts' ? 0 : 1)
    }
  }
})

test('a stream from OpenSSL is BER without lengths', { skip: withoutOpenssl }, () => {
  using bench = new Bench()
  bench.write({ body })
  bench.writeParty('ec', ec)
  bench.run('cms -sign -binary -stream -nodetach -signer ec.pem -inkey ec.key -in body -outform DER -out s')
  assert.equal(bench.read('s')[1], 0x80)
  assert.throws(() => readDer(bench.read('s')), code('MALFORMED'))
  assert.deepEqual(decodeSignedData(bench.read('s')).content, body)
})

test('OpenSSL verifies what we signed', { skip: withoutOpenssl }, () => {
  using bench = new Bench()
  bench.write({ body })
  bench.writeParty('ca', ca)
  for (const by of [rsa, ec, ec384]) {
    for (const digest of ['sha1', 'sha256', 'sha384', 'sha512'] as const) {
      for (const attributes of [false, []] as const) {
        const sign = signWith(by.privateKey, digest)
        const signer = { certificate: by.certificate, digest, attributes, sign } as const
        bench.write({ attached: signed(by, { signer }), detached: signed(by, { signer, detached: true }) })
        bench.run('cms -verify -binary -inform DER -in attached -CAfile ca.pem -purpose any -out out')
        assert.deepEqual(bench.read('out'), body)
        bench.run('cms -verify -binary -inform DER -in detached -content body -CAfile ca.pem -purpose any -out out')
      }
    }
  }
  bench.write({ certs: certsOnly([rsa.certificate, ca.certificate]) })
  assert.equal(bench.run('pkcs7 -inform DER -in certs -print_certs').match(/BEGIN CERTIFICATE/g)!.length, 2)
})
