import assert from 'node:assert/strict'
import { randomBytes, randomUUID } from 'node:crypto'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, beforeEach, test } from 'node:test'
import { type DirectoryClient, directoryClient, type Stored } from '../../../test/support/directory.ts'
import { type TestVault, testVault } from '../../../test/support/vault.ts'
import { silentLog } from '../../base/log.ts'
import { ledgerClient } from '../../ledger/client.ts'
import { startLedger } from '../../ledger/server.ts'
import { type Kind, RELEASE_BUDGETS, recordAad } from '../../trust/directory.ts'
import { hpkeOpen, x25519Private } from '../../wire/hpke.ts'
import { openKeyring } from './keyring.ts'

let vault: TestVault
let client: DirectoryClient
let writer: ReturnType<DirectoryClient['writer']>
before(async () => {
  vault = await testVault()
  client = directoryClient(vault.roster, vault.clock)
})
beforeEach(() => {
  vault.time.shift += 25 * 3600 // yesterday's budgets
  writer = client.writer()
  vault.traces.length = 0
})
after(() => vault.close())

const named = (count: number, kind: Kind = 'person') =>
  Array.from({ length: count }, () => ({ kind, id: randomUUID() }))
const keysFor = async (places: { kind: Kind; id: string }[], by = writer) => {
  const records = places.map(({ kind, id }) => ({ kind, id }))
  return client.keysIn(await vault.console.releaseKeys({ writer: by.signed, records }))
}
const sent = (records: Stored[]) => records.map(({ statement, signature }) => ({ statement, signature }))
const write = (records: Stored[], by = writer) =>
  vault.console.writeRecords({ writer: by.signed, records: sent(records) })
/** New records, written. */
async function stored(count: number, kind: Kind = 'person'): Promise<Stored[]> {
  const places = named(count, kind)
  const keys = await keysFor(places)
  const records = places.map(place => client.seal(writer, keys.get(place.id)!, { ...place, inner: randomBytes(90) }))
  await write(records)
  return records
}
async function nextVersion(record: Stored): Promise<Stored> {
  const keys = await keysFor([record])
  const { kind, id, version } = record
  const next = client.seal(writer, keys.get(id)!, { kind, id, version: version + 1, inner: randomBytes(80) })
  await write([next])
  return next
}
let serial = 1
type Said = Parameters<DirectoryClient['request']>[3]
const release = (grant: ReturnType<DirectoryClient['grant']>, records: Stored[], said: Said = {}) =>
  vault.console.release(
    client.request(grant, serial++, records, said),
    records.map(({ sealed }) => sealed),
  )
const versions = async (records: { kind: Kind; id: string }[]) =>
  (await vault.console.recordStates(records.map(({ kind, id }) => ({ kind, id })))).versions
const leaves = (type: string) => vault.ledger.ofType(type)
const nothing = Buffer.alloc(0)

test('what a member wrote is opened for a grant, after it is in the ledger, and a page of 25 does not take long', async t => {
  const records = await stored(25)
  const grant = client.grant({ most: 40, purpose: 'handover' })
  const began = performance.now()
  const answer = await release(grant, records)
  t.diagnostic(`25 released in ${Math.round(performance.now() - began)} ms`)
  assert.deepEqual(answer.records, Array(25).fill('ok'))
  assert.deepEqual(
    answer.inner,
    records.map(({ inner }) => inner),
  )
  assert.deepEqual(answer.left, {
    grant: 15,
    budgets: RELEASE_BUDGETS.map(budget => ({ ...budget, left: budget.people - 25 })),
  })
  const leaf = leaves('release').at(-1)!
  const { member, unit, purpose, count } = leaf
  const { operator, unit: ours } = vault.roster
  assert.deepEqual(
    { member, unit, purpose, count },
    { member: operator.id, unit: ours, purpose: 'handover', count: 25 },
  )
  assert.equal((leaf.people as string[]).length, 25)
  assert.equal(leaves('grant').filter(({ unique }) => unique === `grant:${grant.id}`).length, 1)
  const logged = JSON.stringify(vault.ledger.entries)
  for (const { id } of records) assert.ok(!logged.includes(id), 'the ledger holds salted digests, no ids')
})

