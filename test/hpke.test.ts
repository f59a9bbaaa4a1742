import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'node:test'
import { nodeHpke } from '../src/cli/hpke.ts'
import { type Bytes, concat, toHex, utf8 } from '../src/people/bytes.ts'
import type { Hpke } from '../src/people/keys.ts'
import { makeKeyPair } from '../src/people/keys.ts'
import { hpkeOpen, rawPublic, x25519Private } from '../src/wire/hpke.ts'
import { browserHpke, openInBrowser } from '../web/src/hpke.ts'

/** The authors' own vector for the suite that is used here. */
const vector: Record<string, string> = JSON.parse(readFileSync(join(import.meta.dirname, 'vectors/hpke.json'), 'utf8'))
const of = (name: string): Bytes => new Uint8Array(Buffer.from(vector[name]!, 'hex'))
const sealed = concat(of('enc'), of('ciphertext'))

test('the vector of RFC 9180 opens with Node', () => {
  const privateKey = x25519Private(of('skRm'))
  assert.equal(toHex(rawPublic(privateKey)), vector.pkRm)
  assert.equal(toHex(hpkeOpen(privateKey, sealed, of('aad'), of('info'))), vector.plaintext)
})

test('the vector of RFC 9180 opens with WebCrypto', async () =>
  assert.equal(toHex(await openInBrowser(of('skRm'), sealed, of('aad'), of('info'))), vector.plaintext))

const adapters: [string, Hpke][] = [
  ['Node', nodeHpke],
  ['the browser', browserHpke],
]
for (const [sealer, by] of adapters)
  for (const [opener, other] of adapters)
    test(`what ${sealer} seals, ${opener} opens, in its place, unchanged, with its key`, async () => {
      const { privateKey, publicKey } = await makeKeyPair()
      for (const length of [0, 1, 31, 256, 4000]) {
        const plaintext = new Uint8Array(length).fill(length)
        const box = await by.seal(publicKey, plaintext, utf8('here'))
        assert.equal(box.length, length + 48)
        assert.deepEqual(await other.open(privateKey, box, utf8('here')), plaintext)
        await assert.rejects(other.open(privateKey, box, utf8('there')), { code: 'UNPROVEN' })
        await assert.rejects(other.open((await makeKeyPair()).privateKey, box, utf8('here')), { code: 'UNPROVEN' })
        for (const at of [0, 31, 32, box.length - 1]) {
          const changed = box.slice()
          changed[at]! ^= 1
          await assert.rejects(other.open(privateKey, changed, utf8('here')), { code: 'UNPROVEN' })
        }
      }
      await assert.rejects(other.open(privateKey, new Uint8Array(47), utf8('here')), { code: 'MALFORMED' })
      await assert.rejects(by.seal(new Uint8Array(32), utf8('x'), utf8('here')))
    })
