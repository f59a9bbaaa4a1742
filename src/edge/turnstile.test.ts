import assert from 'node:assert/strict'
import { generateKeyPairSync, randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { openGate, testLog } from '../../test/support/evidence.ts'
import { party, rsaKeys } from '../../test/support/pkcs.ts'
import { type TestMember, testRoster } from '../../test/support/roster.ts'
import type { ErrorCode } from '../base/errors.ts'
import { canonical } from '../trust/canonical.ts'
import { invitationDigest } from '../trust/invitation.ts'
import { orderDigest, standingDigest, targetsDigest } from '../trust/order.ts'
import type { Trusted } from '../trust/roster.ts'
import { sha256Hex } from '../trust/statement.ts'
import { encodeTemplate } from '../trust/template.ts'
import { commandUuid } from '../trust/token.ts'
import type { Voucher } from '../trust/voucher.ts'
import type { ProfileParts } from '../vault/api.ts'
import { decodePlist, type PlistDict } from '../wire/plist/plist.ts'
import { cosignatureSigner } from '../wire/tlog/cosignature.ts'
import { encodeVkey, type NoteSigner, vkeyOf } from '../wire/tlog/note.ts'
import {
  type Evidence,
  type Gate,
  type LoadedOrder,
  openPermits,
  type Permits,
  passCommand,
  passDeclarations,
  passEnrolmentProfile,
  passRenewal,
  RENEW_IDENTITY,
  requireDeliverable,
  type VerifiedOrder,
  verifyOrder,
} from './turnstile.ts'

const roster = testRoster()
const { trusted, owner, approver, operator } = roster
const NOW = 1_800_000_000
const DAY = 86_400
const [phone, tablet, stranger] = [randomUUID(), randomUUID(), randomUUID()]
const text = (bytes: Buffer) => bytes.toString('utf8')
/** A Refusal of the turnstile, or an error of what it asks. */
const refused = (code: ErrorCode, message: RegExp) => ({ code, message })
const because = (reason: string) => ({ name: 'Refusal', code: 'REFUSED', reason })

const READ: PlistDict = { RequestType: 'SecurityInfo' }
const ERASE: PlistDict = { RequestType: 'EraseDevice' }

type Making = {
  command?: PlistDict
  /** Changes the statement before it is approved. */
  said?: Record<string, unknown>
  targets?: string[]
  by?: TestMember[]
}

/** An order as the console stores it, approved by these people. */
function order({ command = READ, said = {}, targets = [phone, tablet], by = [owner] }: Making = {}): LoadedOrder {
  const { template, holes } = encodeTemplate(command)
  const statement = canonical({
    type: 'bulkhead-order/v1',
    id: randomUUID(),
    platform: 'apple',
    action: String(command.RequestType),
    channel: 'device',
    body: sha256Hex(template),
    holes,
    targets: { digest: targetsDigest(targets), count: targets.length },
    notBefore: NOW,
    expiresAt: NOW + DAY,
    nonce: '0'.repeat(32),
    reason: '0'.repeat(64),
    ...said,
  })
  const digest = orderDigest(statement, trusted)
  return { kind: 'order', statement, body: template, targets, approvals: by.map(({ approve }) => approve(digest)) }
}

function standing({ command = READ, said = {}, by = [owner] }: Making = {}): LoadedOrder {
  const { template, holes } = encodeTemplate(command)
  const statement = canonical({
    type: 'bulkhead-standing-order/v1',
    id: randomUUID(),
    platform: 'apple',
    action: String(command.RequestType),
    body: sha256Hex(template),
    holes,
    trigger: 'daily',
    notBefore: NOW,
    expiresAt: NOW + DAY,
    nonce: '0'.repeat(32),
    reason: '0'.repeat(64),
    ...said,
  })
  const digest = standingDigest(statement, trusted)
  return {
    kind: 'standing',
    statement,
    body: template,
    targets: [],
    approvals: by.map(({ approve }) => approve(digest)),
  }
}

const voucher = (fields: Partial<Voucher> = {}): Voucher => ({
  type: 'bulkhead-voucher/v1',
  certificate: '0'.repeat(64),
  publicKey: 'AAAA',
  device: phone,
  path: '11111111-1111-4111-8111-111111111111',
  platform: 'apple',
  tier: 'full',
  unit: roster.unit,
  groups: [],
  invitation: randomUUID(),
  topic: 'com.apple.mgmt.External.test',
  url: 'https://mdm.example.test',
  signed: false,
  previous: '',
  enrolledAt: NOW - DAY,
  identityDays: 397,
  notAfter: NOW + 300 * DAY,
  ...fields,
})

type Sending = {
  to?: Partial<Voucher>
  channel?: string
  serial?: number
  now?: number
  fills?: Record<string, string>
}
function send(loaded: LoadedOrder, { to = {}, channel = '', serial = 0, now = NOW, fills = {} }: Sending = {}) {
  const verified = proven(loaded)
  const delivery = { voucher: voucher(to), channel, serial, fills }
  const command = commandUuid(verified.order.id, delivery.voucher.device, channel, serial)
  return passCommand(verified, delivery, openGate(now), testLog(roster).permits([command], now))
}
/** Verified as the edge does it, with everything in the ledger. */
const proven = (loaded: LoadedOrder, by: Trusted = trusted) =>
  verifyOrder(loaded, testLog(roster).log(loaded).evidence(loaded), by)

// An order that holds ------------------------------------------------------------------------------------------------

test('an approved order reaches its target, with the CommandUUID that belongs to this delivery', () => {
  const loaded = order()
  const { bytes, contentType } = send(loaded)
  assert.equal(contentType, 'application/xml; charset=utf-8')
  const { id } = JSON.parse(loaded.statement)
  const plist = decodePlist(bytes) as { Command: PlistDict; CommandUUID: string }
  assert.deepEqual([{ ...plist.Command }, plist.CommandUUID], [READ, commandUuid(id, phone, '', 0)])
  assert.notDeepEqual(send(loaded, { to: { device: tablet } }).bytes, bytes)
  assert.deepEqual(send(loaded).bytes, bytes)
})

test('holes are filled from the voucher, with what the tier allows and with what the vault released', () => {
  const queries: PlistDict = { RequestType: 'DeviceInformation', Queries: ['{{allowed-queries}}'] }
  const asked = (tier: Voucher['tier']) => text(send(order({ command: queries }), { to: { tier } }).bytes)
  assert.match(asked('full'), /<string>PhoneNumber<\/string>/)
  assert.doesNotMatch(asked('private'), /PhoneNumber|\{\{/)
  const named: PlistDict = { RequestType: 'Settings', Settings: [{ Item: 'DeviceName', DeviceName: '{{device-id}}' }] }
  assert.match(text(send(order({ command: named })).bytes), new RegExp(`<string>${phone}</string>`))
  const clear: PlistDict = { RequestType: 'ClearPasscode', UnlockToken: '{{unlock-token}}' }
  const unlock = order({ command: clear, by: [owner, approver] })
  assert.match(text(send(unlock, { fills: { 'unlock-token': 'c2VjcmV0' } }).bytes), /<data>c2VjcmV0<\/data>/)
  assert.throws(() => send(unlock), refused('REFUSED', /Nothing to fill unlock-token/))
  const markup = { 'unlock-token': '</data><string>x</string><data>' }
  assert.throws(() => send(unlock, { fills: markup }), refused('REFUSED', /Nothing to fill unlock-token/))
})

test('what fills one hole cannot be taken for another hole', () => {
  const clear: PlistDict = { RequestType: 'ClearPasscode', UnlockToken: '{{unlock-token}}' }
  const loaded = order({ command: clear, by: [owner, approver] })
  assert.throws(
    () => send(loaded, { fills: { 'unlock-token': '{{command-uuid}}' } }),
    refused('REFUSED', /Nothing to fill/),
  )
  assert.throws(() => send(loaded, { fills: { 'unlock-token': '$&' } }), refused('REFUSED', /Nothing to fill/))
})

// One guard after the other: each refuses alone -----------------------------------------------------------------------

/** A name, the order as it was found, and what says no. */
const bad: [name: string, loaded: () => LoadedOrder, code: ErrorCode, message: RegExp][] = [
  [
    'a body that was changed',
    () => ({ ...order(), body: order({ command: ERASE }).body }),
    'REFUSED',
    /not the one that was approved/,
  ],
  [
    'a body with one space more',
    () => {
      const o = order()
      return { ...o, body: Buffer.concat([o.body, Buffer.from(' ')]) }
    },
    'REFUSED',
    /not the one that was approved/,
  ],
  [
    'an action that differs from the body',
    () => order({ said: { action: 'DeviceInformation' } }),
    'REFUSED',
    /another action/,
  ],
  [
    'an erasure that calls itself harmless',
    () => order({ command: ERASE, said: { action: 'SecurityInfo' }, by: [owner, approver] }),
    'REFUSED',
    /another action/,
  ],
  [
    'a statement that was changed after it was approved',
    () => {
      const o = order()
      return { ...o, statement: o.statement.replace(String(NOW + DAY), String(NOW + DAY + 1)) }
    },
    'REFUSED',
    /0 of 1 .* approves something else/,
  ],
  [
    'a statement with a space',
    () => {
      const o = order()
      return { ...o, statement: o.statement.replace(':', ': ') }
    },
    'MALFORMED',
    /canonical/,
  ],
  ['a statement with a key nobody knows', () => order({ said: { urgent: true } }), 'MALFORMED', /urgent/],
  ['no approval', () => order({ by: [] }), 'REFUSED', /0 of 1 approvals/],
  [
    'an approval of another order',
    () => ({ ...order(), approvals: order({ command: { RequestType: 'ProfileList' } }).approvals }),
    'REFUSED',
    /approves something else/,
  ],
  [
    'an approval by somebody who is not in the roster',
    () => {
      const o = order()
      return {
        ...o,
        approvals: [{ ...o.approvals[0]!, credentialId: 'c3RyYW5nZXI' }],
      }
    },
    'REFUSED',
    /does not hold/,
  ],
  [
    'an approval signed by the same passkey’s name but another key',
    () => {
      const o = order()
      return { ...o, approvals: [testRoster().owner.approve(orderDigest(o.statement, trusted))] }
    },
    'REFUSED',
    /signature does not hold/,
  ],
  [
    'an approval made for another installation',
    () => {
      const o = order()
      const other = testRoster().trusted
      return { ...o, approvals: [owner.approve(orderDigest(o.statement, other))] }
    },
    'REFUSED',
    /approves something else/,
  ],
  [
    'one person twice where two are asked for',
    () => order({ command: ERASE, by: [owner, owner] }),
    'REFUSED',
    /1 of 2 approvals/,
  ],
  [
    'one person where two are asked for',
    () => order({ command: ERASE, by: [approver] }),
    'REFUSED',
    /1 of 2 approvals/,
  ],
  [
    'an operator where an approver is asked for',
    () => order({ command: ERASE, by: [approver, operator] }),
    'REFUSED',
    /1 of 2 approvals .*operator-three has no role/,
  ],
  [
    'an order that lives longer than the roster allows',
    () => order({ said: { expiresAt: NOW + 91 * DAY } }),
    'REFUSED',
    /longer than the roster/,
  ],
  ['a target more', () => ({ ...order(), targets: [phone, tablet, stranger] }), 'REFUSED', /targets are not/],
  ['a target fewer', () => ({ ...order(), targets: [phone] }), 'REFUSED', /targets are not/],
  ['a target swapped', () => ({ ...order(), targets: [phone, stranger] }), 'REFUSED', /targets are not/],
  ['a target twice', () => ({ ...order(), targets: [phone, phone] }), 'REFUSED', /targets are not/],
  [
    'a target’s digest with another count',
    () => order({ said: { targets: { digest: targetsDigest([phone, tablet]), count: 3 } } }),
    'REFUSED',
    /targets are not/,
  ],
  ['no place for a CommandUUID', () => order({ said: { holes: [] } }), 'REFUSED', /no place for a CommandUUID/],
  [
    'a hole that the body does not have',
    () => order({ said: { holes: ['command-uuid', 'device-id'] } }),
    'REFUSED',
    /device-id does not stand exactly once/,
  ],
  ['an order that is filed as a standing one', () => ({ ...order(), kind: 'standing' }), 'MALFORMED', /standing order/],
  ['a standing order that is filed as an order', () => ({ ...standing(), kind: 'order' }), 'MALFORMED', /order/],
  [
    'a standing order that destroys',
    () => standing({ command: ERASE, by: [owner, approver] }),
    'REFUSED',
    /read and change only/,
  ],
  [
    'a standing order that changes trust',
    () => standing({ command: { RequestType: 'RemoveProfile', Identifier: 'com.example' }, by: [owner, approver] }),
    'REFUSED',
    /read and change only/,
  ],
]
for (const [name, loaded, code, message] of bad)
  test(`refused: ${name}`, () => {
    const found = loaded()
    assert.throws(() => proven(found), refused(code, message))
  })

/** A template by hand, approved as it is. */
function template(xml: string, holes: string[]): LoadedOrder {
  const body = Buffer.from(`<?xml version="1.0" encoding="UTF-8"?><plist version="1.0">${xml}</plist>`)
  const approved = order({ said: { body: sha256Hex(body), holes, action: 'Settings' } })
  return { ...approved, body }
}
const settings = (value: string, after = '') =>
  `<dict><key>Command</key><dict><key>RequestType</key><string>Settings</string><key>Settings</key><array><dict><key>Item</key><string>DeviceName</string><key>DeviceName</key><string>${value}</string></dict></array></dict><key>CommandUUID</key><string>{{command-uuid}}</string>${after}</dict>`

test('a hole that stands twice is refused, and so is a body that is no command or more than one', () => {
  const holes = ['command-uuid', 'device-id']
  assert.match(text(send(template(settings('{{device-id}}'), holes)).bytes), new RegExp(phone))
  const refuse = (xml: string, named: string[], code: ErrorCode, message: RegExp) =>
    assert.throws(() => proven(template(xml, named)), refused(code, message))
  refuse(settings('{{device-id}} {{device-id}}'), holes, 'REFUSED', /device-id does not stand exactly once/)
  refuse(settings('{{command-uuid}}'), ['command-uuid'], 'REFUSED', /command-uuid does not stand exactly once/)
  refuse(settings('a', '<key>More</key><true/>'), ['command-uuid'], 'MALFORMED', /not the template/)
  refuse(settings('a').replace('{{command-uuid}}', randomUUID()), ['command-uuid'], 'MALFORMED', /not the template/)
  refuse('<array/>', ['command-uuid'], 'MALFORMED', /not the template/)
  refuse(settings('a').replace('<key>Settings</key>', '<key>RequestType</key>'), ['command-uuid'], 'MALFORMED', /./)
})

test('two people approve an erasure; what it is was worked out from its bytes', () => {
  const verified = proven(order({ command: ERASE, by: [owner, approver] }))
  assert.equal(verified.class, 'destroy')
  assert.equal(verified.rights, 8)
})

test('a worthless approval beside a good one changes nothing', () => {
  const loaded = order()
  const [good] = loaded.approvals
  assert.ok(proven({ ...loaded, approvals: [{ ...good!, signature: 'AAAA' }, good!] }))
})

const deliveries: [name: string, making: Making, sending: Sending, message: RegExp][] = [
  ['one second before it begins', {}, { now: NOW - 1 }, /not valid yet/],
  ['in the second in which it ends', {}, { now: NOW + DAY }, /has expired/],
  ['for another platform', {}, { to: { platform: 'windows' as never } }, /another platform/],
  ['for a device that is not among the targets', {}, { to: { device: stranger } }, /not among the targets/],
  ['on a user channel where it is for the device', {}, { channel: 'a'.repeat(32) }, /another channel/],
  ['on the device channel where it is for users', { said: { channel: 'user' } }, {}, /another channel/],
  [
    'to a device that refuses EraseDevice: no-wipe',
    { command: ERASE, by: [owner, approver] },
    { to: { tier: 'no-wipe' } },
    /rights do not allow/,
  ],
  [
    'to a device that refuses EraseDevice: private',
    { command: ERASE, by: [owner, approver] },
    { to: { tier: 'private' } },
    /rights do not allow/,
  ],
  [
    'that asks a private device for its number',
    { command: { RequestType: 'DeviceInformation', Queries: ['PhoneNumber'] } },
    { to: { tier: 'private' } },
    /rights do not allow/,
  ],
]
for (const [name, making, sending, message] of deliveries)
  test(`not delivered: an order ${name}`, () => {
    const loaded = order(making)
    assert.throws(() => send(loaded, sending), refused('REFUSED', message))
  })

test('the last second of an order counts, and its first', () => {
  assert.ok(send(order(), { now: NOW }))
  assert.ok(send(order(), { now: NOW + DAY - 1 }))
})

test('a standing order is for every device, within time, platform, channel and rights like any other', () => {
  assert.ok(send(standing(), { to: { device: stranger } }))
  assert.throws(() => send(standing(), { now: NOW + DAY }), refused('REFUSED', /expired/))
  assert.throws(() => send(standing(), { channel: 'a'.repeat(32) }), refused('REFUSED', /another channel/))
})

test('an order is delivered once to each, and a daily one once a day: no table can number it anew', () => {
  const today = Math.floor(NOW / DAY)
  assert.throws(() => send(order(), { serial: 1 }), refused('REFUSED', /not approved to be repeated/))
  assert.throws(() => send(order(), { serial: today }), refused('REFUSED', /not approved to be repeated/))
  const [daily, once] = [standing(), standing({ said: { trigger: 'enrolment' } })]
  assert.notDeepEqual(send(daily, { serial: today }).bytes, send(daily).bytes)
  for (const serial of [1, today - 1, today + 1])
    assert.throws(() => send(daily, { serial }), refused('REFUSED', /not approved to be repeated/))
  assert.ok(send(once))
  assert.throws(() => send(once, { serial: today }), refused('REFUSED', /not approved to be repeated/))
})

test('software passkeys stop counting when the roster forbids them', () => {
  const strict: Trusted = { ...trusted, rules: { ...trusted.rules, softwarePasskeys: false } }
  assert.throws(() => proven(order(), strict), because('quorum'))
})

// Profiles ------------------------------------------------------------------------------------------------------------

const signer = party(rsaKeys(), {})
const signature = { certificates: [signer.certificate.toString('base64')], attributes: 'MQA=', signature: 'AAAA' }
const parts = (fields: Partial<ProfileParts> = {}): ProfileParts => ({
  path: voucher().path,
  pathToken: 'the-token',
  challenge: 'a-challenge',
  tier: 'private',
  topic: 'com.apple.mgmt.External.test',
  url: 'https://mdm.example.test',
  organisation: 'example.test',
  signer: null,
  ...fields,
})

function invite(fields: Record<string, unknown> = {}, by = operator) {
  const statement = canonical({
    type: 'bulkhead-invitation/v1',
    id: randomUUID(),
    platform: 'apple',
    tier: 'private',
    unit: roster.unit,
    groups: [],
    uses: 1,
    signed: false,
    identityDays: 397,
    notBefore: NOW,
    expiresAt: NOW + DAY,
    nonce: '0'.repeat(32),
    ...fields,
  })
  return { statement, approval: by.approve(invitationDigest(statement, trusted)) }
}
const hand = (made: ReturnType<typeof invite>, profile: ProfileParts, now = NOW) =>
  passEnrolmentProfile(profile, made.statement, made.approval, openGate(now), trusted)

test('an enrolment profile has the rights of the invitation, whatever the vault says', () => {
  const { bytes, contentType } = hand(invite(), parts())
  assert.equal(contentType, 'application/x-apple-aspen-config')
  assert.match(text(bytes), /<key>AccessRights<\/key>\s*<integer>8151<\/integer>/)
  assert.throws(() => hand(invite(), parts({ tier: 'full' })), refused('REFUSED', /not what the invitation says/))
  assert.throws(() => hand(invite({ tier: 'full' }), parts()), refused('REFUSED', /not what the invitation says/))
})

test('an enrolment profile needs an invitation that holds, now, and is signed as it says', () => {
  assert.throws(() => hand(invite(), parts(), NOW - 1), refused('EXPIRED', /./))
  assert.throws(() => hand(invite(), parts(), NOW + DAY), refused('EXPIRED', /./))
  assert.throws(() => hand(invite(), parts({ signer: signature })), refused('REFUSED', /not what the invitation says/))
  assert.throws(() => hand(invite({ signed: true }), parts()), refused('REFUSED', /not what the invitation says/))
  assert.ok(hand(invite({ signed: true }), parts({ signer: signature })))
  const other = invite()
  assert.throws(
    () => hand({ ...invite({ uses: 2 }), approval: other.approval }, parts()),
    refused('UNPROVEN', /not approved/),
  )
  const elsewhere = invite({ unit: randomUUID() })
  assert.throws(() => hand(elsewhere, parts()), refused('UNPROVEN', /unit/))
})

const TODAY = Math.floor(NOW / DAY)
/** Of a device whose certificate ends soon. */
const ending = (fields: Partial<Voucher> = {}) => voucher({ notAfter: NOW + 30 * DAY, ...fields })
const renew = (
  profile: ProfileParts,
  to: Partial<Voucher> = {},
  by: Trusted = trusted,
  path = voucher().path,
  serial = TODAY,
) =>
  passRenewal(
    profile,
    token => (token === 'the-token' ? path : undefined),
    { voucher: ending(to), serial },
    openGate(NOW),
    new Set([commandUuid(RENEW_IDENTITY, ending(to).device, '', serial)]),
    by,
  )

test('a renewal keeps rights, topic and URLs of the voucher, whatever the vault says', () => {
  const lies = parts({
    tier: 'full',
    topic: 'com.apple.mgmt.External.other',
    url: 'https://evil.test',
    path: randomUUID(),
  })
  const { bytes } = renew(lies, { tier: 'private' })
  const plist = decodePlist(bytes) as { Command: PlistDict; CommandUUID: string }
  assert.equal(plist.CommandUUID, commandUuid(RENEW_IDENTITY, phone, '', TODAY))
  assert.equal(plist.Command.RequestType, 'InstallProfile')
  const profile = Buffer.from(plist.Command.Payload as Uint8Array)
  assert.match(text(profile), /<integer>8151<\/integer>/)
  assert.match(text(profile), /https:\/\/mdm\.example\.test\/d\/the-token\/connect/)
  assert.match(text(profile), /com\.apple\.mgmt\.External\.test/)
  assert.doesNotMatch(text(profile), /evil|other|8191/)
  assert.deepEqual(bytes, renew(parts(), { tier: 'private' }).bytes)
})

test('a renewal with the URLs of another device, or of nobody, is refused', () => {
  assert.throws(() => renew(parts(), {}, trusted, randomUUID()), refused('REFUSED', /URLs of another device/))
  assert.throws(() => renew(parts({ pathToken: 'invented' })), refused('REFUSED', /URLs of another device/))
})

test('a renewal is signed exactly if the first profile was', () => {
  assert.throws(() => renew(parts(), { signed: true }), refused('REFUSED', /not signed as the first/))
  assert.throws(() => renew(parts({ signer: signature })), refused('REFUSED', /not signed as the first/))
  assert.ok(renew(parts({ signer: signature }), { signed: true }))
})

test('an identity is renewed in its last 30 days, under the number of the day or of the day before', () => {
  assert.throws(() => renew(parts(), { notAfter: NOW + 30 * DAY + 1 }), because('renewal-early'))
  const numbered = (serial: number) => () => renew(parts(), {}, trusted, voucher().path, serial)
  for (const serial of [0, TODAY - 2, TODAY + 1]) assert.throws(numbered(serial), because('renewal-serial'))
  for (const serial of [TODAY - 1, TODAY]) assert.ok(numbered(serial)())
})

test('a roster without the standing order renews nothing', () => {
  const without: Trusted = { ...trusted, roster: { ...trusted.roster, standing: [] } }
  assert.throws(() => renew(parts(), {}, without), refused('REFUSED', /does not renew/))
})

test('there are no declarations, and no endpoint but the two that say so', () => {
  for (const endpoint of ['tokens', 'declaration-items'])
    assert.equal(passDeclarations(endpoint)?.contentType, 'application/json')
  for (const endpoint of ['', 'declaration/activation/x', 'constructor', '__proto__', 'Tokens'])
    assert.equal(passDeclarations(endpoint), undefined)
})

// What the ledger says ------------------------------------------------------------------------------------------------

const gated = (gate: Partial<Gate>, permits?: Permits) => {
  const verified = proven(order())
  const delivery = { voucher: voucher(), channel: '', serial: 0, fills: {} }
  const command = commandUuid(verified.order.id, phone, '', 0)
  return () => passCommand(verified, delivery, { ...openGate(NOW), ...gate }, permits ?? new Set([command]))
}

test('nothing goes out while the control log is too old, or says frozen or cancelled', () => {
  assert.ok(gated({})())
  assert.throws(gated({ fresh: false }), because('stale'))
  assert.throws(gated({ frozen: true }), because('frozen'))
  assert.throws(gated({ isCancelled: () => true }), because('cancelled'))
})

test('cancelling everything pending stops the orders that were in the log by then, and none that came later', () => {
  const first = order()
  const second = order()
  const log = testLog(roster).log(first).log(second)
  const [early, late] = [first, second].map(loaded => verifyOrder(loaded, log.evidence(loaded), trusted))
  const gate = { ...openGate(NOW), isCancelled: (_: string, index: number) => index < 3 }
  const out = (verified: VerifiedOrder) =>
    requireDeliverable(verified, { voucher: voucher(), channel: '', serial: 0, fills: {} }, gate)
  assert.throws(() => out(early!), because('cancelled'))
  out(late!)
})

test('nothing goes out that the ledger did not grant: another command’s permit is none', () => {
  assert.throws(gated({}, new Set()), because('permit'))
  assert.throws(gated({}, new Set([randomUUID()])), because('permit'))
})

test('permits count only with the ledger’s signature, and only at once', () => {
  const log = testLog(roster)
  const { statement, signature } = log.grant(['a'], NOW)
  assert.ok(openPermits(statement, signature, NOW + 60, trusted).has('a'))
  assert.throws(() => openPermits(statement, signature, NOW + 61, trusted), because('permit-old'))
  assert.throws(() => openPermits(statement, signature, NOW - 61, trusted), because('permit-old'))
  assert.throws(() => openPermits(statement.replace('a', 'b'), signature, NOW, trusted), because('permit-unsigned'))
  const other = testLog(testRoster()).grant(['a'], NOW)
  assert.throws(() => openPermits(other.statement, other.signature, NOW, trusted), because('permit-unsigned'))
})

test('an order that is not in the log, or one of whose approvals is not, does not go out', () => {
  const loaded = order({ command: ERASE, by: [owner, approver] })
  const whole = testLog(roster).log(loaded)
  assert.ok(verifyOrder(loaded, whole.evidence(loaded), trusted))
  for (const missing of whole.entries.keys()) {
    const log = testLog(roster)
    for (const [at, entry] of whole.entries.entries()) if (at !== missing) log.entries.push(entry)
    assert.throws(() => verifyOrder(loaded, log.evidence(loaded), trusted), because('unlogged'))
  }
  const refusedClass = testLog(roster).log(loaded, { class: 'read' })
  assert.throws(() => verifyOrder(loaded, refusedClass.evidence(loaded), trusted), refused('UNPROVEN', /./))
})

test('a proof for another tree, of another entry, or under a checkpoint that the log did not sign is none', () => {
  const loaded = order()
  const log = testLog(roster).log(loaded)
  const good = log.evidence(loaded)
  const [first, second] = good.proofs
  const bad: Evidence[] = [
    { ...good, proofs: [second!, first!] },
    { ...good, proofs: [{ ...first!, index: 0 }, second!] },
    { ...good, proofs: [{ ...first!, hashes: [] }, second!] },
    { ...good, checkpoint: testLog(testRoster()).log(order()).evidence(loaded).checkpoint },
    { ...good, checkpoint: good.checkpoint.replace('/main', '/control') },
    { ...good, checkpoint: good.checkpoint.replace(/\n2\n/, '\n3\n') },
  ]
  for (const evidence of bad) assert.throws(() => verifyOrder(loaded, evidence, trusted), refused('UNPROVEN', /./))
})

test('where the roster asks for witnesses, as many must have signed the checkpoint', () => {
  const witness = (name: string) => {
    const { privateKey } = generateKeyPairSync('ed25519')
    return { vkey: encodeVkey(vkeyOf(name, 4, privateKey)), signer: cosignatureSigner(name, privateKey, NOW) }
  }
  const [one, two, foreign] = [witness('one.test/w'), witness('two.test/w'), witness('foreign.test/w')]
  const policy = { ...trusted.roster.policy, witnesses: [one.vkey, two.vkey] }
  const watched = (cosignatures: number): Trusted => ({
    ...trusted,
    roster: { ...trusted.roster, policy },
    rules: { ...trusted.rules, cosignatures },
  })
  const loaded = order()
  const log = testLog(roster).log(loaded)
  const check = (count: number, signers: NoteSigner[]) => () =>
    verifyOrder(loaded, log.evidence(loaded, signers), watched(count))
  assert.ok(check(2, [one.signer, two.signer])())
  assert.ok(check(1, [two.signer])())
  assert.throws(check(2, [one.signer]), because('cosignatures'))
  assert.throws(check(2, [one.signer, foreign.signer]), because('cosignatures'))
  assert.throws(check(1, []), because('cosignatures'))
  assert.throws(check(2, [one.signer, one.signer]), because('cosignatures'))
})

test('an order that lives longer than the roster allows is refused', () => {
  const limit = trusted.rules.longestOrder
  assert.ok(proven(order({ said: { expiresAt: NOW + limit } })))
  assert.throws(() => proven(order({ said: { expiresAt: NOW + limit + 1 } })), because('lifetime'))
})

test('profiles and renewals wait like commands', () => {
  const made = invite()
  const profile = (gate: Partial<Gate>) => () =>
    passEnrolmentProfile(parts(), made.statement, made.approval, { ...openGate(NOW), ...gate }, trusted)
  assert.ok(profile({})())
  assert.throws(profile({ frozen: true }), because('frozen'))
  assert.throws(profile({ fresh: false }), because('stale'))
  const renewal = (gate: Partial<Gate>, permits: Permits) => () =>
    passRenewal(
      parts(),
      () => voucher().path,
      { voucher: ending(), serial: TODAY },
      { ...openGate(NOW), ...gate },
      permits,
      trusted,
    )
  const command = commandUuid(RENEW_IDENTITY, phone, '', TODAY)
  assert.ok(renewal({}, new Set([command]))())
  assert.throws(renewal({}, new Set()), because('permit'))
  assert.throws(renewal({ frozen: true }, new Set([command])), because('frozen'))
  assert.throws(renewal({ fresh: false }, new Set([command])), because('stale'))
})