test('a release is refused, and nothing is logged or opened, for what its grant does not cover', async () => {
  const [record] = await stored(1)
  const other = client.grant()
  const own = client.grant()
  const now = vault.clock()
  const from = (grant: ReturnType<DirectoryClient['grant']>, said: Said = {}) =>
    client.request(grant, serial++, [record!], said)
  const logged = leaves('release').length
  const refused = async (ask: ReturnType<typeof from>, code: string, why: string) =>
    assert.rejects(vault.console.release(ask, [record!.sealed]), { code }, why)
  await refused({ ...from(own), grant: other.signed }, 'UNPROVEN', "another grant's request")
  const stolen = from(own)
  await refused({ ...stolen, signature: from(other).signature }, 'UNPROVEN', "another session's key")
  await refused({ ...stolen, request: stolen.request.replace('"shown":true', '"shown":false') }, 'UNPROVEN', 'changed')
  await refused(from(client.grant({ notBefore: now - 7200, expiresAt: now - 1 })), 'EXPIRED', 'an old grant')
  await refused(from(client.grant({ notBefore: now, expiresAt: now + 9 * 3600 })), 'REFUSED', 'a grant of nine hours')
  await refused(from(client.grant({}, vault.roster.approver)), 'FORBIDDEN', 'by somebody who is no operator')
  await refused(from(client.grant({ unit: randomUUID() })), 'UNPROVEN', 'a unit that nobody knows')
  await refused(from(own, { at: now - 120 }), 'EXPIRED', 'asked two minutes ago')
  await refused(from(own, { at: now + 120 }), 'EXPIRED', 'asked in two minutes')
  const twice = client.request(own, serial++, [record!, record!])
  await assert.rejects(vault.console.release(twice, [record!.sealed, record!.sealed]), { code: 'BAD_REQUEST' })
  await assert.rejects(vault.console.release(from(own), []), { code: 'MALFORMED' })
  await assert.rejects(vault.console.release(from(own), [Buffer.alloc(65 * 1024)]), { code: 'LIMIT' })
  assert.equal(leaves('release').length, logged)
})

test('a request is answered once, also after a restart', async () => {
  const records = await stored(2)
  const grant = client.grant()
  const first = client.request(grant, 7, records)
  const bytes = records.map(({ sealed }) => sealed)
  await vault.console.release(first, bytes)
  await assert.rejects(vault.console.release(first, bytes), { code: 'CONFLICT' })
  await assert.rejects(vault.console.release(client.request(grant, 6, records), bytes), { code: 'CONFLICT' })
  await vault.restart()
  await assert.rejects(vault.console.release(first, bytes), { code: 'CONFLICT' })
  const both = await Promise.allSettled(
    [8, 8].map(n => vault.console.release(client.request(grant, n, records), bytes)),
  )
  assert.deepEqual(both.map(({ status }) => status).sort(), ['fulfilled', 'rejected'])
})

test('a swapped, moved or rolled-back ciphertext does not open, whoever wrote it into the table', async () => {
  const [mine, others, old] = (await stored(3)) as [Stored, Stored, Stored]
  const present = await nextVersion(old)
  const grant = client.grant()
  const keys = await keysFor([mine])
  const forged = client.seal(writer, keys.get(mine.id)!, { ...mine, inner: randomBytes(90) }) // sealed by a stranger who asked for the key
  const asks: [Stored, Buffer, string, string][] = [
    [mine, others.sealed, 'stale', "another record's"],
    [mine, forged.sealed, 'stale', 'sealed anew with another content'],
    [mine, mine.sealed.fill(mine.sealed[50]! ^ 1, 50, 51), 'stale', 'one byte'],
    [old, old.sealed, 'stale', 'the version before'],
    [{ ...old, version: 2 }, old.sealed, 'stale', 'the version before as the present one'],
    [{ ...present, version: 3 }, present.sealed, 'stale', 'a version that is not there'],
    [{ ...mine, kind: 'device' }, mine.sealed, 'unknown', 'as another kind'],
    [{ ...mine, id: randomUUID() }, others.sealed, 'unknown', 'under an id that is not there'],
    [others, nothing, 'stale', 'nothing at all'],
  ]
  for (const [record, sealed, state, why] of asks) {
    const answer = await vault.console.release(client.request(grant, serial++, [record]), [sealed])
    assert.deepEqual(answer.records, [state], why)
    assert.deepEqual(answer.inner, [nothing], why)
  }
  assert.ok(vault.traces.some(({ code }) => code === 'record-unproven'))
  assert.deepEqual((await release(grant, [others, present])).inner, [others.inner, present.inner])
})

