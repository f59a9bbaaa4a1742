import assert from 'node:assert/strict'
import { generateKeyPairSync, randomBytes, randomUUID, sign } from 'node:crypto'
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { type ApnsReceiver, apnsReceiver } from '../../test/support/apns.ts'
import { type TestVault, testVault } from '../../test/support/vault.ts'
import { sealAad } from '../intake/api.ts'
import { canonical } from '../trust/canonical.ts'
import { accountDigest, pushDigest } from '../trust/push.ts'
import { sha256Hex } from '../trust/statement.ts'
import { hpkeSeal, rawPublic } from '../wire/hpke.ts'
import { encodeName, issueCertificate } from '../wire/pkcs/certificate.ts'
import { decodeRequest } from '../wire/pkcs/request.ts'
import { fromPem, toPem } from './pem.ts'
import { decideWake, settleWake } from './push.ts'

let apns: ApnsReceiver
let vault: TestVault
before(async () => {
  apns = await apnsReceiver()
  vault = await testVault({ apns: { url: apns.url, ca: apns.ca } })
})
after(async () => {
  await vault.close()
  await apns.close()
})

type Made = { device: string; token: string; magic: string }
/** A device that told how to be woken, and is due. */
async function device(fields: { waiting?: boolean; place?: 'device.push' | 'user.push' } = {}): Promise<Made> {
  const made = { device: randomUUID(), token: randomBytes(32).toString('hex'), magic: randomUUID() }
  const address = JSON.stringify({ token: Buffer.from(made.token, 'hex').toString('base64'), magic: made.magic })
  const aad = sealAad(fields.place ?? 'device.push', made.device)
  const sealed = hpkeSeal(rawPublic(vault.keys.seal), Buffer.from(address), aad)
  await vault.owner.query(
    `insert into edge.device (device_id, platform, tier, unit_id, state, enrolled_at, last_seen, not_after, push)
     values ($1, 'apple', 'full', $2, 'enrolled', now(), now() - interval '1 minute', now() + interval '1 year', $3)`,
    [made.device, vault.roster.unit, sealed],
  )
  if (fields.waiting ?? true)
    await vault.owner.query(
      `insert into edge.pending (device_id, order_id, command_uuid, expires_at) values ($1, $2, $3, now() + interval '1 day')`,
      [made.device, randomUUID(), randomUUID()],
    )
  await vault.owner.query('insert into edge.wake (device_id) values ($1)', [made.device])
  return made
}
const wake = () => vault.edge.wake()
const row = async ({ device }: Made) =>
  (
    await vault.owner.query(
      'select *, extract(epoch from due - now())::float8 as seconds from edge.wake where device_id = $1',
      [device],
    )
  ).rows[0]
async function until<T>(what: () => T | Promise<T>, limit = 5000): Promise<NonNullable<Awaited<T>>> {
  for (const end = Date.now() + limit; Date.now() < end; await sleep(20)) {
    const value = await what()
    if (value) return value
  }
  throw new Error('It did not happen in time.')
}
test('while frozen nobody is woken, and with the thaw everybody for whom something waits', async t => {
  t.after(() => Object.assign(vault.standing, { frozen: undefined }))
  vault.standing.frozen = { index: 1, at: 1, by: 'somebody' }
  const [one, later] = [await device(), await device()]
  await vault.owner.query("update edge.wake set due = now() + interval '1 day', attempts = 5 where device_id = $1", [
    later.device,
  ])
  await wake()
  await sleep(1_500) // more than one turn of the loop
  assert.equal(apns.kept.get(one.token), undefined)
  vault.standing.frozen = undefined
  await until(() => apns.kept.get(one.token))
  await until(() => apns.kept.get(later.token))
})

const due = (one: Made) => vault.owner.query('update edge.wake set due = now() where device_id = $1', [one.device])

test('a device that is due is woken once, with its own token and magic, and later again', async () => {
  const one = await device()
  await wake()
  const push = await until(() => apns.kept.get(one.token))
  assert.equal(push.magic, one.magic)
  assert.equal(push.headers['apns-push-type'], 'mdm')
  assert.equal(push.headers['apns-priority'], '10')
  assert.match(push.topic, /^com\.apple\.mgmt\.External\.[0-9a-f-]{36}$/)
  assert.ok(Math.abs(Number(push.headers['apns-expiration']) - Date.now() / 1000 - 7 * 86_400) < 60)
  const after = await until(async () => (await row(one))?.attempts === 1 && (await row(one)))
  assert.ok(after.seconds > 20 && after.seconds <= 30)
  await due(one)
  const again = await until(async () => (await row(one)).attempts === 2 && (await row(one)))
  assert.ok(again.seconds > 100 && again.seconds <= 120)
})

