import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { createDevice, type Device } from '../../simulator/device.ts'
import { openHome } from '../../src/cli/client.ts'
import { approve, loadPasskey } from '../../src/cli/passkey.ts'
import type { Approved, Group, Proposal } from '../../src/console/api.ts'
import { canonical } from '../../src/trust/canonical.ts'
import { controlDigest, previousOf } from '../../src/trust/control.ts'
import type { Roster } from '../../src/trust/roster.ts'
import { type Installation, idOf, startInstallation, until } from '../support/installation.ts'
import { createOperator, type Operator } from '../support/operator.ts'
import { refusal } from '../support/refusal.ts'

/** One story, told in order: who may approve changes by a quorum alone, and what is new or weaker waits. */
let installation: Installation
let owner: Operator
let phone: Device
let newcomer: string
before(async () => {
  installation = await startInstallation({ policy: { coolingOff: 6 } })
  owner = createOperator(installation)
  newcomer = join(installation.home, 'newcomer.passkey')
  phone = createDevice({ seed: 'roster', model: 'iphone', keyType: 'ec' })
  await phone.enrol((await owner.invite({ tier: 'full' })).profileUrl)
})
after(async () => {
  phone?.close()
  await installation?.stop()
})

type Shown = {
  version: number
  members: { alias: string; roles: string[]; countsFrom: string | null; waits: boolean }[]
  policy: { quorum: Record<string, number> }
  roster: Roster
}
type Made = { proposal: string; version: number; digest: string; needed: number; changes: string[] }
const show = () => installation.cli<Shown>('roster', 'show')
const propose = (...line: string[]) => installation.cli<Made>('roster', 'propose', ...line)
const agree = (proposal: string, by: string, ...line: string[]) =>
  installation.cli<Proposal>('roster', 'approve', proposal, '--passkey', by, ...line)
/** Proposed, and approved by both owners. */
async function change(...line: string[]): Promise<Made> {
  const made = await propose(...line)
  const states = await Promise.all(
    [0, 1].map(async by => {
      const approval = owner.sign(Buffer.from(made.digest, 'hex'), by)
      return (await installation.console.post<Proposal>(`/api/proposals/${made.proposal}/approvals`, { approval }))
        .state
    }),
  )
  assert.ok(states.includes('done'), JSON.stringify(states))
  return made
}
const group = (...line: string[]) => installation.cli<{ version: number; devices: number }>('group', ...line)
const draft = (action: string, ...set: string[]) =>
  installation.draft('--action', action, '--device', idOf(phone), ...set.flatMap(one => ['--set', one]))
const executed = async () => {
  await phone.connect()
  return phone.executed.map(({ requestType }) => requestType)
}

test('the roster is shown with its members, and with what orders take', async () => {
  const { version, members, policy } = await show()
  assert.equal(version, 0)
  assert.deepEqual(
    members.map(({ alias, countsFrom, waits }) => [alias, countsFrom, waits]),
    [
      ['test-owner', null, false],
      ['test-member-2', null, false],
    ],
  )
  assert.deepEqual(policy.quorum, { read: 1, change: 1, trust: 2, destroy: 2 })
})

test('one owner alone, however often, makes no member where there are two', async () => {
  const { publicPart } = await installation.cli<{ publicPart: string }>(
    'passkey',
    'create',
    newcomer,
    '--alias',
    'calm-otter',
  )
  const { proposal, needed, changes } = await propose('--add-member', `calm-otter=${publicPart}`)
  assert.equal(needed, 2)
  assert.match(
    changes.join(),
    /calm-otter \(operator, approver; a software passkey\) becomes a member — counts 6s later/,
  )
  for (const _ of [1, 2]) {
    const { state, approvals, missing } = await agree(proposal, installation.passkey)
    assert.deepEqual([state, approvals, missing], ['open', ['test-owner'], ['test-member-2']])
  }
  assert.equal((await refusal(installation, 'roster', 'approve', proposal, '--passkey', newcomer)).code, 'REFUSED')
  assert.equal((await show()).version, 0)
})

test('a member whom two owners made approves nothing until the cooling-off is over, and then does', async () => {
  const drafted = await owner.draft({ action: 'ProfileList', devices: [idOf(phone)] })
  await change('--add-member', `calm-otter=${newcomer}.public.json`)
  const approval = approve(loadPasskey(newcomer), Buffer.from(drafted.digest, 'hex'), owner.trusted.roster)
  const early = installation.console.post<Approved>(`/api/orders/${drafted.order}/approvals`, { approval })
  await assert.rejects(early, { code: 'UNPROVEN', message: /the passkey is new, and counts from/ })
  const { members } = await show()
  assert.deepEqual(members.at(-1)?.roles, ['operator', 'approver'])
  await until(async () => !(await show()).members.at(-1)!.waits)
  assert.equal((await installation.approve(drafted.order, newcomer)).state, 'approved')
  assert.deepEqual(await executed(), ['ProfileList'], 'and the edge knows the new member')
})

