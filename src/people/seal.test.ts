import assert from 'node:assert/strict'
import { createPublicKey, generateKeyPairSync, randomUUID, sign } from 'node:crypto'
import test from 'node:test'
import { nodeHpke, nodeSessionKey } from '../cli/hpke.ts'
import { canonical } from '../trust/canonical.ts'
import * as directory from '../trust/directory.ts'
import type { Trusted } from '../trust/roster.ts'
import { decodeStatement, sha256, statementDigest } from '../trust/statement.ts'
import { personAlias } from './alias.ts'
import { fromBase64, toBase64, toHex } from './bytes.ts'
import { type KeyPair, makeKeyPair } from './keys.ts'
import { memberKeyPair, prfSalt, softwarePrf } from './memberkey.ts'
import { decodePerson, encodePerson, requirePerson } from './person.ts'
import { type Place, recordAad, sessionBytes } from './place.ts'
import { openPerson, requireVaultAnswer } from './read.ts'
import { openRecord, sealRecord } from './seal.ts'
import {
  type Approval,
  announceMemberKey,
  approvedDigest,
  makeErasure,
  makeSessionKey,
  openGrantSession,
  openWriterSession,
  requestRelease,
  requireSignature,
  type SignedRecord,
} from './session.ts'
import { openIndex } from './tokens.ts'
import { openShare, sealShare } from './unit.ts'
import { openReleaseKeys, type Writing, writePeople } from './write.ts'

const genesisDigest = sha256('a genesis')
const unit = randomUUID()
const now = 1_800_000_000
const approval: Approval = { credentialId: 'c', clientDataJSON: 'd', authenticatorData: 'e', signature: 'f' }
const digests: string[] = []
const approve = async (digest: Uint8Array) => {
  digests.push(toHex(digest))
  return approval
}
const making = { approve, genesisDigest, now }
const ada = requirePerson({ givenName: 'Ada', familyName: 'Lovelace', email: 'ada@example.org' })
const place: Place = { kind: 'person', id: randomUUID(), unit, version: 3 }
/** What the server's own code asks of a trusted roster where it only verifies a session's key. */
const trusted = { genesisDigest } as Trusted

test('what is signed and authenticated here is what the server’s own code makes of it', () => {
  for (const half of ['inner', 'outer'] as const)
    assert.deepEqual(
      Buffer.from(recordAad(half, place, genesisDigest)),
      directory.recordAad(half, place, genesisDigest),
    )
  const text = canonical({ type: 'bulkhead-writer/v1' })
  assert.equal(
    toHex(approvedDigest(text, genesisDigest)),
    statementDigest('bulkhead-writer/v1', genesisDigest, text).toString('hex'),
  )
  const bytes = directory.sessionBytes(text, 'bulkhead-record/v1', genesisDigest)
  assert.deepEqual(Buffer.from(sessionBytes(text, 'bulkhead-record/v1', genesisDigest)), bytes)
})

test('a record opens with both keys, in its place, and nowhere else', async () => {
  const [unitKey, releaseKey] = [await makeKeyPair(), await makeKeyPair()]
  const to = { unitKey: unitKey.publicKey, releaseKey: releaseKey.publicKey, genesisDigest }
  const { sealed } = await sealRecord(nodeHpke, encodePerson(ada), place, to)
  const inner = await nodeHpke.open(releaseKey.privateKey, sealed, recordAad('outer', place, genesisDigest))
  assert.deepEqual(decodePerson(await openRecord(nodeHpke, unitKey.privateKey, inner, place, genesisDigest)), ada)
  await assert.rejects(openRecord(nodeHpke, unitKey.privateKey, sealed, place, genesisDigest), { code: 'UNPROVEN' })
  const others: Place[] = [
    { ...place, id: randomUUID() },
    { ...place, version: 4 },
    { ...place, unit: randomUUID() },
    { ...place, kind: 'device' },
  ]
  for (const other of others) {
    await assert.rejects(openRecord(nodeHpke, unitKey.privateKey, inner, other, genesisDigest), { code: 'UNPROVEN' })
    await assert.rejects(
      nodeHpke.open(releaseKey.privateKey, sealed, new Uint8Array(recordAad('outer', other, genesisDigest))),
    )
  }
  await assert.rejects(openRecord(nodeHpke, unitKey.privateKey, inner, place, sha256('another')), { code: 'UNPROVEN' })
  await assert.rejects(sealRecord(nodeHpke, new Uint8Array(65_536), place, to), { code: 'LIMIT' })
})

