import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { deviceAlias } from '../../src/trust/alias.ts'
import { canonical } from '../../src/trust/canonical.ts'
import { groupDigest, orderDigest, targetsDigest } from '../../src/trust/order.ts'
import type { Trusted } from '../../src/trust/roster.ts'
import { sha256Hex } from '../../src/trust/statement.ts'
import { encodeTemplate } from '../../src/trust/template.ts'
import type { PlistDict } from '../../src/wire/plist/plist.ts'
import { deviceAlias as webAlias } from '../../web/src/alias.ts'
import type { Order } from '../../web/src/api.ts'
import { checkOrder } from '../../web/src/order.ts'
import { readPlist } from '../../web/src/plist.ts'
import { parseCanonical, statementDigest, toHex, canonical as webCanonical } from '../../web/src/statement.ts'

/** The app works out by its own code what is signed: here it is held against the code that verifies. */
const genesis = 'ab'.repeat(32)
const trusted = { genesisDigest: Buffer.from(genesis, 'hex') } as Trusted

function drafted(command: PlistDict = { RequestType: 'ProfileList' }, devices = [randomUUID(), randomUUID()]): Order {
  const action = String(command.RequestType)
  const { template, holes } = encodeTemplate(command)
  const id = randomUUID()
  const statement = canonical({
    type: 'bulkhead-order/v1',
    id,
    platform: 'apple',
    action,
    channel: 'device',
    body: sha256Hex(template),
    holes,
    targets: { digest: targetsDigest(devices), count: devices.length },
    notBefore: 1_800_000_000,
    expiresAt: 1_800_600_000,
    nonce: '0'.repeat(32),
    reason: sha256Hex('salt and reason'),
  })
  return {
    order: id,
    kind: 'order',
    state: 'draft',
    action,
    class: 'read',
    quorum: 1,
    approvals: [],
    createdAt: new Date(1_800_000_000_000).toISOString(),
    expiresAt: new Date(1_800_600_000_000).toISOString(),
    statement,
    digest: orderDigest(statement, trusted).toString('hex'),
    secret: false,
    body: template.toString('base64'),
    devices: devices.map(device => ({ device, alias: deviceAlias(device), state: 'pending', result: null })),
  }
}

const refuses = (order: Order, difference: RegExp) =>
  assert.rejects(checkOrder(order, genesis), { code: 'UNPROVEN', message: difference })

test('the app signs the digest that every verifier asks for', async () => {
  const order = drafted()
  const { digest, command, first } = await checkOrder(order, genesis)
  assert.equal(toHex(digest), orderDigest(order.statement, trusted).toString('hex'))
  assert.equal(command?.RequestType, 'ProfileList')
  assert.deepEqual(
    first,
    order.devices.map(({ device }) => deviceAlias(device)),
  )
  const group = canonical({ type: 'bulkhead-group/v1' })
  assert.equal(
    toHex(await statementDigest('bulkhead-group/v1', genesis, group)),
    groupDigest(group, trusted).toString('hex'),
  )
})

test('canonical text and aliases are those of the server', async () => {
  const value = { z: [1, 'ß\u2028"\\', null, true], a: { '\u{1f600}': 0, é: '', A: undefined }, '': -5 }
  assert.equal(webCanonical(value), canonical(value))
  for (const bad of [1.5, -0, '\ud800', Number.MAX_VALUE]) assert.throws(() => webCanonical(bad))
  assert.throws(() => parseCanonical('{"a":1, "b":2}'))
  assert.throws(() => parseCanonical('{"b":1,"a":2}'))
  const device = randomUUID()
  assert.equal(await webAlias(device), deviceAlias(device))
})

test('an order of another installation has another digest', async () => {
  await assert.rejects(checkOrder(drafted(), 'cd'.repeat(32)), /another digest/)
})

test('each part that is shown must be the part that is signed', async () => {
  const order = drafted()
  const other = drafted({ RequestType: 'EraseDevice' })
  await refuses({ ...order, statement: other.statement, digest: other.digest }, /is another order/)
  await refuses({ ...order, action: 'CertificateList' }, /for another command/)
  await refuses({ ...order, body: other.body }, /another body/)
  await refuses({ ...order, digest: other.digest }, /another digest/)
  await refuses({ ...order, devices: other.devices }, /for other devices/)
  await refuses({ ...order, devices: order.devices.slice(1) }, /another number of devices/)
  await refuses({ ...order, devices: [order.devices[0]!, order.devices[0]!] }, /a device twice/)
  await refuses({ ...order, expiresAt: new Date(0).toISOString() }, /ends at another time/)
  await refuses({ ...order, kind: 'standing' }, /another kind/)
  await refuses({ ...order, statement: ` ${order.statement}` }, /does not decode/)
})

test('a body that says another command than its statement is refused, though its digest is right', async () => {
  const order = drafted({ RequestType: 'EraseDevice' })
  const statement = order.statement.replace('"action":"EraseDevice"', '"action":"ProfileList"')
  const digest = orderDigest(statement, trusted).toString('hex')
  await refuses({ ...order, action: 'ProfileList', statement, digest }, /body of another command/)
})

test('a server that calls an erasure harmless is not believed', async () => {
  const order = drafted({ RequestType: 'EraseDevice' })
  await refuses(order, /can do more than that/)
  await checkOrder({ ...order, class: 'destroy' }, genesis)
})

test('the app reads the bodies that the server writes, and no others', () => {
  const command = {
    RequestType: 'InstallProfile',
    Text: `<&>"' ]]> é \u{1f600}`,
    Empty: '',
    List: [1, true, { A: 'b' }, []],
    Payload: Buffer.from('profile'),
  }
  const { template } = encodeTemplate(command)
  const read = JSON.parse(JSON.stringify(readPlist(template))) as { Command: unknown }
  assert.deepEqual(read.Command, { ...command, Payload: { base64: Buffer.from('profile').toString('base64') } })
  const wrap = (inner: string) => Buffer.from(`<plist version="1.0">${inner}</plist>`)
  for (const bad of [
    '<dict><key>a</key><true/><key>a</key><false/></dict>',
    '<dict><key>a</key></dict>',
    '<string>a<!-- b --></string>',
    '<string><![CDATA[a]]></string>',
    '<string>a</string><string>b</string>',
    '<array>'.repeat(100) + '</array>'.repeat(100),
    '<integer>1',
    '',
  ])
    assert.throws(() => readPlist(wrap(bad)), bad)
})
