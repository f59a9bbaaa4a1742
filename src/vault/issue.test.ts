import assert from 'node:assert/strict'
import { createHash, generateKeyPairSync, X509Certificate } from 'node:crypto'
import { after, before, test } from 'node:test'
import { scepRequest, spkiOf, testKey, throwAway } from '../../test/support/scep.ts'
import { type TestVault, testVault } from '../../test/support/vault.ts'
import type { ScepFound } from '../intake/api.ts'
import { verifyVoucher } from '../trust/voucher.ts'
import { encodeChallenge } from './challenge.ts'

let vault: TestVault
let ca: Buffer
before(async () => {
  vault = await testVault()
  ca = await vault.edge.caCertificates()
})
after(() => vault.close())

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
const freshKey = () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
async function ask(path: string, fields: Parameters<typeof scepRequest>[1]) {
  const request = scepRequest(ca, fields)
  return request.open(await vault.edge.scep(path, request.bytes))
}
async function voucherOf(certificate: Buffer) {
  const sha = sha256(certificate)
  const { rows } = await vault.owner.query(
    `select voucher, signature from vault.certificate where sha256 = decode($1, 'hex')`,
    [sha],
  )
  return verifyVoucher(rows[0].voucher, rows[0].signature, sha, vault.roster.trusted)
}
const leavesOf = (invitation: string) => vault.ledger.ofType('consumed').filter(leaf => leaf.invitation === invitation)

test('a device with an invitation gets a certificate and a voucher that says what was approved', async () => {
  const { id } = await vault.invite({ tier: 'no-wipe' })
  const { path, challenge } = await vault.edge.enrolmentProfile(id)
  const { status, issued } = await ask(path, { challenge })
  assert.equal(status, 'SUCCESS')
  const certificate = new X509Certificate(issued!)
  assert.ok(certificate.verify(new X509Certificate(vault.keys.ca.certificate.der).publicKey))
  assert.equal(certificate.subject, `CN=${path}`)
  const voucher = await voucherOf(issued!)
  assert.deepEqual(
    [voucher.device, voucher.path, voucher.tier, voucher.invitation, voucher.previous, voucher.unit],
    [path, path, 'no-wipe', id, '', vault.roster.unit],
  )
  assert.equal(voucher.publicKey, spkiOf(testKey('device')).toString('base64'))
  assert.equal(leavesOf(id).length, 1)
  assert.equal(vault.ledger.ofType('certificate').at(-1)!.certificate, sha256(issued!))
})

test('old clients are served: SHA-1 signatures, DES and triple DES content', async () => {
  const { id } = await vault.invite()
  for (const contentAlgorithm of ['des-cbc', 'des-ede3-cbc', 'aes-256-cbc'] as const) {
    const { path, challenge } = await vault.edge.enrolmentProfile(id)
    const answer = await ask(path, { challenge, contentAlgorithm, digest: 'sha1', key: freshKey() })
    assert.equal(answer.status, 'SUCCESS', contentAlgorithm)
  }
})

test('a request that is sent again, also at the same time or after a restart, gets the same certificate and uses nothing up', async () => {
  const { id } = await vault.invite()
  const { path, challenge } = await vault.edge.enrolmentProfile(id)
  const first = scepRequest(ca, { challenge, key: freshKey() })
  const again = () => scepRequest(ca, { challenge, request: first.request })
  const requests = [first, again(), again()]
  const answers = await Promise.all(
    requests.map(async request => request.open(await vault.edge.scep(path, request.bytes))),
  )
  await vault.restart()
  const late = again()
  answers.push(late.open(await vault.edge.scep(path, late.bytes)))
  assert.deepEqual(new Set(answers.map(({ issued }) => sha256(issued!))).size, 1)
  assert.equal(leavesOf(id).length, 1)
  assert.equal((await vault.edge.invitationPage(id)).usesLeft, 9)
})

