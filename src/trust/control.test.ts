import assert from 'node:assert/strict'
import { generateKeyPairSync, randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { type TestMember, testRoster } from '../../test/support/roster.ts'
import { verifyApproval } from './approval.ts'
import { canonical } from './canonical.ts'
import { type ControlKind, controlDigest, createControl, previousOf } from './control.ts'
import { genesisDigestOf, openGenesis, type Roster } from './roster.ts'
import { sha256Hex } from './statement.ts'

// A roster of two owners, one responder and one who is not yet in it.

const base = testRoster()
const { owner, approver, operator } = base
const CODE = '0123-4567-89ab-cdef'
const people = (JSON.parse(base.genesis) as Roster).members
const memberOf = (of: TestMember) => people.find(({ id }) => id === of.id)!
const genesisRoster: Roster = {
  ...(JSON.parse(base.genesis) as Roster),
  members: [
    { ...memberOf(owner), roles: ['owner', 'operator', 'approver'] },
    { ...memberOf(approver), roles: ['owner', 'approver', 'responder'] },
  ],
  policy: {
    ...(JSON.parse(base.genesis) as Roster).policy,
    freezeCodes: [sha256Hex(CODE)],
  },
}
const genesis = canonical(genesisRoster)
const pinned = openGenesis(genesis, genesisDigestOf(genesis))
const START = 1_800_000_000
const DAY = 86_400
const nonce = () => randomUUID().replaceAll('-', '')

function world() {
  const control = createControl(genesis, pinned)
  control.apply(
    canonical({ type: 'roster', unique: 'roster:0', version: 0, digest: pinned.genesisDigest.toString('hex') }),
  )
  return control
}
type Fields = { at?: number; by?: TestMember[]; unique?: string }
const BOTH = [owner, approver]

/** An entry as the console makes it, approved by these people. */
function entry(kind: ControlKind, statement: string, { at = START, by = BOTH, unique }: Fields = {}): string {
  const approvals = by.map(({ approve }) => approve(controlDigest(kind, statement, pinned)))
  const version = kind === 'roster' ? (JSON.parse(statement) as Roster).version : undefined
  const key = unique ?? `${kind}:${version ?? sha256Hex(statement).slice(0, 32)}`
  return canonical({ type: kind, unique: key, at, version, statement, approvals })
}
const next = (before: string, change: Partial<Roster> = {}): string => {
  const roster = JSON.parse(before) as Roster
  return canonical({
    ...roster,
    version: roster.version + 1,
    previous: previousOf(before),
    createdAt: START,
    ...change,
  })
}
const freeze = (at = START) => canonical({ type: 'bulkhead-freeze/v1', at, nonce: nonce() })
const thaw = (upTo: number) => canonical({ type: 'bulkhead-thaw/v1', upTo, at: START, nonce: nonce() })
const cancel = (what: { order?: string; all?: number }) =>
  canonical({ type: 'bulkhead-cancel/v1', ...what, at: START, nonce: nonce() })

const third = { ...memberOf(operator), roles: ['operator' as const, 'approver' as const] }
const withThird = { members: [...genesisRoster.members, third] }
const may = (control: ReturnType<typeof world>, who: TestMember, at: number) => {
  const digest = Buffer.alloc(32, 7)
  return () => verifyApproval(who.approve(digest), digest, control.trustedAt(at)).alias
}

test('two owners make the next version; the new member counts a day later, and the others at once', () => {
  const control = world()
  assert.equal(control.apply(entry('roster', next(genesis, withThird))), undefined)
  assert.equal(may(control, owner, START)(), 'owner-one')
  assert.throws(may(control, operator, START + DAY - 1), /counts from/)
  assert.equal(may(control, operator, START + DAY)(), 'operator-three')
})

test('one who was removed counts no more, and starts again when they come back', () => {
  const control = world()
  const first = next(genesis, withThird)
  const second = next(first, { members: genesisRoster.members })
  control.apply(entry('roster', first))
  control.apply(entry('roster', second, { at: START + 2 * DAY }))
  assert.throws(may(control, operator, START + 3 * DAY), /does not hold/)
  control.apply(entry('roster', next(second, withThird), { at: START + 4 * DAY }))
  assert.throws(may(control, operator, START + 5 * DAY - 1), /counts from/)
})

test('another key under a member’s name, and a role more, cool off like a new member', () => {
  const [one, two] = genesisRoster.members
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const key = publicKey.export({ format: 'der', type: 'spki' }).toString('base64')
  const changed = { ...two!, passkeys: [{ ...two!.passkeys[0]!, publicKey: key }] }
  for (const members of [
    [one!, changed],
    [one!, { ...two!, roles: [...two!.roles, 'dpo' as const] }],
  ]) {
    const control = world()
    assert.equal(control.apply(entry('roster', next(genesis, { members }))), undefined)
    assert.throws(may(control, approver, START + DAY - 1), /counts from/)
  }
  const fewer = world()
  fewer.apply(entry('roster', next(genesis, { members: [one!, { ...two!, roles: ['owner'] }] })))
  assert.equal(may(fewer, approver, START)(), 'approver-two')
})

test('a weaker policy holds a day later, a stricter one at once', () => {
  const policy = genesisRoster.policy
  const weak = next(genesis, {
    policy: {
      ...policy,
      quorum: { ...policy.quorum, destroy: 1, read: 2 },
      budgets: { destroy: { devices: 500, percent: 0, seconds: 3600, after: 'wait' } },
      coolingOff: 0,
    },
  })
  const control = world()
  control.apply(entry('roster', weak))
  const meanwhile = control.trustedAt(START + DAY - 1).rules
  assert.deepEqual([meanwhile.quorum.destroy, meanwhile.quorum.read, meanwhile.coolingOff], [2, 2, DAY])
  assert.deepEqual(
    meanwhile.budgets.destroy.map(({ devices }) => devices),
    [10, 500],
  )
  const after = control.trustedAt(START + DAY).rules
  assert.deepEqual([after.quorum.destroy, after.quorum.read, after.coolingOff], [1, 2, 0])
  assert.deepEqual(
    after.budgets.destroy.map(({ devices }) => devices),
    [500],
  )
})

test('a member, a policy and a cooling-off of nothing, one after the other, open nothing before the day is over', () => {
  const control = world()
  const lax = next(genesis, { policy: { ...genesisRoster.policy, coolingOff: 0 } })
  control.apply(entry('roster', lax))
  control.apply(entry('roster', next(lax, withThird), { at: START + 60 }))
  assert.throws(may(control, operator, START + 120), /counts from/)
})

const roster = JSON.parse(genesis) as Roster
const bad: [name: string, entry: () => string, why: RegExp][] = [
  ['a version by one owner where there are two', () => entry('roster', next(genesis), { by: [owner] }), /1 of 2/],
  ['a version by one owner twice', () => entry('roster', next(genesis), { by: [owner, owner] }), /1 of 2/],
  ['a version that skips one', () => entry('roster', next(genesis, { version: 2 })), /does not continue/],
  [
    'a version that is the genesis again',
    () => entry('roster', next(genesis, { version: 0 }), { unique: 'roster:0' }),
    /another genesis/,
  ],
  [
    'a version after another one',
    () => entry('roster', next(genesis, { previous: 'a'.repeat(64) })),
    /does not continue/,
  ],
  ['a version from the future', () => entry('roster', next(genesis, { createdAt: START + 3600 })), /future/],
  [
    'a version proposed two months ago',
    () => entry('roster', next(genesis, { createdAt: START - 60 * DAY })),
    /expired/,
  ],
  [
    'a version of another installation',
    () => {
      const statement = next(genesis)
      const foreign = { genesisDigest: Buffer.alloc(32, 1) }
      const approvals = BOTH.map(({ approve }) => approve(controlDigest('roster', statement, foreign)))
      return canonical({ type: 'roster', unique: 'roster:1', at: START, version: 1, statement, approvals })
    },
    /0 of 2/,
  ],
  ['a version under another key', () => entry('roster', next(genesis), { unique: 'roster:9' }), /unique key/],
  [
    'a version with other ledger keys',
    () => entry('roster', next(genesis, { keys: { ...roster.keys, ledgerMain: 'x' } })),
    /cannot change the keys/,
  ],
  [
    'a version with another origin',
    () => entry('roster', next(genesis, { app: { ...roster.app, origin: 'http://evil.test' } })),
    /cannot change the app/,
  ],
  [
    'a version without owners',
    () => entry('roster', next(genesis, { members: roster.members.map(one => ({ ...one, roles: ['approver'] })) })),
    /too few owners/,
  ],
  [
    'a version that asks for more owners than there are',
    () =>
      entry('roster', next(genesis, { policy: { ...roster.policy, quorum: { ...roster.policy.quorum, roster: 3 } } })),
    /too few owners/,
  ],
  [
    'one member twice',
    () => entry('roster', next(genesis, { members: [roster.members[0]!, roster.members[0]!] })),
    /one id or alias|two members/,
  ],
  [
    'one passkey for two',
    () =>
      entry(
        'roster',
        next(genesis, {
          members: [roster.members[0]!, { ...roster.members[1]!, passkeys: roster.members[0]!.passkeys }],
        }),
      ),
    /two members/,
  ],
  [
    'more cosignatures than witnesses',
    () => entry('roster', next(genesis, { policy: { ...roster.policy, cosignatures: 1 } })),
    /more cosignatures/,
  ],
  [
    'an unknown field',
    () => entry('roster', canonical({ ...(JSON.parse(next(genesis)) as object), extra: 1 })),
    /extra/,
  ],
  [
    'a field twice',
    () => entry('roster', next(genesis).replace('"version":1', '"version":1,"version":1')),
    /canonical/,
  ],
  [
    'another form of a number',
    () => entry('roster', next(genesis).replace('"version":1', '"version":1.0')),
    /canonical/,
  ],
  [
    'another form of the same text',
    () => entry('roster', next(genesis).replace('example.test', 'ex\\u0061mple.test')),
    /canonical/,
  ],
  ['no roster at all', () => entry('roster', '{"version":1}'), /must be|given/],
  ['a freeze that nobody signed', () => canonical({ type: 'freeze', unique: 'freeze:0a', at: START }), /nobody signed/],
  ['a freeze by one who is no responder', () => entry('freeze', freeze(), { by: [operator] }), /does not hold/],
  ['a freeze from yesterday’s year', () => entry('freeze', freeze(START - 400 * DAY), { by: [owner] }), /expired/],
  [
    'a paper code of another roster',
    () =>
      canonical({
        type: 'freeze',
        unique: `freeze:${sha256Hex('ffff-ffff-ffff-ffff')}`,
        at: START,
        code: 'ffff-ffff-ffff-ffff',
      }),
    /paper code/,
  ],
  [
    'a paper code under another key',
    () => canonical({ type: 'freeze', unique: 'freeze:0a', at: START, code: CODE }),
    /unique key/,
  ],
  ['a thaw by one owner', () => entry('thaw', thaw(9), { by: [owner] }), /1 of 2/],
  [
    'a thaw signed as a cancel',
    () => {
      const statement = thaw(9)
      const approvals = BOTH.map(({ approve }) => approve(controlDigest('cancel', statement, pinned)))
      return canonical({
        type: 'thaw',
        unique: `thaw:${sha256Hex(statement).slice(0, 32)}`,
        at: START,
        statement,
        approvals,
      })
    },
    /0 of 2/,
  ],
  ['a cancel of nothing', () => entry('cancel', cancel({})), /one order, or all/],
  ['a cancel of both', () => entry('cancel', cancel({ order: randomUUID(), all: 5 })), /one order, or all/],
  ['a cancel that nobody approved', () => entry('cancel', cancel({ all: 5 }), { by: [] }), /0 of 1/],
  ['an entry of a type that is none', () => canonical({ type: 'erase', unique: 'erase:1', at: START }), /one of/],
  ['an entry that is not JSON', () => 'x', /JSON/],
]
for (const [name, made, why] of bad)
  test(`refused by name, and passed over by all who replay: ${name}`, () => {
    const control = world()
    const one = made()
    assert.throws(() => control.check(one), why)
    assert.match(String(control.apply(one)), why)
    assert.equal(control.size, 2)
    assert.equal(control.apply(entry('roster', next(genesis))), undefined) // none stops the others
    assert.equal(control.versions.length, 2)
  })

test('one responder freezes, or a paper code, each once; a thaw ends what it names and nothing later', () => {
  const control = world()
  const statement = freeze()
  const one = entry('freeze', statement, { by: [approver] })
  assert.equal(control.apply(one), undefined)
  const code = canonical({ type: 'freeze', unique: `freeze:${sha256Hex(CODE)}`, at: START, code: CODE })
  assert.equal(control.apply(code), undefined)
  assert.match(String(control.apply(code)), /was used/)
  assert.equal(control.freezes.length, 2)
  assert.equal(control.apply(entry('thaw', thaw(2))), undefined)
  assert.deepEqual(
    control.freezes.map(({ by }) => by),
    ['a paper code'],
  )
  assert.equal(control.apply(entry('thaw', thaw(control.size))), undefined)
  assert.equal(control.freezes.length, 0)
})

test('watch freezes in its own name', () => {
  const control = world()
  assert.equal(control.apply(canonical({ type: 'freeze', unique: 'freeze:0a', at: START, watch: 'a-rule' })), undefined)
  assert.deepEqual(
    control.freezes.map(({ by }) => by),
    ['watch: a-rule'],
  )
})

test('a cancel stops its order, or all that were in the main log by then', () => {
  const control = world()
  const order = randomUUID()
  control.apply(entry('cancel', cancel({ order }), { by: [owner] }))
  assert.ok(control.isCancelled(order, 500))
  assert.ok(!control.isCancelled(randomUUID(), 0))
  control.apply(entry('cancel', cancel({ all: 40 }), { by: [approver] }))
  assert.ok(control.isCancelled(randomUUID(), 39))
  assert.ok(!control.isCancelled(randomUUID(), 40))
})

const old = (kind: 'thaw' | 'cancel', fields: object) =>
  canonical({ type: `bulkhead-${kind}/v1`, ...fields, at: START - 60 * DAY, nonce: nonce() })
const alone: [name: string, entry: () => string, why: RegExp][] = [
  [
    'a version without a time',
    () => canonical({ ...(JSON.parse(entry('roster', next(genesis))) as object), at: undefined }),
    /it has no time/,
  ],
  [
    'a version without a statement',
    () => canonical({ type: 'roster', unique: 'roster:1', at: START, version: 1, approvals: [] }),
    /no statement or no approvals/,
  ],
  ['a thaw proposed two months ago', () => entry('thaw', old('thaw', { upTo: 9 })), /expired/],
  ['a cancel proposed two months ago', () => entry('cancel', old('cancel', { all: 9 })), /expired/],
  [
    'a freeze under another key, so that it comes back after its thaw',
    () => entry('freeze', freeze(), { by: [approver], unique: `freeze:${'0'.repeat(32)}` }),
    /unique key/,
  ],
  [
    'two members of one alias',
    () => entry('roster', next(genesis, { members: [...genesisRoster.members, { ...third, alias: 'owner-one' }] })),
    /one id or alias/,
  ],
  [
    'two members of one id',
    () => entry('roster', next(genesis, { members: [...genesisRoster.members, { ...third, id: owner.id }] })),
    /one id or alias/,
  ],
  [
    'a policy under which nobody could approve',
    () =>
      entry(
        'roster',
        next(genesis, {
          policy: {
            ...roster.policy,
            roles: { read: ['operator'], change: ['operator'], trust: ['approver'], destroy: [] },
          },
        }),
      ),
    /nobody could approve destroy/,
  ],
]
for (const [name, made, why] of alone)
  test(`refused for this alone: ${name}`, () => {
    const control = world()
    assert.match(String(control.apply(made())), why)
    assert.equal(control.versions.length, 1)
  })

test('a member who counts, and is no responder, freezes nothing', () => {
  const control = world()
  control.apply(entry('roster', next(genesis, withThird)))
  const at = START + 2 * DAY
  assert.match(String(control.apply(entry('freeze', freeze(at), { at, by: [operator] }))), /is not a responder/)
  assert.deepEqual(control.freezes, [])
})
