import assert from 'node:assert/strict'
import { generateKeyPairSync, randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { testRoster } from '../../test/support/roster.ts'
import { previousOf } from '../trust/control.ts'
import type { Roster } from '../trust/roster.ts'
import type { Args } from './args.ts'
import { changesOf, describeChanges } from './changes.ts'
import { nextVersion } from './edit.ts'

const folder = mkdtempSync(join(tmpdir(), 'bulkhead-edit-'))
after(() => rmSync(folder, { recursive: true }))
const { trusted, genesis } = testRoster({ voucher: spki(), seal: '' })
const { roster } = trusted
function spki() {
  return generateKeyPairSync('ed25519').publicKey.export({ format: 'der', type: 'spki' }).toString('base64')
}
const file = join(folder, 'calm-otter.public.json')
const publicPart = { alias: 'calm-otter', id: 'AAAA', publicKey: spki(), algorithm: 'EdDSA', software: false }
writeFileSync(file, JSON.stringify(publicPart))

const edit = (values: Args['values']) => nextVersion({ command: '', home: '', words: [], values }, roster, genesis)
const words = (after: Roster) =>
  changesOf(roster, after).map(({ words, later }) => `${words}${later ? ' (later)' : ''}`)

test('a next version continues the one before, and says in words what it changes and what waits', () => {
  const { roster: next } = edit({
    'add-member': [`calm-otter=${file}`],
    roles: 'approver,responder',
    'remove-member': ['operator-three'],
    'set-roles': ['approver-two=approver,operator'],
    quorum: ['destroy=3', 'trust=1'],
    budget: ['destroy=50,10%/12h,then all'],
    'cooling-off': '12h',
  })
  assert.deepEqual([next.version, next.previous], [1, previousOf(genesis)])
  assert.deepEqual(words(next), [
    'operator-three is a member no more',
    'approver-two gets the roles operator, and waits with all of them (later)',
    'calm-otter (approver, responder; a passkey) becomes a member (later)',
    'orders that can trust: 1 of approver (was 2 of approver) (later)',
    'orders that can destroy: 3 of approver (was 2 of approver)',
    'budget of destroy: 50 devices or 10 % of all in 12h, then all (was 10 devices in 1d) (later)',
    'cooling-off: 12h (was 1d) (later)',
  ])
  assert.match(describeChanges(roster, next).at(-1)!, /counts 1d later$/, 'by the longer of the two')
  assert.deepEqual(next.members.at(-1)!.passkeys[0]!.origins, [roster.app.origin])
})

test('new paper codes are made here, and only their hashes are in the roster', () => {
  const { roster: next, codes } = edit({ 'new-freeze-codes': true })
  assert.equal(new Set(codes).size, 8)
  assert.ok(codes.every(code => !JSON.stringify(next).includes(code)))
  assert.deepEqual(words(next), ['paper codes that freeze: 8 new, 0 void'])
})

test('one more passkey for a member who is there is no new member', () => {
  const { roster: next } = edit({ 'add-member': [`owner-one=${file}`] })
  assert.deepEqual(words(next), ['owner-one gets another passkey (later)'])
  assert.equal(next.members.length, roster.members.length)
})

test('a whole roster from a file keeps its place in the chain', () => {
  const whole = join(folder, 'roster.json')
  const units = [...roster.units, { id: randomUUID(), alias: 'unit-two', publicKey: '' }]
  writeFileSync(whole, JSON.stringify({ ...roster, version: 7, previous: 'ff'.repeat(32), units }))
  const { roster: next } = edit({ file: whole })
  assert.deepEqual([next.version, next.previous], [1, previousOf(genesis)])
  assert.match(words(next).join(), /units: .*unit-two/)
})

test('what cannot be understood is refused with how to write it', () => {
  const bad: [Args['values'], string][] = [
    [{ 'add-member': ['calm-otter'] }, 'USAGE'],
    [{ 'add-member': [`calm-otter=${join(folder, 'none')}`] }, 'NOT_FOUND'],
    [{ 'set-roles': ['owner-one=king'] }, 'USAGE'],
    [{ 'remove-member': ['nobody'] }, 'NOT_FOUND'],
    [{ quorum: ['wipe=2'] }, 'USAGE'],
    [{ quorum: ['destroy=99'] }, 'MALFORMED'],
    [{ budget: ['destroy=ten'] }, 'USAGE'],
    [{ 'cooling-off': 'soon' }, 'USAGE'],
  ]
  for (const [values, code] of bad) assert.throws(() => edit(values), { code }, JSON.stringify(values))
})