test('while the ledger is away, has not signed, or everything is frozen, nothing is opened', async () => {
  const records = await stored(2)
  const grant = client.grant()
  await release(grant, records)
  const refused = () =>
    assert.rejects(release(grant, records), (error: { code: string }) => /UNAVAILABLE|UNPROVEN/.test(error.code))
  vault.ledger.away = true
  await refused()
  vault.ledger.away = false
  vault.ledger.origin = 'another.test/main' // somebody else's promise
  await refused()
  vault.ledger.origin = 'example.test/main'
  for (const change of [{ frozen: { index: 3, at: 1, by: 'somebody' } }, { fresh: false }, { synced: false }]) {
    Object.assign(vault.standing, change)
    await refused()
    await assert.rejects(vault.console.erase({ erasure: client.erasure(records) }), { code: 'UNAVAILABLE' })
    await assert.rejects(write(records), { code: 'UNAVAILABLE' })
    Object.assign(vault.standing, { frozen: undefined, fresh: true, synced: true })
  }
  assert.deepEqual(await versions(records), [1, 1])
  assert.deepEqual((await release(grant, records)).records, ['ok', 'ok'])
})

test('a freeze that comes while the ledger writes still keeps the records closed', async () => {
  const records = await stored(1)
  const grant = client.grant()
  await release(grant, records)
  const { append } = vault.ledger
  vault.ledger.append = async params => {
    vault.standing.frozen = { index: 3, at: 1, by: 'somebody' }
    return await append(params)
  }
  await assert.rejects(release(grant, records), { code: 'UNAVAILABLE' })
  Object.assign(vault.ledger, { append })
  vault.standing.frozen = undefined
})

test('budgets count people, not requests: fifty an hour and two hundred a day for a member and unit, whatever the grants', async () => {
  const records = await stored(60)
  const grant = client.grant()
  const [fifty, more] = [records.slice(0, 50), records.slice(50)]
  assert.equal((await release(grant, fifty)).left.budgets[0]!.left, 0)
  assert.equal((await release(grant, fifty)).left.grant, 50) // the same people again
  await assert.rejects(release(grant, more.slice(0, 1)), { code: 'LIMIT', remedy: /0 are left/ })
  await assert.rejects(release(client.grant(), more.slice(0, 1)), { code: 'LIMIT' })
  await vault.restart()
  await assert.rejects(release(client.grant(), more.slice(0, 1)), { code: 'LIMIT' }, 'a restart forgets nothing')
  assert.ok(
    (await release(client.grant({}, vault.roster.owner), more)).records.every(state => state === 'ok'),
    'another member',
  )
  vault.time.shift += 3601
  writer = client.writer()
  assert.equal((await release(client.grant(), more)).left.budgets[1]!.left, 140)
  const rest = await stored(140)
  for (let at = 0; at < 140; at += 40) {
    vault.time.shift += 3601
    await release(client.grant(), rest.slice(at, at + 40))
  }
  vault.time.shift += 3601
  writer = client.writer()
  const [last] = await stored(1)
  await assert.rejects(release(client.grant(), [last!]), { code: 'LIMIT' })
  vault.time.shift += 25 * 3600
  assert.deepEqual((await release(client.grant(), [last!])).records, ['ok'])
})

