import assert from 'node:assert/strict'
import { randomBytes, X509Certificate } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { rawPublic } from '../wire/hpke.ts'
import { generateVaultKeys, loadVaultKeys, spkiOf } from './keys.ts'

const dir = mkdtempSync(join(tmpdir(), 'bulkhead-keys-'))
after(() => rmSync(dir, { recursive: true }))

test('the keys are made once, for their owner alone, and load as they were made', () => {
  const now = Date.now()
  const made = generateVaultKeys(dir, { name: 'Stadt Köln', now, random: randomBytes })
  const keys = loadVaultKeys(dir)
  assert.equal(spkiOf(keys.voucher).toString('base64'), made.voucher)
  assert.equal(rawPublic(keys.seal).toString('base64'), made.seal)
  for (const name of readdirSync(dir)) assert.equal(statSync(join(dir, name)).mode & 0o777, 0o600, name)
  const ca = new X509Certificate(readFileSync(join(dir, 'ca.crt')))
  assert.ok(ca.ca && ca.verify(ca.publicKey))
  for (const name of ['ra', 'profile']) {
    const certificate = new X509Certificate(readFileSync(join(dir, `${name}.crt`)))
    assert.ok(!certificate.ca && certificate.checkIssued(ca) && certificate.verify(ca.publicKey), name)
  }
  assert.throws(() => generateVaultKeys(dir, { name: 'again', now, random: randomBytes }), { code: 'CONFLICT' })
  assert.deepEqual(loadVaultKeys(dir).challenge, keys.challenge)
})

test('a key file that is damaged is named', () => {
  writeFileSync(join(dir, 'challenge.key'), 'short')
  assert.throws(() => loadVaultKeys(dir), { code: 'NOT_INITIALISED', message: /challenge\.key/ })
})