test('a device that enrols faster than the roster lets is asked to come again, is told of, and loses no use', async () => {
  const { id } = await vault.invite({ uses: 2 })
  const { path, challenge } = await vault.edge.enrolmentProfile(id)
  const first = scepRequest(ca, { challenge, key: freshKey() })
  vault.ledger.full = true
  await assert.rejects(vault.edge.scep(path, first.bytes), { code: 'UNAVAILABLE', message: /Enough have enrolled/ })
  vault.ledger.full = false
  assert.equal(vault.traces.at(-1)?.code, 'enrolment-budget')
  assert.equal((await vault.edge.invitationPage(id)).usesLeft, 2)
  assert.equal(first.open(await vault.edge.scep(path, first.bytes)).status, 'SUCCESS')
  assert.equal((await ask(path, { challenge, key: freshKey() })).status, 'SUCCESS')
  assert.deepEqual(
    leavesOf(id).map(({ n }) => n),
    [1, 2],
  )
})

test('a hundred devices that race for seven uses get seven certificates', async () => {
  const { id } = await vault.invite({ uses: 7 })
  const { path, challenge } = await vault.edge.enrolmentProfile(id)
  const requests = Array.from({ length: 100 }, () => scepRequest(ca, { challenge, key: freshKey() }))
  const answers = await Promise.all(requests.map(async one => one.open(await vault.edge.scep(path, one.bytes))))
  const issued = answers.filter(({ status }) => status === 'SUCCESS')
  assert.equal(issued.length, 7)
  assert.ok(answers.every(({ status, failInfo }) => status === 'SUCCESS' || failInfo === 'badRequest'))
  assert.equal(leavesOf(id).length, 7)
  const vouchers = await Promise.all(issued.map(one => voucherOf(one.issued!)))
  assert.equal(new Set(vouchers.map(({ device }) => device)).size, 7)
  assert.equal(vouchers.filter(({ device }) => device === path).length, 1)
  assert.equal((await vault.edge.invitationPage(id)).state, 'used-up')
  await assert.rejects(vault.edge.enrolmentProfile(id), { code: 'CONFLICT' })
})

test('rows that somebody deletes give no use back', async () => {
  const { id } = await vault.invite({ uses: 1 })
  const { path, challenge } = await vault.edge.enrolmentProfile(id)
  assert.equal((await ask(path, { challenge, key: freshKey() })).status, 'SUCCESS')
  await vault.owner.query('delete from vault.certificate where path_id = $1', [path])
  await vault.restart()
  assert.equal((await ask(path, { challenge, key: freshKey() })).failInfo, 'badRequest')
})

test('a ledger that is away stops a certificate, and the use is not lost', async () => {
  const { id } = await vault.invite({ uses: 1 })
  const { path, challenge } = await vault.edge.enrolmentProfile(id)
  const request = scepRequest(ca, { challenge, key: freshKey() })
  vault.ledger.away = true
  await assert.rejects(vault.edge.scep(path, request.bytes), { code: 'UNAVAILABLE' })
  vault.ledger.away = false
  assert.equal(request.open(await vault.edge.scep(path, request.bytes)).status, 'SUCCESS')
})

test('a challenge counts only as it was given: its path, its time, its bytes', async () => {
  const { id } = await vault.invite()
  const { path, challenge } = await vault.edge.enrolmentProfile(id)
  const other = await vault.edge.enrolmentProfile(id)
  assert.equal((await ask(other.path, { challenge })).failInfo, 'badRequest')
  assert.equal((await ask(path, {})).failInfo, 'badRequest')
  const changed = Buffer.from(challenge, 'base64url')
  changed[20]! ^= 1
  assert.equal((await ask(path, { challenge: changed.toString('base64url') })).failInfo, 'badRequest')
  const key = Buffer.alloc(32, 7)
  const forged = encodeChallenge({ kind: 'enrolment', invitation: id, path, expiresAt: vault.clock() + 100 }, key)
  assert.equal((await ask(path, { challenge: forged })).failInfo, 'badRequest')
  vault.time.shift = 2 * 86_400
  assert.equal((await ask(path, { challenge })).failInfo, 'badTime')
  vault.time.shift = 0
  assert.equal(leavesOf(id).length, 0)
})

