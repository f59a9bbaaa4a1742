import assert from 'node:assert/strict'
import { createPrivateKey, createPublicKey } from 'node:crypto'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { verifyApproval } from '../trust/approval.ts'
import type { Member, Trusted } from '../trust/roster.ts'
import { sha256 } from '../trust/statement.ts'
import { approve, createSoftwarePasskey, loadPasskey, publicPasskey } from './passkey.ts'

const folder = mkdtempSync(join(tmpdir(), 'bulkhead-passkey-'))
after(() => rmSync(folder, { recursive: true }))
const app = { origin: 'http://localhost:4780', rpId: 'localhost' }
const file = join(folder, 'one.json')
const passkey = createSoftwarePasskey(file, 'calm-otter')

function trustedWith(options: { software?: boolean; origins?: string[] } = {}): Trusted {
  const known = publicPasskey(passkey, options.origins ?? [app.origin])
  const member: Member = { id: '0', alias: passkey.alias, roles: ['approver'], passkeys: [known] }
  const key = createPublicKey(createPrivateKey(passkey.privateKey))
  const policy = { softwarePasskeys: options.software ?? true }
  const passkeys = new Map([[known.id, { member, passkey: known, key, countsFrom: 0 }]])
  const rules = { ...policy, authenticators: [] }
  return { roster: { app, policy }, passkeys, rules, time: 0 } as unknown as Trusted
}
const digest = sha256('a statement')

test('the file is its owner’s alone, holds a PRF secret, and is never replaced', () => {
  assert.equal(statSync(file).mode & 0o777, 0o600)
  assert.equal(Buffer.from(loadPasskey(file).prfSecret, 'base64').length, 32)
  assert.deepEqual(loadPasskey(file), passkey)
  assert.throws(() => createSoftwarePasskey(file, 'another'), { code: 'CONFLICT' })
})

test('what a software passkey signs is an approval like any other', () => {
  assert.equal(verifyApproval(approve(passkey, digest, { app }), digest, trustedWith()).alias, 'calm-otter')
})

test('it approves one digest, at the app’s origin, and only while the roster allows such passkeys', () => {
  const approval = approve(passkey, digest, { app })
  assert.throws(() => verifyApproval(approval, sha256('another'), trustedWith()), { code: 'UNPROVEN' })
  assert.throws(() => verifyApproval(approval, digest, trustedWith({ software: false })), { code: 'UNPROVEN' })
  const elsewhere = approve(passkey, digest, { app: { ...app, origin: 'http://localhost:1' } })
  assert.throws(() => verifyApproval(elsewhere, digest, trustedWith()), { code: 'UNPROVEN' })
  const another = approve(passkey, digest, { app: { ...app, rpId: 'example.org' } })
  assert.throws(() => verifyApproval(another, digest, trustedWith()), { code: 'UNPROVEN' })
})

test('a file that is no passkey is refused by name', () => {
  const other = join(folder, 'other.json')
  writeFileSync(other, '{}')
  assert.throws(() => loadPasskey(other), { code: 'MALFORMED' })
  assert.throws(() => loadPasskey(join(folder, 'none')), { code: 'NOT_FOUND' })
})
