import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import test from 'node:test'
import { Aes256Gcm, CipherSuite, DhkemX25519HkdfSha256, HkdfSha256 } from '@hpke/core'
import { hpkeOpen, hpkeSeal, rawPublic, x25519Private } from './hpke.ts'

const foreign = new CipherSuite({ kem: new DhkemX25519HkdfSha256(), kdf: new HkdfSha256(), aead: new Aes256Gcm() })
const aad = Buffer.from('device.push|1')
const info = Buffer.from('bulkhead')
const text = Buffer.from('Ada Lovelace, +32 2 555 01 00')

test('what we seal opens in another implementation of RFC 9180', async () => {
  const pair = await foreign.kem.generateKeyPair()
  const raw = new Uint8Array(await foreign.kem.serializePublicKey(pair.publicKey))
  const sealed = hpkeSeal(raw, text, aad, info)
  const opener = await foreign.createRecipientContext({
    recipientKey: pair.privateKey,
    enc: new Uint8Array(sealed.subarray(0, 32)),
    info,
  })
  assert.deepEqual(Buffer.from(await opener.open(new Uint8Array(sealed.subarray(32)), aad)), text)
})

test('what another implementation seals opens here', async () => {
  const { privateKey } = generateKeyPairSync('x25519')
  const recipientPublicKey = await foreign.kem.deserializePublicKey(new Uint8Array(rawPublic(privateKey)))
  const sender = await foreign.createSenderContext({ recipientPublicKey, info })
  const sealed = Buffer.concat([Buffer.from(sender.enc), Buffer.from(await sender.seal(text, aad))])
  assert.deepEqual(hpkeOpen(privateKey, sealed, aad, info), text)
})

test('a sealed value moved to another place, cut or changed does not open', () => {
  const { privateKey } = generateKeyPairSync('x25519')
  const sealed = hpkeSeal(rawPublic(privateKey), text, aad)
  assert.throws(() => hpkeOpen(privateKey, sealed, Buffer.from('device.push|2')), { code: 'UNPROVEN' })
  for (let at = 0; at < sealed.length; at++) {
    const changed = Buffer.from(sealed)
    changed[at]! ^= 1
    assert.throws(() => hpkeOpen(privateKey, changed, aad))
    assert.throws(() => hpkeOpen(privateKey, sealed.subarray(0, at), aad))
  }
})

test('a low-order public key gives an error, not a known key', () => {
  assert.throws(() => hpkeSeal(Buffer.alloc(32), text, aad))
  const { privateKey } = generateKeyPairSync('x25519')
  assert.throws(() => hpkeOpen(privateKey, Buffer.alloc(64), aad), { code: 'UNPROVEN' })
})

test('the private key is usable from its 32 raw bytes', () => {
  const { privateKey } = generateKeyPairSync('x25519')
  const raw = privateKey.export({ format: 'der', type: 'pkcs8' }).subarray(-32)
  assert.deepEqual(hpkeOpen(x25519Private(raw), hpkeSeal(rawPublic(privateKey), text, aad), aad), text)
})