test('keys that are too weak, too large or of a kind that gets no certificate are refused', async () => {
  const { id } = await vault.invite()
  const { path, challenge } = await vault.edge.enrolmentProfile(id)
  assert.equal((await ask(path, { challenge, key: testKey('weak', 1024) })).failInfo, 'badAlg')
  assert.equal(leavesOf(id).length, 0)
})

test('a request whose own signature, or whose message, does not hold is refused', async () => {
  const { id } = await vault.invite()
  const { path, challenge } = await vault.edge.enrolmentProfile(id)
  const broken = Buffer.from(scepRequest(ca, { challenge, key: testKey('device') }).request)
  broken[broken.length - 3]! ^= 1
  const inner = scepRequest(ca, { request: broken })
  assert.equal(inner.open(await vault.edge.scep(path, inner.bytes)).failInfo, 'badMessageCheck')
  const outer = scepRequest(ca, { challenge })
  const wrong = Buffer.from(outer.bytes)
  wrong[wrong.length - 3]! ^= 1
  assert.equal(outer.open(await vault.edge.scep(path, wrong)).failInfo, 'badMessageCheck')
  await assert.rejects(vault.edge.scep(path, Buffer.from('no CMS')), { code: 'MALFORMED' })
  assert.equal(leavesOf(id).length, 0)
})

test('intake that puts another request in the place of the one that was sent gets nothing', async () => {
  const { id } = await vault.invite()
  const { path, challenge } = await vault.edge.enrolmentProfile(id)
  const { ask: honest } = vault.intake
  const own = scepRequest(ca, { challenge, key: freshKey() }).request
  vault.intake.ask = (method, params, bytes) => honest(method, params, method === 'request' ? own : bytes)
  try {
    assert.equal((await ask(path, { challenge })).failInfo, 'badMessageCheck')
  } finally {
    vault.intake.ask = honest
  }
})

async function enrolled() {
  const { id } = await vault.invite()
  const { path, challenge } = await vault.edge.enrolmentProfile(id)
  const key = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
  const { issued } = await ask(path, { challenge, key })
  return { id, path, key, certificate: issued! }
}

test('a device renews by a profile made for it: same device, rights and URLs, and no use', async () => {
  const { id, path, certificate } = await enrolled()
  const profile = await vault.edge.renewalProfile(sha256(certificate))
  assert.equal(profile.path, path)
  const { issued } = await ask(path, { challenge: profile.challenge, key: freshKey() })
  const [old, fresh] = [await voucherOf(certificate), await voucherOf(issued!)]
  assert.equal(fresh.previous, old.certificate)
  const { certificate: _, publicKey: _key, notAfter: _end, previous: _previous, ...kept } = fresh
  for (const [name, value] of Object.entries(kept)) assert.deepEqual(value, old[name as keyof typeof old], name)
  assert.equal(leavesOf(id).length, 1)
})

test('a device renews by a RenewalReq signed with its certificate; another signer or path does not do', async () => {
  const one = await enrolled()
  const other = await enrolled()
  const signer = { key: one.key, certificate: one.certificate }
  const renewed = await ask(one.path, { messageType: 'RenewalReq', signer, key: freshKey() })
  assert.equal((await voucherOf(renewed.issued!)).device, one.path)
  const refused = async (path: string, by: typeof signer) =>
    (await ask(path, { messageType: 'RenewalReq', signer: by, key: freshKey() })).failInfo
  assert.equal(await refused(other.path, signer), 'badRequest')
  assert.equal(await refused(one.path, { key: one.key, certificate: throwAway(one.key) }), 'badRequest')
  await vault.owner.query(`update vault.certificate set state = 'revoked' where path_id = $1`, [one.path])
  assert.equal(await refused(one.path, signer), 'badRequest')
})

