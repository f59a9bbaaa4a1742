import assert from 'node:assert/strict'
import { createHash, generateKeyPairSync, type KeyObject, randomBytes, randomUUID, sign } from 'node:crypto'
import { after, before, beforeEach, test } from 'node:test'
import { scepRequest } from '../../test/support/scep.ts'
import { type TestVault, testVault } from '../../test/support/vault.ts'
import { sealAad } from '../intake/api.ts'
import { canonical } from '../trust/canonical.ts'
import { controlDigest } from '../trust/control.ts'
import { orderLeaf } from '../trust/leaves.ts'
import { orderDigest, targetsDigest } from '../trust/order.ts'
import { sha256Hex } from '../trust/statement.ts'
import { hpkeSeal, rawPublic } from '../wire/hpke.ts'
import { decodeCertificate } from '../wire/pkcs/certificate.ts'
import { encodeSignedData } from '../wire/pkcs/signing.ts'
import { encodeXmlPlist } from '../wire/plist/plist.ts'

type Device = { id: string; path: string; key: KeyObject; certificate: Buffer; sha256: string }
let vault: TestVault
let mac: Device
before(async () => {
  vault = await testVault()
})
beforeEach(async () => {
  mac = await enrol()
})
after(() => vault.close())

async function enrol(): Promise<Device> {
  const { id } = await vault.invite()
  const { path, challenge } = await vault.edge.enrolmentProfile(id)
  return await install(path, challenge)
}

async function install(path: string, challenge: string): Promise<Device> {
  const ca = await vault.edge.caCertificates()
  const key = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
  const request = scepRequest(ca, { challenge, key })
  const certificate = request.open(await vault.edge.scep(path, request.bytes)).issued!
  const id = decodeCertificate(certificate).subjectCommonName!
  return { id, path, key, certificate, sha256: createHash('sha256').update(certificate).digest('hex') }
}

const sealed = (place: 'device.bootstrap' | 'device.unlock', device: string, value: Buffer) =>
  hpkeSeal(rawPublic(vault.keys.seal), value, sealAad(place, device))
const releases = (what: string) => vault.ledger.ofType('release').filter(leaf => leaf.what === what)

const message = (type: string) => Buffer.from(encodeXmlPlist({ MessageType: type, UDID: 'TEST-UDID' }))
function signature(body: Buffer, { key, certificate }: Pick<Device, 'key' | 'certificate'>) {
  const signer = { certificate, digest: 'sha256', sign: (bytes: Buffer) => sign('sha256', bytes, key) } as const
  return encodeSignedData({ content: body, detached: true, certificates: [certificate], signer }).toString('base64')
}
const ask = ({ path, id: device }: Device, body: Buffer, by: Device) =>
  vault.edge.bootstrapToken({ path, device, signature: signature(body, by) }, body)
async function keepBootstrapToken(device: string) {
  const token = randomBytes(32)
  await vault.owner.query('insert into vault.bootstrap_token (device_id, sealed) values ($1, $2)', [
    device,
    sealed('device.bootstrap', device, token),
  ])
  return token
}

test('a Mac gets its bootstrap token for a GetBootstrapToken that it signed, and that is logged first', async () => {
  const token = await keepBootstrapToken(mac.id)
  const body = message('GetBootstrapToken')
  assert.deepEqual(await ask(mac, body, mac), token)
  assert.equal(releases('bootstrap').at(-1)!.device, mac.id)
  vault.ledger.away = true
  await assert.rejects(ask(mac, body, mac), { code: 'UNAVAILABLE' })
  vault.ledger.away = false
})

test('a Mac whose token was never kept gets none', async () => {
  const body = message('GetBootstrapToken')
  assert.equal(await ask(mac, body, mac), null)
})

test('another message, body, key, path or certificate opens no bootstrap token', async () => {
  await keepBootstrapToken(mac.id)
  const logged = releases('bootstrap').length
  const body = message('GetBootstrapToken')
  const other = await enrol()
  const stolen = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
  const refused = ({ path, id: device }: Pick<Device, 'id' | 'path'>, signature: string, bytes: Buffer) =>
    assert.rejects(vault.edge.bootstrapToken({ path, device, signature }, bytes), { code: 'UNPROVEN' })
  const update = message('TokenUpdate')
  await refused(mac, signature(update, mac), update)
  await refused(mac, signature(update, mac), body)
  await refused(mac, signature(body, { key: stolen, certificate: mac.certificate }), body)
  await refused(other, signature(body, mac), body)
  await refused({ id: other.id, path: mac.path }, signature(body, mac), body)
  await refused({ id: mac.id, path: other.path }, signature(body, mac), body)
  await vault.owner.query(`update vault.certificate set device_id = $1 where device_id = $2`, [mac.id, other.id])
  await refused({ id: mac.id, path: other.path }, signature(body, other), body)
  assert.equal(releases('bootstrap').length, logged)
})