test('a grant is for so many people, and one too many opens nothing of the request', async () => {
  const records = await stored(4)
  const grant = client.grant({ most: 3 })
  assert.equal((await release(grant, records.slice(0, 2))).left.grant, 1)
  const logged = leaves('release').length
  await assert.rejects(release(grant, records.slice(2)), { code: 'LIMIT' })
  assert.equal(leaves('release').length, logged)
  assert.equal((await release(grant, records.slice(1, 3))).left.grant, 0)
})

test('walking through a list, much of a budget, and releases that no page shows are traces', async () => {
  const records = (await stored(45)).sort((a, b) => (a.id < b.id ? -1 : 1))
  const grant = client.grant({ purpose: 'inventory' })
  for (let at = 0; at < 45; at += 15) await release(grant, records.slice(at, at + 15))
  await release(grant, records.slice(0, 1), { shown: false })
  const told = vault.traces.map(({ code, reason }) => `${code} ${reason}`)
  assert.deepEqual(told, ['release-pattern sequential', 'release-pattern sweeping', 'release-unseen inventory'])
})

test('writing takes a signed next version sealed to a key that was handed out; the same again is no mistake', async () => {
  const [record] = (await stored(1)) as [Stored]
  await write([record])
  assert.deepEqual(await versions([record, { kind: 'person', id: randomUUID() }]), [1, null])
  const next = await nextVersion(record)
  assert.deepEqual(await versions([record]), [2])
  await vault.restart()
  await write([next]) // its answer was lost
  await assert.rejects(write([record]), { code: 'CONFLICT' }, 'the version before')
  const feeder = client.writer({ feeder: true, expiresAt: vault.clock() + 300 * 24 * 3600 })
  const keys = await keysFor([record], feeder)
  await write([client.seal(feeder, keys.get(record.id)!, { ...record, version: 3, inner: randomBytes(10) })], feeder)
  assert.deepEqual(await versions([record]), [3])
  assert.equal(leaves('writer').filter(({ unique }) => unique === `writer:${writer.id}`).length, 1)
  assert.equal(leaves('records').at(-1)!.count, 1)
})

test('a batch is taken whole or not at all, and the refusal names its place', async () => {
  const places = named(3)
  const keys = await keysFor(places)
  const sealed = (said: object = {}, version = 1, by = writer) =>
    places.map((place, at) =>
      client.seal(
        by,
        keys.get(place.id)!,
        { ...place, version: at === 1 ? version : 1, inner: randomBytes(9) },
        at === 1 ? said : {},
      ),
    )
  const refused = (records: Stored[], code: string) =>
    assert.rejects(write(records), { code, message: /^records\[1\]: / })
  await refused(sealed({ unit: randomUUID() }), 'UNPROVEN')
  await refused(sealed({ writer: randomUUID() }), 'UNPROVEN')
  await refused(sealed({}, 2), 'CONFLICT')
  const foreign = sealed()
  foreign[1] = { ...foreign[1]!, signature: foreign[0]!.signature }
  await refused(foreign, 'UNPROVEN')
  const unasked = sealed()
  unasked[1] = client.seal(writer, keys.get(places[0]!.id)!, { id: randomUUID(), inner: nothing })
  await refused(unasked, 'CONFLICT')
  await assert.rejects(write([...sealed(), sealed()[0]!]), { code: 'BAD_REQUEST' })
  const other = client.writer({}, vault.roster.approver)
  await assert.rejects(write(sealed({}, 1, other), other), { code: 'FORBIDDEN' })
  const ended = client.writer({ notBefore: vault.clock() - 7200, expiresAt: vault.clock() - 5 })
  await assert.rejects(write(sealed({}, 1, ended), ended), { code: 'EXPIRED' })
  assert.deepEqual(await versions(places), [null, null, null])
  await write(sealed())
  assert.deepEqual(await versions(places), [1, 1, 1])
})

