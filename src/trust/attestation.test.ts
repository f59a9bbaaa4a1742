import assert from 'node:assert/strict'
import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { encodeName, issueCertificate } from '../wire/pkcs/certificate.ts'
import type { KeyUsage } from '../wire/pkcs/extensions.ts'
import { type Attestation, aaguidOf, attestationIn, isAttested } from './attestation.ts'

// A maker of authenticators, with a root and an attestation certificate, and one of their keys.

const ec = () => generateKeyPairSync('ec', { namedCurve: 'P-256' })
const spki = (key: KeyObject) => key.export({ format: 'der', type: 'spki' })
const AAGUID = '01020304-0506-4708-890a-0b0c0d0e0f10'

type Kind = { isCa?: boolean; keyUsage?: readonly KeyUsage[] }
function certify(subject: string, issuer: string, key: KeyObject, by: KeyObject, kind: Kind = {}): Buffer {
  return issueCertificate(
    {
      serial: Buffer.concat([Buffer.from([1]), randomBytes(15)]),
      issuer: encodeName({ CN: issuer }),
      subject: encodeName({ CN: subject }),
      notBefore: new Date(Date.now() - 86_400_000),
      notAfter: new Date(Date.now() + 86_400_000),
      spki: spki(key),
      keyUsage: kind.keyUsage ?? ['digitalSignature', 'keyCertSign'],
      isCa: kind.isCa ?? false,
      signature: 'ecdsa-sha256',
    },
    bytes => sign('sha256', bytes, by),
  )
}

function maker() {
  const [root, leaf] = [ec(), ec()]
  const rootDer = certify('root', 'root', root.publicKey, root.privateKey)
  const leafDer = certify('leaf', 'root', leaf.publicKey, root.privateKey)
  return { root: rootDer.toString('base64'), leaf: leafDer.toString('base64'), key: leaf.privateKey }
}

const one = maker()
const passkey = ec()
const id = randomBytes(16)
const point = spki(passkey.publicKey).subarray(27)
const cose = Buffer.concat([
  Buffer.from('a5010203262001215820', 'hex'),
  point.subarray(0, 32),
  Buffer.from('225820', 'hex'),
  point.subarray(32),
])

function attested(by = one, fields: { id?: Buffer; cose?: Buffer; aaguid?: string } = {}): Attestation {
  const credential = fields.id ?? id
  const data = Buffer.concat([
    createHash('sha256').update('localhost').digest(),
    Buffer.from([0x45, 0, 0, 0, 1]),
    Buffer.from((fields.aaguid ?? AAGUID).replaceAll('-', ''), 'hex'),
    Buffer.from([0, credential.length]),
    credential,
    fields.cose ?? cose,
  ])
  const client = Buffer.from('{"type":"webauthn.create"}')
  const signed = Buffer.concat([data, createHash('sha256').update(client).digest()])
  return {
    authenticatorData: data.toString('base64url'),
    clientDataJSON: client.toString('base64url'),
    signature: sign('sha256', signed, by.key).toString('base64url'),
    x5c: [by.leaf],
  }
}
const key = { id: id.toString('base64url'), publicKey: spki(passkey.publicKey).toString('base64') }
const accepted = [{ aaguid: AAGUID, roots: [one.root] }]
const holds = (attestation: Attestation | undefined, list = accepted) =>
  isAttested(attestation ? { ...key, attestation } : key, list)

test('a passkey that its maker vouches for is accepted, and only where the roster lists that maker', () => {
  assert.equal(holds(attested()), true)
  assert.equal(holds(undefined), false)
  assert.equal(holds(attested(), []), false)
  assert.equal(holds(attested(), [{ aaguid: AAGUID, roots: [maker().root] }]), false)
  assert.equal(holds(attested(), [{ aaguid: AAGUID.replace('01', 'ff'), roots: [one.root] }]), false)
})

test('an attestation of another credential, key or maker, or one that was changed, is none', () => {
  const other = maker()
  assert.equal(holds(attested(other)), false)
  assert.equal(holds({ ...attested(other), x5c: [one.leaf] }), false)
  assert.equal(holds(attested(one, { id: randomBytes(16) })), false)
  assert.equal(holds(attested(one, { cose: Buffer.concat([cose.subarray(0, 10), randomBytes(67)]) })), false)
  assert.equal(holds({ ...attested(), clientDataJSON: 'e30' }), false)
  assert.equal(holds({ ...attested(), x5c: [] }), false)
  assert.equal(holds({ ...attested(), x5c: ['AAAA'] }), false)
  assert.equal(holds({ ...attested(), authenticatorData: 'AAAA' }), false)
})

/** A passkey attested by a certificate that a maker's subsidiary issued, of this kind and name. */
function bySubsidiary(kind: Kind, names: { subject?: string; issuer?: string } = {}) {
  const [root, middle, leaf] = [ec(), ec(), ec()]
  const der = [
    certify('leaf', names.issuer ?? 'middle', leaf.publicKey, middle.privateKey),
    certify(names.subject ?? 'middle', 'root', middle.publicKey, root.privateKey, kind),
  ]
  const top = certify('root', 'root', root.publicKey, root.privateKey).toString('base64')
  const made = attested({ root: '', leaf: '', key: leaf.privateKey })
  return holds({ ...made, x5c: der.map(one => one.toString('base64')) }, [{ aaguid: AAGUID, roots: [top] }])
}

test('between a passkey and the root stand only authorities, each under the name that the next one gives', () => {
  assert.equal(bySubsidiary({ isCa: true }), true)
  assert.equal(bySubsidiary({ isCa: false }), false)
  assert.equal(bySubsidiary({ isCa: true, keyUsage: ['digitalSignature'] }), false)
  assert.equal(bySubsidiary({ isCa: true }, { subject: 'other' }), false)
  assert.equal(bySubsidiary({ isCa: true }, { issuer: 'other' }), false)
})

const vector = JSON.parse(readFileSync(new URL('../../test/vectors/attestation.json', import.meta.url), 'utf8'))
const objectOf = (format: string, statement: string) =>
  Buffer.from(`a363666d74${format}6761747453746d74${statement}68617574684461746144${'00'.repeat(4)}`, 'hex')

test('what a browser hands out is taken apart, and where no maker’s certificate is in it there is none', () => {
  const made = attestationIn(vector.attestationObject, vector.clientDataJSON)!
  assert.equal(aaguidOf(made), '01020304-0506-0708-0102-030405060708')
  assert.deepEqual([made.x5c.length, made.clientDataJSON], [1, vector.clientDataJSON])
  const { id, publicKey, maker: root } = vector
  assert.ok(isAttested({ id, publicKey, attestation: made }, [{ aaguid: aaguidOf(made), roots: [root] }]))
  const packed = (statement: string, format = '667061636b6564') =>
    attestationIn(objectOf(format, statement).toString('base64url'), '')
  assert.equal(packed('a0', '646e6f6e65'), undefined) // "none"
  assert.equal(packed('a263616c67266373696740'), undefined) // signed by the passkey itself
  assert.deepEqual(packed('a2637369674063783563814101')?.x5c, ['AQ=='])
  assert.equal(packed('a2637369674063783563814101', '6474706d32'), undefined) // of another format
  assert.throws(() => attestationIn('gg', ''), { code: 'MALFORMED' })
})