test('how long a name is does not show in the length of what is sealed', () => {
  const short = encodePerson({ ...ada, givenName: 'A' })
  assert.equal(short.length, encodePerson({ ...ada, givenName: 'A'.repeat(60) }).length)
  assert.equal(short.length % 256, 0)
})

test('statements are those that the server decodes, and the passkey signs their digests', async () => {
  digests.length = 0
  const { writer, key, id } = await openWriterSession({ unit }, making)
  const { grant } = await openGrantSession({ unit, most: 25, purpose: 'support' }, making)
  const records = [{ kind: 'person' as const, id: place.id }]
  const erasure = await makeErasure({ unit, records }, making)
  const member = await announceMemberKey({ member: randomUUID(), key: toBase64(new Uint8Array(32)) }, making)
  assert.deepEqual(
    digests,
    [writer, grant, erasure, member].map(({ statement }) => toHex(approvedDigest(statement, genesisDigest))),
  )
  // A roster whose passkeys hold nothing refuses the approval, and does so only after the statement was taken for what it is.
  const empty = { ...trusted, passkeys: new Map(), roster: { units: [] } } as unknown as Trusted
  for (const open of [
    () => directory.openWriter(writer, now, empty),
    () => directory.openGrant(grant, now, empty),
    () => directory.openErasure(erasure, now, empty),
    () => directory.openMemberKey(member, empty),
  ])
    assert.throws(open, { code: 'UNPROVEN', message: /passkey that the roster does not hold/ })
  const said = JSON.parse(writer.statement)
  assert.deepEqual([said.id, said.key, said.unit, said.feeder], [id, key.publicKey, unit, false])
  assert.ok(said.notBefore <= now && said.expiresAt - said.notBefore <= directory.LONGEST_SESSION)
})

for (const [name, makeKey] of [
  ['WebCrypto', makeSessionKey],
  ['Node', async () => nodeSessionKey()],
] as const)
  test(`the server believes what a session’s key of ${name} signed, and its requests only go forward`, async () => {
    const session = await openGrantSession({ unit, most: 25, purpose: 'support', key: await makeKey() }, making)
    let last = 0
    for (let turn = 0; turn < 3; turn++) {
      const asked = await requestRelease(session, [place], { now, shown: true, genesisDigest })
      const said = decodeStatement(asked.request, directory.requestShape, 'request')
      assert.ok(said.serial > last)
      last = said.serial
      const type = 'bulkhead-release-request/v1'
      directory.requireSession(session.key.publicKey, asked.request, type, asked.signature, trusted)
      const changed = asked.request.replace('"shown":true', '"shown":false')
      assert.throws(() => directory.requireSession(session.key.publicKey, changed, type, asked.signature, trusted))
    }
  })

async function world() {
  const vault = generateKeyPairSync('ed25519')
  const voucherKey = createPublicKey(vault.privateKey).export({ format: 'der', type: 'spki' }).toString('base64')
  const unitKey = await makeKeyPair()
  const session = await openWriterSession({ unit, key: nodeSessionKey() }, making)
  const people: Writing[] = Array.from({ length: 40 }, (_, at) => ({
    id: randomUUID(),
    version: 1,
    person: { ...ada, givenName: `Ada ${at}` },
  }))
  const outer = new Map<string, KeyPair>()
  for (const { id } of people) outer.set(id, await makeKeyPair())
  const keys = [...outer].map(([id, { publicKey }]) => ({ kind: 'person', id, key: toBase64(publicKey) }))
  const type = 'bulkhead-release-keys/v1'
  const statement = canonical({ type, at: now, keys })
  const bytes = directory.sessionBytes(statement, type, genesisDigest)
  const said: SignedRecord = { statement, signature: sign(null, bytes, vault.privateKey).toString('base64') }
  return { voucherKey, unitKey, session, people, outer, said }
}

