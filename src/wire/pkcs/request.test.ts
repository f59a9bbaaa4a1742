import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Bench, code, ecKeys, rsaKeys, signWith, spkiOf, withoutOpenssl } from '../../../test/support/pkcs.ts'
import { encodeName } from './certificate.ts'
import { decodeRequest, encodeRequest, verifyRequest } from './request.ts'

const rsa = rsaKeys()
const ec = ecKeys()
const subject = encodeName({ CN: 'phone' })

test('a request carries subject, key and challenge, and proves the key', () => {
  for (const keys of [rsa, ec]) {
    const fields = { subject, spki: spkiOf(keys), challengePassword: 'one two' }
    const decoded = decodeRequest(encodeRequest(fields, signWith(keys.privateKey)))
    assert.deepEqual(decoded.subject, subject)
    assert.deepEqual(decoded.spki, fields.spki)
    assert.equal(decoded.challengePassword, 'one two')
    assert.equal(verifyRequest(decoded), true)
  }
})

test('a request signed with another key proves nothing', () => {
  const der = encodeRequest({ subject, spki: spkiOf(rsa) }, signWith(rsaKeys().privateKey))
  const decoded = decodeRequest(der)
  assert.equal(decoded.challengePassword, undefined)
  assert.equal(verifyRequest(decoded), false)
  assert.equal(verifyRequest({ ...decoded, signatureAlgorithm: '1.2.3' }), false)
  assert.equal(verifyRequest({ ...decoded, spki: Buffer.from('3000', 'hex') }), false)
})

test('a changed challenge breaks the proof', () => {
  const fields = { subject, spki: spkiOf(ec), challengePassword: 'first' }
  const der = encodeRequest(fields, signWith(ec.privateKey))
  der.set(Buffer.from('other'), der.indexOf('first'))
  assert.equal(decodeRequest(der).challengePassword, 'other')
  assert.equal(verifyRequest(decodeRequest(der)), false)
})

test('bytes after a request are refused', () => {
  const der = encodeRequest({ subject, spki: spkiOf(ec) }, signWith(ec.privateKey))
  assert.throws(() => decodeRequest(Buffer.concat([der, Buffer.alloc(1)])), code('MALFORMED'))
})

test('OpenSSL verifies our request and reads its challenge', { skip: withoutOpenssl }, () => {
  using bench = new Bench()
  const fields = { subject, spki: spkiOf(rsa), challengePassword: 'one two' }
  bench.write({ 'ours.der': encodeRequest(fields, signWith(rsa.privateKey)) })
  const text = bench.run('req -inform DER -in ours.der -noout -text -verify')
  assert.match(text, /challengePassword\s*:\s?one two/)
  assert.match(text, /CN ?= ?phone/)
})

test('a request that OpenSSL made is decoded and verified', { skip: withoutOpenssl }, () => {
  using bench = new Bench()
  bench.write({
    'req.cnf':
      '[req]\nprompt=no\ndistinguished_name=d\nattributes=a\nreq_extensions=e\n[d]\nCN=peer\n[a]\nchallengePassword=s3cret\n[e]\nsubjectAltName=DNS:a.example\n',
  })
  for (const [key, digest] of [
    ['rsa:2048', 'sha1'],
    ['rsa:2048', 'sha512'],
    ['ec -pkeyopt ec_paramgen_curve:P-256', 'sha256'],
    ['ec -pkeyopt ec_paramgen_curve:P-384', 'sha384'],
  ]) {
    bench.run(`req -new -newkey ${key} -nodes -keyout k -config req.cnf -outform DER -out r.der -${digest}`)
    const decoded = decodeRequest(bench.read('r.der'))
    assert.equal(decoded.challengePassword, 's3cret')
    assert.equal(verifyRequest(decoded), true)
  }
})