test('a member without the role stops nothing', async () => {
  const { code, message } = await refusal(installation, 'freeze', '--passkey', newcomer)
  assert.equal(code, 'REFUSED')
  assert.match(message, /calm-otter is not a responder/)
})

test('a weaker quorum counts only after the cooling-off: until then the old one holds', async () => {
  const drafted = await owner.draft({ action: 'ShutDownDevice', devices: [idOf(phone)] })
  const { changes } = await change('--quorum', 'destroy=1')
  assert.match(changes.join(), /orders that can destroy: 1 of approver \(was 2 of approver\) — counts 6s later/)
  const approval = owner.sign(Buffer.from(drafted.digest, 'hex'))
  const early = await installation.console.post<Approved>(`/api/orders/${drafted.order}/approvals`, { approval })
  assert.deepEqual([early.state, early.quorum], ['draft', 2])
  await until(async () => (await show()).policy.quorum.destroy === 1)
  const next = await draft('ShutDownDevice')
  assert.equal((await installation.approve(next)).state, 'approved')
  await change('--quorum', 'destroy=2') // stricter: at once
  assert.equal((await show()).policy.quorum.destroy, 2)
})

test('a member who was removed approves nothing, and what they approved before counts no more', async () => {
  const order = await draft('EnableLostMode', 'Message=Lost', 'PhoneNumber=1')
  assert.equal((await installation.approve(order, newcomer)).state, 'draft')
  await group('create', 'kiosks', '--passkey', newcomer)
  await group('add', 'kiosks', idOf(phone), '--passkey', newcomer)
  const { changes } = await change('--remove-member', 'calm-otter')
  assert.deepEqual(changes, ['calm-otter is a member no more'])
  assert.equal((await refusal(installation, 'order', 'approve', order, '--passkey', newcomer)).code, 'REFUSED')
  const { state } = await installation.approve(order)
  assert.equal(state, 'draft', 'one of the two approvals is gone')
})

test('a group whose last signer has left is empty until a member says anew who is in it, and cannot be rolled back', async () => {
  const kiosks = () => installation.console.get<Group>('/api/groups/kiosks')
  const left = await kiosks()
  assert.deepEqual([left.version, left.approved, left.members], [1, false, []])
  const toGroup = () => installation.draft('--action', 'ProfileList', '--group', 'kiosks')
  await assert.rejects(toGroup(), /UNPROVEN/)
  const mine = ['--passkey', installation.passkey]
  const told = await refusal(installation, 'group', 'add', 'kiosks', idOf(phone), ...mine)
  assert.equal(told.code, 'UNPROVEN')
  assert.match(told.remedy!, /--anew/)
  // Neither who left nor a version that skips what the ledger has goes on with it.
  assert.equal(
    (await refusal(installation, 'group', 'add', 'kiosks', idOf(phone), '--passkey', newcomer)).code,
    'UNPROVEN',
  )
  await installation.database.query("delete from console.group_version where alias = 'kiosks' and version = 1")
  const forked = await refusal(installation, 'group', 'add', 'kiosks', idOf(phone), '--anew', ...mine)
  assert.match(forked.message, /Version 1 of group .* is in the ledger/)
  await installation.database.query(
    `insert into console.group_version (group_id, version, alias, statement, approval) values ($1, 1, 'kiosks', $2, $3)`,
    [JSON.parse(left.statement).id, left.statement, left.approval],
  )
  const next = await group('add', 'kiosks', idOf(phone), '--anew', ...mine)
  assert.deepEqual([next.version, next.devices], [2, 1])
  assert.deepEqual((await kiosks()).members, [idOf(phone)])
  await toGroup()
})

test('a proposal that another version overtook says so', async () => {
  const [old, newer] = [await propose('--quorum', 'read=2'), await propose('--quorum', 'change=2')]
  for (const by of installation.passkeys) await agree(newer.proposal, by)
  const { code, message } = await refusal(
    installation,
    'roster',
    'approve',
    old.proposal,
    '--passkey',
    installation.passkey,
  )
  assert.equal(code, 'CONFLICT')
  assert.match(message, /overtaken/)
  const listed = await installation.console.get<{ proposals: Proposal[] }>('/api/proposals')
  assert.equal(listed.proposals.find(one => one.proposal === old.proposal)?.state, 'overtaken')
})

