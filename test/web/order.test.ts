import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { test } from 'node:test'
import { buildBody } from '../../src/console/orders/body.ts'
import { deviceAlias } from '../../src/trust/alias.ts'
import { canonical } from '../../src/trust/canonical.ts'
import { classOf } from '../../src/trust/class.ts'
import { groupDigest, orderDigest, targetsDigest } from '../../src/trust/order.ts'
import type { Trusted } from '../../src/trust/roster.ts'
import { sha256Hex } from '../../src/trust/statement.ts'
import { decodeTemplate, encodeTemplate } from '../../src/trust/template.ts'
import { PROFILE_IDENTIFIER as SERVER_IDENTIFIER } from '../../src/wire/apple/enrolment.ts'
import { encodeBinaryPlist, encodeXmlPlist, type PlistDict } from '../../src/wire/plist/plist.ts'
import { deviceAlias as webAlias } from '../../web/src/alias.ts'
import type { Order } from '../../web/src/api.ts'
import { PROFILE_IDENTIFIER, classOf as webClass } from '../../web/src/class.ts'
import { checkOrder, unchanged } from '../../web/src/order.ts'
import { readPlist, type PlistDict as WebDict } from '../../web/src/plist.ts'
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

test('the class is worked out in the browser: a server that says another one, lower or higher, is not believed', async () => {
  const certificate = profile('com.apple.security.root')
  const order = drafted({ RequestType: 'InstallProfile', Payload: certificate })
  await refuses({ ...order, class: 'change' }, /is called “change” and is “trust”/)
  await refuses({ ...order, class: 'destroy' }, /is called “destroy” and is “trust”/)
  const { seen, class: found } = await checkOrder({ ...order, class: 'trust' }, genesis)
  assert.deepEqual([seen, found], [true, 'trust'])
})

test('the browser and the server give a command the same class', () => {
  const ours = { PayloadIdentifier: PROFILE_IDENTIFIER }
  const commands: PlistDict[] = [
    { RequestType: 'DeviceInformation', Queries: ['{{allowed-queries}}'] },
    { RequestType: 'ClearPasscode', UnlockToken: '{{unlock-token}}' },
    { RequestType: 'RemoveProfile', Identifier: PROFILE_IDENTIFIER },
    { RequestType: 'RemoveProfile', Identifier: 'another' },
    { RequestType: 'InstallProfile', Payload: profile('com.apple.dock') },
    { RequestType: 'InstallProfile', Payload: profile('com.apple.dock', ours) },
    {
      RequestType: 'InstallProfile',
      Payload: profile('com.apple.mobiledevice.passwordpolicy', {}, { maxLength: 2.5 }),
    },
    { RequestType: 'InstallProfile', Payload: profile('com.apple.unheard-of') },
    { RequestType: 'Settings', Settings: [{ Item: 'Bluetooth', Enabled: true }] },
    { RequestType: 'DeclarativeManagement', Data: Buffer.from('{"SyncTokens":{"Timestamp":"a"}}') },
    { RequestType: 'Unheard' },
  ]
  const found = commands.map(command => {
    const { template } = encodeTemplate(command)
    const read = (readPlist(template) as { Command: WebDict }).Command
    const right = classOf(decodeTemplate(template), { mdmProfile: SERVER_IDENTIFIER })
    assert.equal(webClass(read), right, String(command.RequestType))
    return right
  })
  assert.equal(new Set(found).size, 4) // all classes were met
  assert.equal(PROFILE_IDENTIFIER, SERVER_IDENTIFIER)
})

test('what is sealed, or in a form that the page does not read, has no known class, whatever the server says', async () => {
  const hidden = Buffer.from(String(Buffer.from(profile('com.apple.dock'))).replace('<dict>', '<!-- x --><dict>'))
  const binary = encodeBinaryPlist(profileOf('com.apple.dock'))
  for (const payload of [hidden, binary, Buffer.from('signed'), Buffer.concat([profile('com.apple.dock'), hidden])]) {
    const order = { ...drafted({ RequestType: 'InstallProfile', Payload: payload }), class: 'change' as const }
    const { seen, class: found } = await checkOrder(order, genesis)
    assert.deepEqual([seen, found], [false, 'unknown'])
  }
  const sealed = { ...drafted({ RequestType: 'RestartDevice' }), class: 'change' as const, body: null, secret: true }
  const { seen, class: found, command } = await checkOrder(sealed, genesis)
  assert.deepEqual([seen, found, command], [false, 'unknown', undefined])
})

test('a sealed order whose name alone destroys is of that class on the page too', async () => {
  const lock = drafted({ RequestType: 'DeviceLock', PIN: '123456' })
  const sealed = { ...lock, class: 'destroy' as const, body: null, secret: true }
  const { seen, class: found } = await checkOrder(sealed, genesis)
  assert.deepEqual([seen, found], [false, 'destroy'])
})

test('the console writes a profile in plain XML where it was not, so that the page can show it', () => {
  const plain = Buffer.from(profile('com.apple.dock'))
  const payloadOf = (body: Uint8Array) =>
    buildBody({ action: 'InstallProfile', set: [], body: Buffer.from(body).toString('base64') }).command.Payload
  const forms = [
    encodeBinaryPlist(profileOf('com.apple.dock')),
    Buffer.from(String(plain).replace('<dict>', '<!-- a comment --><dict>')),
    Buffer.from(String(plain).replace('com.apple.dock', '<![CDATA[com.apple.dock]]>')),
  ]
  for (const form of forms) assert.deepEqual(Buffer.from(payloadOf(form) as Uint8Array), plain)
  const spaced = Buffer.from(String(plain).replaceAll('<dict>', '<dict>\n\n'))
  for (const form of [spaced, Buffer.from('signed')]) assert.deepEqual(Buffer.from(payloadOf(form) as Uint8Array), form) // byte for byte
})

test('a statement that changed under the same id is refused, until the first one is there again', async () => {
  const order = drafted()
  const first = await checkOrder(order, genesis)
  const statement = order.statement.replace('"nonce":"0', '"nonce":"1')
  const digest = orderDigest(statement, trusted).toString('hex')
  const second = await checkOrder({ ...order, statement, digest }, genesis)
  assert.equal(unchanged(first), first)
  assert.equal(unchanged({ ...first, order: { ...order, approvals: ['ada'] } }).order.approvals.length, 1)
  assert.throws(() => unchanged(second), { code: 'UNPROVEN', message: /no longer the one/ })
  assert.equal(unchanged(first), first)
  assert.ok(unchanged(await checkOrder(drafted(), genesis)))
})

function profileOf(type: string, top: PlistDict = {}, inner: PlistDict = {}): PlistDict {
  const common = (identifier: string) => ({
    PayloadIdentifier: identifier,
    PayloadUUID: '11111111-2222-3333-4444-555555555555',
    PayloadVersion: 1,
  })
  const payload = { PayloadType: type, ...common('test.payload'), ...inner }
  return { PayloadType: 'Configuration', ...common('test.profile'), PayloadContent: [payload], ...top }
}
const profile = (...of: Parameters<typeof profileOf>) => encodeXmlPlist(profileOf(...of))

test('the app reads the bodies that the server writes, and no others', () => {
  assert.equal(readPlist(Buffer.from('<plist><string>a > b</string></plist>\n')), 'a > b')
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
    '<string>a</string></plist><plist><string>b</string>',
    '',
  ])
    assert.throws(() => readPlist(wrap(bad)), bad)
})