test('people are written as the server takes them, and read again, proven', async () => {
  const { voucherKey, unitKey, session, people, outer, said } = await world()
  const releaseKeys = await openReleaseKeys(said, voucherKey, genesisDigest)
  const index = openIndex(unitKey.privateKey, unit, genesisDigest)
  const using = { session, unitKey: unitKey.publicKey, releaseKeys, genesisDigest, hpke: nodeHpke, index }
  const written = await writePeople(people, using)
  const reading = { hpke: nodeHpke, unit, unitPrivateKey: unitKey.privateKey, genesisDigest }
  for (const [at, { statement, signature, sealed, tokens }] of written.entries()) {
    const { id, person } = people[at]!
    const record = decodeStatement(statement, directory.recordShape, 'record')
    directory.requireSession(session.key.publicKey, statement, 'bulkhead-record/v1', signature, trusted)
    assert.equal(record.alias, personAlias(id))
    assert.deepEqual(tokens, index.tokensOf(person))
    const aad = recordAad('outer', record, genesisDigest)
    const inner = toBase64(await nodeHpke.open(outer.get(id)!.privateKey, fromBase64(sealed), aad))
    assert.equal(record.body, sha256(fromBase64(inner)).toString('hex'))
    const writer = { id: session.id, unit, key: session.key.publicKey }
    const opened = await openPerson({ id, version: 1, statement, signature, inner }, writer, reading)
    assert.deepEqual(opened, { id, version: 1, alias: personAlias(id), person })
    for (const other of [undefined, { ...writer, id: randomUUID() }, { ...writer, key: nodeSessionKey().publicKey }])
      assert.ok((await openPerson({ id, version: 1, statement, signature, inner }, other, reading)).unproven)
    const swapped = people[(at + 1) % people.length]!.id
    await assert.rejects(openPerson({ id: swapped, version: 1, statement, signature, inner }, writer, reading), {
      code: 'UNPROVEN',
    })
    // Another version than the one that was asked for, however well it is signed.
    await assert.rejects(openPerson({ id, version: 2, statement, signature, inner }, writer, reading), {
      code: 'UNPROVEN',
    })
  }
})

test('an answer that is not the vault’s own, to this very request, is refused', async () => {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const voucherKey = publicKey.export({ format: 'der', type: 'spki' }).toString('base64')
  const session = await openGrantSession({ unit, most: 9, purpose: 'support' }, making)
  const asked = [1, 2].map(version => ({ kind: 'person' as const, id: randomUUID(), version }))
  const ask = () => requestRelease(session, asked, { now, shown: true, genesisDigest })
  const { request } = await ask()
  const say = (text: string, states: string[]) => {
    const type = 'bulkhead-opened/v1'
    const statement = canonical({ type, request: sha256(text).toString('hex'), states })
    const bytes = directory.sessionBytes(statement, type, genesisDigest)
    return { statement, signature: sign(null, bytes, privateKey).toString('base64') }
  }
  const using = { voucherKey, genesisDigest }
  const records = asked.map((one, at) => ({ ...one, state: ['ok', 'stale'][at]! }))
  const vault = say(request, ['ok', 'stale'])
  await requireVaultAnswer({ vault, records }, request, using)
  const unproven = { code: 'UNPROVEN' }
  const lies: Parameters<typeof requireVaultAnswer>[0][] = [
    { vault, records: records.map(one => ({ ...one, state: 'ok' })) },
    { vault, records: [...records].reverse() },
    { vault, records: records.slice(0, 1) },
    { vault, records: records.map(one => ({ ...one, version: 1 })) },
    { vault: { ...vault, signature: toBase64(new Uint8Array(64)) }, records },
    { vault: say((await ask()).request, ['ok', 'stale']), records },
  ]
  for (const lie of lies) await assert.rejects(requireVaultAnswer(lie, request, using), unproven)
  await assert.rejects(requireVaultAnswer({ vault, records }, (await ask()).request, using), unproven)
})