test('a roster that is not in form, or continues another, is refused by name and changes nothing', async () => {
  const { roster, version } = await show()
  const { entries } = await installation.console.get<{ entries: string[] }>('/api/control')
  const { statement } = JSON.parse(entries.findLast(one => one.includes('"type":"roster"'))!) as { statement: string }
  const next = {
    ...roster,
    version: version + 1,
    previous: previousOf(statement),
    createdAt: Math.floor(Date.now() / 1000),
  }
  const text = canonical(next)
  const [, first] = roster.members
  const bad: [string, string, RegExp][] = [
    [canonical({ ...next, extra: 1 }), 'MALFORMED', /extra must be left out/],
    [text.replace('{', '{ '), 'MALFORMED', /canonical form/],
    [text.replace('"version":', '"version":0,"version":'), 'MALFORMED', /canonical form/],
    [text.replace(/"createdAt":(\d+)/, '"createdAt":$1.0'), 'MALFORMED', /canonical form|whole/],
    [
      canonical({ ...next, members: [...next.members, { ...first!, alias: 'é'.normalize('NFD') }] }),
      'MALFORMED',
      /alias/,
    ],
    [canonical({ ...next, version: version + 2 }), 'CONFLICT', /overtaken/],
    [canonical({ ...next, previous: '0'.repeat(64) }), 'CONFLICT', /overtaken/],
    [canonical({ ...next, name: 'another' }), 'REFUSED', /cannot change the name/],
    [canonical({ ...next, keys: { ...next.keys, voucher: '' } }), 'REFUSED', /cannot change the keys/],
    [canonical({ ...next, members: [first!, first!] }), 'REFUSED', /two members have one id or alias/],
    [canonical({ ...next, members: next.members.map(one => ({ ...one, roles: [] })) }), 'REFUSED', /too few owners/],
    ['{"type":"bulkhead-roster/v1"}', 'MALFORMED', /./],
  ]
  for (const [given, code, message] of bad) {
    const wanted = installation.console.post('/api/proposals', { kind: 'roster', statement: given })
    await assert.rejects(wanted, { code, message }, given.slice(0, 200))
  }
  assert.equal((await show()).version, version)
})

test('an approval that was made for another installation, statement or place counts for nothing', async () => {
  const { proposal, digest } = await propose('--cooling-off', '1h')
  const { statement } = await installation.console.get<Proposal>(`/api/proposals/${proposal}`)
  const pinned = openHome(installation.home)
  const key = loadPasskey(installation.passkey)
  const foreign = controlDigest('roster', statement, { genesisDigest: Buffer.alloc(32, 1) })
  const elsewhere = { app: { ...pinned.roster.app, origin: 'https://evil.example' } }
  const bad = [
    approve(key, foreign, pinned.roster),
    approve(key, controlDigest('thaw', statement, pinned), pinned.roster),
    approve(key, Buffer.from(digest, 'hex'), elsewhere),
  ]
  for (const approval of bad)
    await assert.rejects(installation.console.post(`/api/proposals/${proposal}/approvals`, { approval }), {
      code: 'UNPROVEN',
    })
  const told = await refusal(installation, 'roster', 'approve', proposal, '--passkey', key.alias, '--digest', 'ab')
  assert.equal(told.code, 'NOT_FOUND')
})

test('the history says who approved what, and is read from the ledger', async () => {
  type Line = { version: number; by: string[]; changes: string[] }
  const history = await installation.cli<Line[]>('roster', 'history')
  assert.deepEqual(
    history.map(({ version }) => version),
    history.map((_, at) => at),
  )
  assert.deepEqual(history[1]!.by, ['test-owner', 'test-member-2'])
  assert.match(history[1]!.changes.join(), /calm-otter .*becomes a member/)
})

test('a ledger that is shorter than it was, or another, stops the command line with a loud word', async () => {
  const file = join(installation.home, 'remembered.json')
  const known = readFileSync(file, 'utf8')
  const seen = JSON.parse(known) as Record<'control' | 'main', { size: number; root: string }>
  for (const log of ['control', 'main'] as const)
    for (const [wrong, said] of [
      [{ size: seen[log].size + 1000, root: seen[log].root }, /shorter/],
      [{ size: seen[log].size, root: 'ab'.repeat(32) }, /is not the one that this command line knows/],
    ] as const) {
      writeFileSync(file, JSON.stringify({ ...seen, [log]: wrong }))
      const { code, message, remedy } = await refusal(
        installation,
        ...(log === 'main' ? ['order', 'list'] : ['roster', 'show']),
      )
      assert.equal(code, 'UNPROVEN', log)
      assert.match(message, said)
      assert.match(remedy!, /Sign nothing/)
    }
  writeFileSync(file, known)
  await show()
})