test('a device that came and has nothing left to fetch is not woken any more', async () => {
  const one = await device({ waiting: false })
  await wake()
  await until(async () => (await row(one))?.attempts === 1)
  await vault.owner.query('update edge.device set last_seen = now() where device_id = $1', [one.device])
  await due(one)
  await until(async () => (await row(one)) === undefined)
  assert.equal(apns.received.filter(({ token }) => token === one.token).length, 1)
})

test('a token that APNs calls dead is marked, and not tried again', async () => {
  for (const behaviour of ['unregistered', 'bad-token'] as const) {
    const one = await device()
    apns.behave(behaviour, { token: one.token })
    await wake()
    await until(async () => (await row(one))?.gone)
  }
})

test('an address that was sealed for another place wakes nobody', async () => {
  const one = await device({ place: 'user.push' })
  await wake()
  await until(async () => (await row(one))?.gone)
  assert.equal(apns.kept.get(one.token), undefined)
})

test('when APNs asks for patience or breaks, the device stays due for later', async () => {
  for (const behaviour of ['slow-down', 'broken'] as const) {
    const one = await device()
    apns.behave(behaviour, { token: one.token, times: 1 })
    await wake()
    const waiting = await until(async () => (await row(one)).seconds > 1 && (await row(one)))
    assert.equal(waiting.attempts, 0)
    await due(one)
    await until(() => apns.kept.get(one.token))
  }
})

test('after a connection that was hung up the push is sent over a new one', async () => {
  const one = await device()
  const before = apns.connections()
  apns.behave('hang-up', { token: one.token, times: 1 })
  await wake()
  await until(() => apns.kept.get(one.token))
  assert.ok(apns.connections() > before)
})

test('work that is queued while a push is under way wakes the device again', () => {
  const base = { device: randomUUID(), channel: '', due: '2026-01-01 00:00:00+00', at: '2026-01-01 00:00:01+00' }
  const settled = settleWake({ ...base, attempts: 0, push: Buffer.alloc(1), came: false, waiting: true }, 'sent')
  assert.equal(settled!.due, base.due) // the update is for the row with this time only
  assert.equal(
    settleWake({ ...base, attempts: 9, push: Buffer.alloc(1), came: false, waiting: true }, 'sent')!.next!.afterSeconds,
    86_400,
  )
})

test('a device is forgotten only when it cannot be woken or has no reason to come', () => {
  const push = Buffer.alloc(1)
  assert.equal(decideWake({ push: null, came: false, waiting: true, attempts: 0 }), 'forget')
  assert.equal(decideWake({ push, came: true, waiting: true, attempts: 9 }), 'push')
  assert.equal(decideWake({ push, came: true, waiting: false, attempts: 1 }), 'forget')
  assert.equal(decideWake({ push, came: false, waiting: false, attempts: 1 }), 'push')
  assert.equal(decideWake({ push, came: false, waiting: false, attempts: 6 }), 'forget')
})

const account = 'mdm@example.test'
const topic = 'com.apple.mgmt.External.11111111-2222-3333-4444-555555555555'
function pushCertificate(spki: Buffer, uid: string | undefined, end = Date.now() + 86_400_000) {
  const issuer = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const der = issueCertificate(
    {
      serial: randomBytes(8),
      issuer: encodeName({ CN: 'Push CA' }),
      subject: encodeName({ ...(uid === undefined ? {} : { UID: uid }), CN: 'APSP' }),
      notBefore: new Date(Date.now() - 200_000_000),
      notAfter: new Date(end),
      spki,
      keyUsage: ['digitalSignature'],
      signature: 'ecdsa-sha256',
    },
    bytes => sign('sha256', bytes, issuer.privateKey),
  )
  return toPem('CERTIFICATE', der)
}