test('a message that was recorded on a profile that two Macs share opens no token for the other one', async () => {
  const { id } = await vault.invite()
  const { path, challenge } = await vault.edge.enrolmentProfile(id)
  const [one, other] = [await install(path, challenge), await install(path, challenge)]
  const token = await keepBootstrapToken(other.id)
  const body = message('GetBootstrapToken')
  await assert.rejects(ask(one, body, other), { code: 'UNPROVEN' })
  await vault.owner.query(
    `insert into vault.certificate (sha256, device_id, path_id, serial, voucher, signature, not_after, issued_at)
     select sha256(n::text::bytea), $1, $2, '', '', '', now(), now() + interval '1 hour' from generate_series(1, 200) n`,
    [one.id, path],
  )
  assert.deepEqual(await ask(other, body, other), token) // however many newer certificates the first one has
})

test('one recorded message fills no ledger: ten releases an hour for each Mac', async () => {
  const token = await keepBootstrapToken(mac.id)
  const body = message('GetBootstrapToken')
  vault.time.shift = 3600 - (vault.clock() % 3600)
  const answers = await Promise.allSettled(Array.from({ length: 30 }, () => ask(mac, body, mac)))
  const codes = answers.map(answer => (answer.status === 'rejected' ? answer.reason.code : 'released'))
  assert.deepEqual(Map.groupBy(codes, code => code).get('released')?.length, 10)
  assert.deepEqual(new Set(codes), new Set(['released', 'REFUSED']))
  assert.equal(releases('bootstrap').filter(({ device }) => device === mac.id).length, 10)
  const other = await enrol()
  await keepBootstrapToken(other.id)
  assert.ok(await ask(other, body, other))
  vault.time.shift += 3600
  assert.deepEqual(await ask(mac, body, mac), token)
  vault.time.shift = 0
})

test('intake that calls another signed message a GetBootstrapToken is not believed', async () => {
  await keepBootstrapToken(mac.id)
  const update = message('TokenUpdate')
  const { ask: honest } = vault.intake
  vault.intake.ask = async (method, params, bytes) => {
    const answer = (await honest(method, params, bytes)) as { message?: unknown }
    answer.message = { type: 'GetBootstrapToken' }
    return answer as never
  }
  try {
    await assert.rejects(ask(mac, update, mac), { code: 'UNPROVEN' })
  } finally {
    vault.intake.ask = honest
  }
})

type OrderFields = {
  action?: string
  targets?: string[]
  expiresAt?: number
  holes?: string[]
  approvals?: number
  logged?: boolean
}
async function order({ targets = [mac.id], approvals = 2, logged = true, ...fields }: OrderFields = {}) {
  const { owner, approver, trusted } = vault.roster
  const id = randomUUID()
  const statement = canonical({
    type: 'bulkhead-order/v1',
    id,
    platform: 'apple',
    action: 'ClearPasscode',
    channel: 'device',
    body: '0'.repeat(64),
    holes: ['command-uuid', 'unlock-token'],
    targets: { digest: targetsDigest(targets), count: targets.length },
    notBefore: vault.clock() - 10,
    expiresAt: vault.clock() + 600,
    nonce: randomBytes(16).toString('hex'),
    reason: '0'.repeat(64),
    ...fields,
  })
  await vault.owner.query(
    `insert into console.orders (order_id, statement, body, targets, class, state, reason_salt, reason, created_by)
     values ($1, $2, '', $3, 'destroy', 'approved', '', '', 'local')`,
    [id, statement, targets],
  )
  for (const member of [owner, approver].slice(0, approvals))
    await vault.owner.query('insert into console.approval (order_id, member_id, approval) values ($1, $2, $3)', [
      id,
      member.id,
      member.approve(orderDigest(statement, trusted)),
    ])
  if (logged) {
    const digest = orderDigest(statement, trusted).toString('hex')
    const leaf = canonical(orderLeaf({ order: id, kind: 'order', class: 'destroy', digest }))
    await vault.ledger.append({ entries: [{ entry: leaf }] })
  }
  return id
}
async function keepUnlockToken(device: string, of = device) {
  const token = randomBytes(64)
  await vault.owner.query(
    `insert into edge.device (device_id, platform, tier, unit_id, state, enrolled_at, last_seen, not_after, unlock_token)
     values ($1, 'apple', 'full', $2, 'enrolled', now(), now(), now(), $3)`,
    [device, vault.roster.unit, sealed('device.unlock', of, token)],
  )
  return token
}