test('intake that names a victim’s certificate for a message of its own gets no identity of the victim', async () => {
  const { path, certificate } = await enrolled()
  const { ask: honest } = vault.intake
  vault.intake.ask = async (method, params, bytes) => {
    const answer = await honest(method, params, bytes)
    if (method === 'scep') (answer as ScepFound).signer.certificate = sha256(certificate)
    return answer
  }
  try {
    assert.equal((await ask(path, { messageType: 'RenewalReq', key: freshKey() })).failInfo, 'badMessageCheck')
  } finally {
    vault.intake.ask = honest
  }
})

test('a device renews five times in seven days, by whatever way and however many at once, and others are not held up', async () => {
  const one = await enrolled()
  const signer = { key: one.key, certificate: one.certificate }
  const renewal = () => ({ messageType: 'RenewalReq', signer, key: freshKey() }) as const
  const last = scepRequest(ca, renewal())
  const first = last.open(await vault.edge.scep(one.path, last.bytes)).issued!
  const { challenge } = await vault.edge.renewalProfile(sha256(first))
  const asked = [
    ...Array.from({ length: 20 }, renewal),
    ...Array.from({ length: 20 }, () => ({ challenge, key: freshKey() })),
  ]
  const answers = await Promise.all(asked.map(fields => ask(one.path, fields)))
  assert.equal(answers.filter(({ issued }) => issued).length, 4)
  assert.ok(answers.every(({ status, failInfo }) => status === 'SUCCESS' || failInfo === 'badRequest'))
  assert.equal(vault.ledger.ofType('certificate').filter(({ device }) => device === one.path).length, 6)
  await vault.restart()
  assert.equal((await ask(one.path, renewal())).failInfo, 'badRequest')
  assert.deepEqual(last.open(await vault.edge.scep(one.path, last.bytes)).issued, first)
  const other = await enrolled()
  assert.ok((await ask(other.path, { ...renewal(), signer: other })).issued)
  await vault.owner.query(`update vault.certificate set issued_at = issued_at - interval '7 days' where path_id = $1`, [
    one.path,
  ])
  assert.ok((await ask(one.path, renewal())).issued)
})

test('a message whose padding does not hold makes the same way through intake as any other, and whatever intake says is refused', async () => {
  const { id } = await vault.invite()
  const { path, challenge } = await vault.edge.enrolmentProfile(id)
  const { ask: honest } = vault.intake
  const asked: Uint8Array[] = []
  const { request } = scepRequest(ca, { challenge, key: freshKey() })
  vault.intake.ask = async (method, params, bytes) => {
    if (method === 'request') asked.push(bytes)
    const answer = await honest(method, params, method === 'request' ? request : bytes)
    if (method !== 'scep') return answer
    const content = Buffer.from((answer as ScepFound).encryptedContent, 'base64')
    content[content.length - 17]! ^= 0x80 // the length of the padding, one block later
    return { ...answer, encryptedContent: content.toString('base64') }
  }
  try {
    assert.equal((await ask(path, { request })).failInfo, 'badMessageCheck')
    assert.equal(asked.length, 1)
    assert.ok(asked[0]!.length >= request.length && asked[0]!.length <= request.length + 16)
    assert.ok(!Buffer.from(asked[0]!).includes(request.subarray(0, 16)))
  } finally {
    vault.intake.ask = honest
  }
})

test('intake that puts its own envelope into a renewal gets no identity of the device', async () => {
  const { path, key, certificate } = await enrolled()
  const { ask: honest } = vault.intake
  const own = await honest('scep', {}, scepRequest(ca, { key: freshKey() }).bytes)
  vault.intake.ask = async (method, params, bytes) => {
    const answer = await honest(method, params, bytes)
    if (method !== 'scep') return answer
    const { recipients, contentAlgorithm, encryptedContent } = own
    return { ...answer, recipients, contentAlgorithm, encryptedContent }
  }
  try {
    const renewal = { messageType: 'RenewalReq', signer: { key, certificate }, key: freshKey() } as const
    assert.equal((await ask(path, renewal)).failInfo, 'badMessageCheck')
  } finally {
    vault.intake.ask = honest
  }
})