test('of two who change one record, one wins, and the other is told', async () => {
  const [record] = (await stored(1)) as [Stored]
  const keys = await keysFor([record])
  const change = () => client.seal(writer, keys.get(record.id)!, { ...record, version: 2, inner: randomBytes(8) })
  const results = await Promise.allSettled([write([change()]), write([change()])])
  const codes = results.map(result => (result.status === 'rejected' ? result.reason.code : 'written'))
  assert.deepEqual(codes.sort(), ['CONFLICT', 'written'])
})

test('a key that nobody wrote to within ten minutes is forgotten, and so is every one by a restart', async () => {
  const [place] = named(1) as [{ kind: Kind; id: string }]
  const seal = async () => client.seal(writer, (await keysFor([place])).get(place.id)!, { ...place, inner: nothing })
  const first = await seal()
  assert.deepEqual((await keysFor([place])).get(place.id), (await keysFor([place])).get(place.id), 'it waits')
  vault.time.shift += 601
  await assert.rejects(write([first]), { code: 'CONFLICT' })
  const second = await seal()
  await vault.restart()
  await assert.rejects(write([second]), { code: 'CONFLICT' })
  await write([await seal()])
})

test('a write whose leaf the ledger did not take is no success, and is completed by the next try', async () => {
  const places = named(2)
  const keys = await keysFor(places)
  const records = places.map(place => client.seal(writer, keys.get(place.id)!, { ...place, inner: randomBytes(5) }))
  await stored(1) // the writer is in the ledger
  const logged = leaves('records').length
  vault.ledger.away = true
  await assert.rejects(write(records), { code: 'UNAVAILABLE' })
  vault.ledger.away = false
  await write(records)
  assert.equal(leaves('records').length, logged + 1)
  assert.deepEqual((await release(client.grant(), records)).records, ['ok', 'ok'])
})

/** From now on this vault's leaves go to a ledger on a disk, with its own socket and signatures. */
async function realLedger() {
  const dir = mkdtempSync(join(tmpdir(), 'bhdir-'))
  const { ledger: keys, genesis, trusted } = vault.roster
  const socket = join(dir, 's')
  const http = { host: '127.0.0.1', port: 0 }
  const of = {
    dir: join(dir, 'log'),
    name: 'example.test',
    keys,
    genesis,
    trusted,
    clock: Date.now,
    http,
    log: silentLog,
  }
  const ledger = await startLedger({ ...of, sockets: { vault: socket } })
  const link = ledgerClient({ path: socket })
  const { append } = vault.ledger
  vault.ledger.append = ({ entries }) => link.append({ log: 'main', entries })
  return {
    find: (unique: string) => link.find({ log: 'main', unique }),
    async close() {
      Object.assign(vault.ledger, { append })
      link.close()
      await ledger.close()
      rmSync(dir, { recursive: true })
    },
  }
}

test('with a ledger on a disk a page of 25 waits for its signature, and once it is gone nothing is opened', async t => {
  const ledger = await realLedger()
  const records = await stored(25)
  const grant = client.grant()
  await release(grant, records.slice(0, 1))
  const began = performance.now()
  const unique = `release:records:${grant.id}:${serial}`
  const answer = await release(grant, records)
  t.diagnostic(`25 released in ${Math.round(performance.now() - began)} ms`)
  assert.deepEqual(
    answer.inner,
    records.map(({ inner }) => inner),
  )
  assert.equal(JSON.parse((await ledger.find(unique))!.entry).count, 25)
  assert.equal((await vault.console.erase({ erasure: client.erasure(records.slice(0, 1)) })).records, 1)
  await ledger.close()
  vault.ledger.away = true
  await assert.rejects(release(grant, records), { code: 'UNAVAILABLE' })
  vault.ledger.away = false
})

const folder = () => join(vault.dataDir, 'keyring')
const keyringBytes = () => Buffer.concat(readdirSync(folder()).map(name => readFileSync(join(folder(), name))))
const epochKey = () => readFileSync(join(folder(), readdirSync(folder()).find(name => name.endsWith('.key'))!))
/** What whoever takes the vault's folder now has of these records. */
async function keysInCopy(records: Stored[]) {
  const dir = `${folder()}-${randomUUID()}`
  cpSync(folder(), dir, { recursive: true, filter: path => !path.includes('lock') })
  const keyring = await openKeyring({ dir, random: randomBytes, clock: vault.clock })
  const keys = records.map(record => keyring.find(record)?.key)
  await keyring.close()
  rmSync(dir, { recursive: true })
  return keys
}