/** What a member's command line sends for a certificate; `fields` change the statement before it is approved. */
function approved(certificate: string, fields: Record<string, unknown> = {}, by = vault.roster.operator) {
  const nonce = randomBytes(16).toString('hex')
  const statement = canonical({
    type: 'bulkhead-push-certificate/v1',
    certificate: sha256Hex(certificate.startsWith('-----') ? fromPem('CERTIFICATE', certificate) : certificate),
    topic,
    account: accountDigest(nonce, account),
    at: vault.clock(),
    nonce,
    ...fields,
  })
  return { certificate, account, statement, approval: by.approve(pushDigest(statement, vault.roster.trusted)) }
}
const keyOfRequest = async () => {
  const { csr } = await vault.console.pushCsr('Example')
  return decodeRequest(Buffer.from(csr.replace(/-----[A-Z ]+-----|\s/g, ''), 'base64')).spki
}

test('a push certificate is stored only with an approval of this very one, by an owner or operator, of this hour', async () => {
  const certificate = pushCertificate(await keyOfRequest(), topic)
  const other = pushCertificate(await keyOfRequest(), topic)
  const right = approved(certificate)
  const { operator, approver } = vault.roster
  const refused: [Parameters<typeof vault.console.pushImport>[0], string][] = [
    [{ ...right, certificate: other }, 'UNPROVEN'], // a bogus one of the same topic
    [{ ...right, account: 'another@example.test' }, 'UNPROVEN'],
    [approved(certificate, { topic: `${topic}9` }), 'UNPROVEN'],
    [approved(certificate, {}, approver), 'UNPROVEN'],
    [{ ...right, approval: operator.approve(randomBytes(32)) }, 'UNPROVEN'],
    [{ ...right, statement: approved(certificate).statement }, 'UNPROVEN'],
    [approved(certificate, { at: vault.clock() - 3_601 }), 'EXPIRED'],
    [approved(certificate, { at: vault.clock() + 600 }), 'EXPIRED'],
    [approved(certificate, { type: 'bulkhead-order/v1' }), 'MALFORMED'],
  ]
  for (const [asked, code] of refused) await assert.rejects(vault.console.pushImport(asked), { code })
  const unsigned = { certificate, account } as typeof right
  await assert.rejects(vault.console.pushImport(unsigned), { code: 'MALFORMED' })
  assert.equal((await vault.console.pushShow()).placeholder, true)
  vault.ledger.away = true
  await assert.rejects(vault.console.pushImport(right), { code: 'UNAVAILABLE' })
  vault.ledger.away = false
  assert.equal((await vault.console.pushShow()).placeholder, true)
  assert.deepEqual(vault.ledger.ofType('push'), [])
})

test("a push certificate is taken only for a key of ours, with a topic, and in time; its files are the owner's alone", async () => {
  const spki = await keyOfRequest()
  const foreign = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey
  const put = (certificate: string) => vault.console.pushImport(approved(certificate))
  await assert.rejects(put(pushCertificate(spki, undefined)), { code: 'BAD_REQUEST' })
  await assert.rejects(put(pushCertificate(spki, topic, Date.now() - 1000)), { code: 'EXPIRED' })
  await assert.rejects(put('hello'), { code: 'MALFORMED' })
  const other = foreign.export({ format: 'der', type: 'spki' })
  await assert.rejects(put(pushCertificate(other, topic)), { code: 'CONFLICT' })
  assert.equal((await vault.console.pushShow()).placeholder, true)
  const state = await put(pushCertificate(spki, topic))
  assert.deepEqual([state.topic, state.placeholder, state.account], [topic, false, account])
  assert.equal(statSync(join(vault.dataDir, 'push.json')).mode & 0o777, 0o600)
  await vault.restart()
  assert.equal((await vault.console.pushShow()).topic, topic)
  const one = await device()
  await wake()
  assert.equal((await until(() => apns.kept.get(one.token))).topic, topic)
})

test('an approval that was used cannot bring its certificate back once a newer one stands', async () => {
  const before = vault.ledger.ofType('push').length
  const [first, second] = [approved(pushCertificate(await keyOfRequest(), topic)), await keyOfRequest()]
  await vault.console.pushImport(first)
  assert.equal((await vault.console.pushImport(first)).topic, topic) // the same again changes nothing
  vault.time.shift = 10
  await vault.console.pushImport(approved(pushCertificate(second, topic)))
  await vault.restart()
  await assert.rejects(vault.console.pushImport(first), { code: 'CONFLICT' })
  vault.time.shift = 0
  const leaves = vault.ledger.ofType('push')
  assert.equal(leaves.length, before + 2)
  assert.equal(JSON.stringify(leaves).includes('example.test'), false)
})