test('keys that the vault did not sign, or not for this installation, are not sealed to', async () => {
  const { voucherKey, unitKey, session, people, said } = await world()
  const swapped = {
    ...said,
    statement: said.statement.replace(/"key":"[^"]+"/, `"key":"${toBase64(unitKey.publicKey)}"`),
  }
  for (const [one, key, genesis] of [
    [swapped, voucherKey, genesisDigest],
    [said, nodeSessionKey().publicKey, genesisDigest],
    [said, voucherKey, sha256('another')],
    [{ ...said, signature: '' }, voucherKey, genesisDigest],
    [{ ...said, signature: '%' }, voucherKey, genesisDigest],
  ] as const)
    await assert.rejects(openReleaseKeys(one, key, genesis), { code: 'UNPROVEN' })
  const using = {
    session,
    unitKey: unitKey.publicKey,
    releaseKeys: new Map(),
    genesisDigest,
    hpke: nodeHpke,
    index: undefined,
  }
  await assert.rejects(writePeople(people, using), { code: 'UNPROVEN' })
})

test('a feeder writes without tokens', async () => {
  const { voucherKey, unitKey, people, said } = await world()
  const session = await openWriterSession({ unit, feeder: true, seconds: 100 * 86_400 }, making)
  const releaseKeys = await openReleaseKeys(said, voucherKey, genesisDigest)
  const using = { session, unitKey: unitKey.publicKey, releaseKeys, genesisDigest, hpke: nodeHpke, index: undefined }
  const written = await writePeople(people.slice(0, 2), using)
  assert.deepEqual(
    written.map(({ tokens }) => tokens),
    [null, null],
  )
})

test('a passkey’s key is the same each time, and another in another installation', async () => {
  const salt = prfSalt(genesisDigest)
  assert.equal(toHex(salt), sha256(Buffer.concat([Buffer.from('bulkhead-prf/v1\n'), genesisDigest])).toString('hex'))
  const secret = toBase64(new Uint8Array(32).fill(7))
  const pair = await memberKeyPair(softwarePrf(secret, salt), genesisDigest)
  assert.deepEqual(await memberKeyPair(softwarePrf(secret, salt), genesisDigest), pair)
  const there = sha256('another genesis')
  const other = await memberKeyPair(softwarePrf(secret, prfSalt(there)), there)
  assert.notDeepEqual(other.privateKey, pair.privateKey)
  assert.throws(() => memberKeyPair(new Uint8Array(31), genesisDigest), { code: 'MALFORMED' })
  assert.throws(() => softwarePrf('', salt), { code: 'MALFORMED' })
})

test('a unit’s key opens for the operator it was sealed to, and only if it is the roster’s', async () => {
  const [unitKey, member] = [await makeKeyPair(), await makeKeyPair()]
  const share = { unit, publicKey: toBase64(unitKey.publicKey), credential: 'one' }
  const sealed = await sealShare(nodeHpke, unitKey.privateKey, member.publicKey, share, genesisDigest)
  assert.deepEqual(await openShare(nodeHpke, member, sealed, share, genesisDigest), unitKey)
  await assert.rejects(openShare(nodeHpke, await makeKeyPair(), sealed, share, genesisDigest), { code: 'UNPROVEN' })
  for (const other of [
    { ...share, unit: randomUUID() },
    { ...share, credential: 'two' },
  ])
    await assert.rejects(openShare(nodeHpke, member, sealed, other, genesisDigest), { code: 'UNPROVEN' })
  // A key that an attacker in the server made, sealed properly to the operator.
  const planted = await sealShare(nodeHpke, (await makeKeyPair()).privateKey, member.publicKey, share, genesisDigest)
  await assert.rejects(openShare(nodeHpke, member, planted, share, genesisDigest), {
    code: 'UNPROVEN',
    message: /roster/,
  })
})

test('a person’s alias is two words, a device’s three; 50,000 people have 50,000', () => {
  const aliases = new Set(Array.from({ length: 50_000 }, (_, at) => personAlias(`person ${at}`)))
  assert.equal(aliases.size, 50_000)
  for (const alias of [...aliases].slice(0, 1000))
    assert.match(alias, /^([bdfgklmnprstvz][aeiou]){3}-([bdfgklmnprstvz][aeiou]){3}$/)
})

test('a signature is asked of raw keys and of the roster’s form alike', async () => {
  const key = nodeSessionKey()
  const signature = toBase64(await key.sign(sessionBytes('x', 't', genesisDigest)))
  await requireSignature(key.publicKey, { statement: 'x', signature }, 't', genesisDigest)
  const other = { statement: 'y', signature }
  await assert.rejects(requireSignature(key.publicKey, other, 't', genesisDigest), { code: 'UNPROVEN' })
})