test('what was erased cannot be opened with any key that still exists, and what lives can', async () => {
  const [gone, living] = (await stored(2)) as [Stored, Stored]
  const [device] = (await stored(1, 'device')) as [Stored]
  const before = epochKey()
  const [key] = await keysInCopy([gone])
  const { unit, trusted } = vault.roster
  const aad = recordAad('outer', { ...gone, unit }, trusted.genesisDigest)
  assert.deepEqual(hpkeOpen(x25519Private(key!), gone.sealed, aad), gone.inner, 'until then that key opens it')
  const logged = leaves('erasure').length
  const erasure = client.erasure([gone, device])
  assert.equal((await vault.console.erase({ erasure })).records, 2)
  const answer = await release(client.grant(), [gone, device, living])
  assert.deepEqual(answer.records, ['unknown', 'unknown', 'ok'])
  assert.deepEqual(answer.inner, [nothing, nothing, living.inner])
  assert.ok(!keyringBytes().includes(before), 'the old epoch is destroyed')
  assert.ok(!keyringBytes().includes(key!))
  assert.deepEqual(
    (await keysInCopy([gone, device, living])).map(found => found !== undefined),
    [false, false, true],
  )
  assert.equal((await vault.console.erase({ erasure })).records, 0, 'asked again')
  assert.equal(leaves('erasure').length, logged + 1)
  assert.ok(!JSON.stringify(vault.ledger.entries).includes(gone.id))
  await vault.restart()
  assert.deepEqual(await versions([gone, device, living]), [null, null, 1])
  await assert.rejects(write([gone]), { code: 'CONFLICT' }, 'nor can its row be written back')
  const keys = await keysFor([gone])
  await write([client.seal(writer, keys.get(gone.id)!, { ...gone, inner: gone.inner })])
  const old = await vault.console.release(client.request(client.grant(), 1, [gone]), [gone.sealed])
  assert.deepEqual(old.records, ['stale'], 'a new key opens no old ciphertext')
})

test('records of another unit are neither shown, written nor erased', async () => {
  const [record] = (await stored(1)) as [Stored]
  const unit = vault.roster.secondUnit
  assert.deepEqual((await release(client.grant({ unit }), [record])).records, ['unknown'])
  const other = client.writer({ unit })
  await assert.rejects(keysFor([record], other), { code: 'FORBIDDEN' })
  const key = (await keysFor([record])).get(record.id)!
  const moved = client.seal(other, key, { ...record, version: 2, inner: record.inner }, { unit })
  await assert.rejects(write([moved], other), { code: 'FORBIDDEN' })
  const erasure = client.erasure([...(await stored(1)), record], { unit })
  await assert.rejects(vault.console.erase({ erasure }), { code: 'FORBIDDEN' })
  assert.deepEqual((await release(client.grant(), [record])).inner, [record.inner])
})

test('erasing takes an operator of the unit, and the ledger', async () => {
  const records = await stored(2)
  const refused = (said: Record<string, unknown>, code: string, by = vault.roster.operator) =>
    assert.rejects(vault.console.erase({ erasure: client.erasure(records, said, by) }), { code })
  await refused({}, 'FORBIDDEN', vault.roster.approver)
  await refused({ unit: randomUUID() }, 'UNPROVEN')
  await refused({ notBefore: vault.clock() - 7200, expiresAt: vault.clock() - 5 }, 'EXPIRED')
  vault.ledger.away = true
  await refused({}, 'UNAVAILABLE')
  vault.ledger.away = false
  const changed = client.erasure(records)
  const statement = changed.statement.replace(records[0]!.id, randomUUID())
  await assert.rejects(vault.console.erase({ erasure: { ...changed, statement } }), { code: 'UNPROVEN' })
  assert.deepEqual(await versions(records), [1, 1])
})