test('an unlock token is opened for a ClearPasscode order that two members approved, and logged once for each device', async () => {
  const token = await keepUnlockToken(mac.id)
  const id = await order()
  assert.deepEqual(await vault.edge.unlockToken(id, mac.sha256), token)
  assert.deepEqual(await vault.edge.unlockToken(id, mac.sha256), token)
  assert.equal(releases('unlock').filter(leaf => leaf.order === id).length, 1)
})

test('no unlock token leaves without approvals, for another action, device or time, or before it is logged', async () => {
  await keepUnlockToken(mac.id)
  const refused = async (fields: OrderFields, code: string) =>
    assert.rejects(vault.edge.unlockToken(await order(fields), mac.sha256), { code }, JSON.stringify(fields))
  const logged = releases('unlock').length
  await refused({ approvals: 1 }, 'UNPROVEN')
  await refused({ logged: false }, 'UNPROVEN')
  await refused({ action: 'DeviceLock' }, 'REFUSED')
  await refused({ holes: ['command-uuid'] }, 'REFUSED')
  await refused({ expiresAt: vault.clock() - 1 }, 'EXPIRED')
  await refused({ targets: [randomUUID()] }, 'REFUSED')
  const id = await order({ targets: [randomUUID()] })
  await vault.owner.query('update console.orders set targets = $2 where order_id = $1', [id, [mac.id]])
  await assert.rejects(vault.edge.unlockToken(id, mac.sha256), { code: 'UNPROVEN' })
  await assert.rejects(vault.edge.unlockToken(randomUUID(), mac.sha256), { code: 'NOT_FOUND' })
  const right = await order()
  vault.ledger.away = true
  await assert.rejects(vault.edge.unlockToken(right, mac.sha256), { code: 'UNAVAILABLE' })
  vault.ledger.away = false
  assert.equal(releases('unlock').length, logged)
})

test('an order that the control log cancelled opens no unlock token', async () => {
  await keepUnlockToken(mac.id)
  const id = await order()
  const { control } = vault.control
  const { owner, trusted } = vault.roster
  const at = vault.clock()
  const statement = canonical({ type: 'bulkhead-cancel/v1', order: id, at, nonce: randomBytes(16).toString('hex') })
  const approvals = [owner.approve(controlDigest('cancel', statement, trusted))]
  const unique = `cancel:${sha256Hex(statement).slice(0, 32)}`
  assert.equal(control.apply(canonical({ type: 'cancel', unique, at, statement, approvals })), undefined)
  await assert.rejects(vault.edge.unlockToken(id, mac.sha256), { code: 'REFUSED' })
})

test('while frozen, or while nobody knows whether, the vault gives a device nothing', async () => {
  await keepUnlockToken(mac.id)
  const id = await order()
  const { id: invitation } = await vault.invite()
  const { path, challenge } = await vault.edge.enrolmentProfile(invitation)
  const request = scepRequest(await vault.edge.caCertificates(), { challenge, key: mac.key })
  const body = message('GetBootstrapToken')
  const asks = {
    profile: () => vault.edge.enrolmentProfile(invitation),
    renewal: () => vault.edge.renewalProfile(mac.sha256),
    certificate: () => vault.edge.scep(path, request.bytes),
    bootstrap: () => ask(mac, body, mac),
    unlock: () => vault.edge.unlockToken(id, mac.sha256),
  }
  const logged = vault.ledger.entries.length
  for (const change of [{ frozen: { index: 3, at: 1, by: 'somebody' } }, { fresh: false }, { synced: false }]) {
    Object.assign(vault.standing, change)
    for (const [name, run] of Object.entries(asks)) await assert.rejects(run(), { code: 'UNAVAILABLE' }, name)
    Object.assign(vault.standing, { frozen: undefined, fresh: true, synced: true })
  }
  assert.equal(vault.ledger.entries.length, logged)
  assert.ok((await vault.edge.scep(path, request.bytes)).length > 0, 'and then it goes on')
})

test('the unlock token of one device, put into the row of another, does not open there', async () => {
  await keepUnlockToken(mac.id, randomUUID())
  await assert.rejects(vault.edge.unlockToken(await order(), mac.sha256), { code: 'UNPROVEN' })
})
