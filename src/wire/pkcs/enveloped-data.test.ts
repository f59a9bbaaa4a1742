import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import {
  authority,
  Bench,
  code,
  ecKeys,
  type Party,
  party,
  rsaKeys,
  withoutOpenssl,
} from '../../../test/support/pkcs.ts'
import { OID } from '../der/oids.ts'
import { decodeCertificate, encodeName } from './certificate.ts'
import {
  type ContentAlgorithm,
  decodeEnvelopedData,
  decryptKey,
  encodeEnvelopedData,
  findRecipient,
  openEnvelope,
} from './enveloped-data.ts'

const ca = authority()
const ra = party(rsaKeys(), { subject: encodeName({ CN: 'ra' }) }, ca)
const ec = party(ecKeys(), { subject: encodeName({ CN: 'ec' }) }, ca)
const content = Buffer.from('a certification request '.repeat(300))
const algorithms: ContentAlgorithm[] = ['aes-128-cbc', 'aes-192-cbc', 'aes-256-cbc', 'des-ede3-cbc', 'des-cbc']

const sealed = (algorithm: ContentAlgorithm = 'aes-128-cbc', to: Party = ra) =>
  encodeEnvelopedData(content, to.certificate, { algorithm, randomBytes })

function open(der: Buffer, by: Party): Buffer {
  const envelope = decodeEnvelopedData(der)
  return openEnvelope(envelope, decryptKey(findRecipient(envelope, decodeCertificate(by.certificate)), by.privateKey))
}

test('what was sealed opens, with every content algorithm', () => {
  for (const algorithm of algorithms) {
    assert.deepEqual(open(sealed(algorithm), ra), content)
    assert.equal(decodeEnvelopedData(sealed(algorithm)).contentAlgorithm.name, algorithm)
  }
})

test('an envelope for somebody else is refused', () => {
  assert.throws(() => open(sealed('aes-128-cbc', ca), ra), code('UNPROVEN'))
  assert.throws(() => sealed('aes-128-cbc', ec), code('BAD_REQUEST'))
  assert.throws(() => sealed('rc2' as ContentAlgorithm), code('BAD_REQUEST'))
})

test('a wrong key, a broken key and a broken content fail with the same words', () => {
  const envelope = decodeEnvelopedData(sealed())
  const [recipient] = envelope.recipients
  const words = new Set<string>()
  const attempt = (run: () => void) => {
    assert.throws(run, (error: Error) => {
      words.add(`${error.message} ${error.cause}`)
      return code('UNPROVEN')(error)
    })
  }
  const key = decryptKey(recipient!, ra.privateKey)
  const broken = { ...recipient!, encryptedKey: recipient!.encryptedKey.map(octet => octet ^ 1) as Buffer }
  attempt(() => openEnvelope(envelope, decryptKey(recipient!, ca.privateKey)))
  attempt(() => openEnvelope(envelope, decryptKey(broken, ra.privateKey)))
  attempt(() => openEnvelope(envelope, decryptKey({ ...broken, encryptedKey: Buffer.alloc(3) }, ra.privateKey)))
  attempt(() => openEnvelope(envelope, decryptKey({ ...broken, keyAlgorithm: '1.2.3' }, ra.privateKey)))
  attempt(() => openEnvelope(envelope, decryptKey(recipient!, ec.privateKey)))
  attempt(() => openEnvelope(envelope, key.subarray(1)))
  attempt(() => openEnvelope({ ...envelope, encryptedContent: envelope.encryptedContent.subarray(1) }, key))
  attempt(() => openEnvelope({ ...envelope, encryptedContent: Buffer.alloc(0) }, key))
  assert.equal(words.size, 1)
})

test('a padding that does not hold still gives a key, the same one each time', () => {
  const [recipient] = decodeEnvelopedData(sealed()).recipients
  const broken = { ...recipient!, encryptedKey: Buffer.alloc(256, 3) }
  assert.deepEqual(decryptKey(broken, ra.privateKey), decryptKey(broken, ra.privateKey))
})

test('OpenSSL opens what we sealed', { skip: withoutOpenssl }, () => {
  using bench = new Bench()
  bench.writeParty('ra', ra)
  for (const algorithm of algorithms) {
    bench.write({ sealed: sealed(algorithm) })
    const legacy = algorithm === 'des-cbc' ? ' -provider legacy -provider default' : ''
    bench.run(`cms -decrypt -binary -inform DER -in sealed -recip ra.pem -inkey ra.key -out out${legacy}`)
    assert.deepEqual(bench.read('out'), content)
  }
})

test('what OpenSSL sealed opens, in any shape', { skip: withoutOpenssl }, () => {
  using bench = new Bench()
  bench.write({ content })
  bench.writeParty('ra', ra)
  bench.writeParty('ca', ca)
  for (const shape of [
    '-aes128 ra.pem',
    '-aes192 -stream ra.pem',
    '-aes256 -keyid ra.pem',
    '-des3 ra.pem ca.pem',
    '-des -provider legacy -provider default -stream ra.pem',
    '-aes128 -recip ra.pem -keyopt rsa_padding_mode:oaep',
    '-aes128 -recip ra.pem -keyopt rsa_padding_mode:oaep -keyopt rsa_oaep_md:sha256',
  ]) {
    bench.run(`cms -encrypt -binary -in content -outform DER -out sealed ${shape}`)
    assert.deepEqual(open(bench.read('sealed'), ra), content, shape)
    if (shape.includes('ca.pem')) assert.deepEqual(open(bench.read('sealed'), ca), content)
    if (shape.includes('oaep')) {
      assert.equal(decodeEnvelopedData(bench.read('sealed')).recipients[0]!.keyAlgorithm, OID.rsaesOaep)
    }
  }
})

test('recipients of other kinds are passed over', { skip: withoutOpenssl }, () => {
  using bench = new Bench()
  bench.write({ content })
  bench.writeParty('ra', ra)
  bench.writeParty('ec', ec)
  bench.run('cms -encrypt -binary -aes128 -in content -outform DER -out sealed ec.pem ra.pem')
  assert.equal(decodeEnvelopedData(bench.read('sealed')).recipients.length, 1)
  assert.deepEqual(open(bench.read('sealed'), ra), content)
})

test('a content algorithm that is not accepted is refused', { skip: withoutOpenssl }, () => {
  using bench = new Bench()
  bench.write({ content })
  bench.writeParty('ra', ra)
  bench.run('cms -encrypt -binary -camellia128 -in content -outform DER -out sealed ra.pem')
  assert.throws(() => decodeEnvelopedData(bench.read('sealed')), code('MALFORMED'))
})
