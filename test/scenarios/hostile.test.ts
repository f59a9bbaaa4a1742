import assert from 'node:assert/strict'
import { randomBytes, randomUUID } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { createDevice, type Device } from '../../simulator/device.ts'
import { createFleet, inParallel } from '../../simulator/fleet.ts'
import type { Answer } from '../../simulator/http.ts'
import { mdmSignature } from '../../simulator/identity.ts'
import { openHome } from '../../src/cli/client.ts'
import { socketPath } from '../../src/cli/home.ts'
import { approve, loadPasskey } from '../../src/cli/passkey.ts'
import { ledgerClient } from '../../src/ledger/client.ts'
import { canonical } from '../../src/trust/canonical.ts'
import { invitationDigest } from '../../src/trust/invitation.ts'
import { commandUuid } from '../../src/trust/token.ts'
import { decodeCertificate, encodeName } from '../../src/wire/pkcs/certificate.ts'
import { encodeBinaryPlist, encodeXmlPlist } from '../../src/wire/plist/plist.ts'
import { idOf, startInstallation, until } from '../support/installation.ts'
import { certificationRequest, scepRequest, testKey } from '../support/scep.ts'
import { requests } from './hostile/http.ts'
import { plists, unfolding } from './hostile/plists.ts'
import { open, post, scep } from './hostile/scep.ts'
import { signatures } from './hostile/signatures.ts'
import { CANARY, pathOf, type World } from './hostile/world.ts'

// Section "bad input" of the promises, over public HTTP against one installation. After each item: the answer was small and clear,
// a device that was enrolled before checks in at once, and nothing was stored.

let world: World
/** What a connection is told that began before everything else and never ends. */
let unfinished: Promise<string>
/** How many milliseconds a TLS connection is kept that was opened then and says nothing. */
let silence: Promise<number>
let started: { memory: number; pids: string }
const opened: Socket[] = []
before(async () => {
  const home = await startInstallation()
  const { profileUrl } = await home.invite({ uses: 100_000 })
  const enrolled = async (seed: string, url = profileUrl): Promise<Device> => {
    const device = createDevice({ seed, model: 'iphone', http: { sockets: 4 } })
    await device.enrol(url)
    return device
  }
  const device = await enrolled('renewed', (await home.invite({ identityDays: 20 })).profileUrl)
  const old = device.state.identity!
  await device.connect() // brings the renewal
  await device.connect() // uses it
  assert.notEqual(device.state.identity, old)
  world = {
    home,
    profileUrl,
    renewed: { device, old },
    attacker: await enrolled('attacker'),
    innocent: await enrolled('innocent'),
  }
  unfinished = beginning('PUT /')
  silence = silent(home.tlsUrl)
  started = { memory: memory(), pids: pids() }
})
after(async () => {
  for (const socket of opened) socket.destroy()
  for (const device of [world?.attacker, world?.innocent, world?.renewed.device]) device?.close()
  await world?.home.stop()
})

const listeners = ['edge', 'intake', 'vault']
const pids = () => listeners.flatMap(name => world.home.pids(name)).join()
/** Resident memory of whoever reads strangers' bytes, in MiB. */
function memory(): number {
  const kilobytes = (pid: number) => Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1])
  return Math.round(
    listeners.flatMap(name => world.home.pids(name)).reduce((sum, pid) => sum + kilobytes(pid), 0) / 1024,
  )
}

/** A digest of every table, and the ledger's size. Left out: journals and findings of what was refused, and when a device was last seen. */
async function stored(without = ''): Promise<Record<string, string>> {
  const { rows } = await world.home.database.query<{ name: string; digest: string }>(await digests(), [without])
  const logged = String(await entriesLogged())
  return Object.fromEntries([...rows.map(({ name, digest }) => [name, digest]), ['ledger', logged]])
}

let digestsQuery: string | undefined
async function digests(): Promise<string> {
  if (digestsQuery) return digestsQuery
  const { rows } = await world.home.database.query<{ name: string }>(
    `select table_schema || '.' || table_name as name from information_schema.tables
     where table_schema in ('edge', 'console', 'vault', 'watch') and table_type = 'BASE TABLE'`,
  )
  const names = rows.map(({ name }) => name).filter(name => name !== 'watch.trace' && name !== 'edge.history')
  assert.ok(names.length > 10)
  const one = (name: string) =>
    `select '${name}' as name, count(*) || ' ' || coalesce(md5(string_agg(r, '' order by r)), '') as digest from
     (select (to_jsonb(t) - 'last_seen')::text as r from ${name} t where coalesce(to_jsonb(t) ->> 'device_id', '') <> $1) rows`
  digestsQuery = names.map(one).join(' union all ')
  return digestsQuery
}

/** Small, clear, and nothing of the inside. */
function isClear({ status, body, headers }: Answer, expected: readonly number[]) {
  const text = body.toString('latin1')
  assert.ok(expected.includes(status), `${status}, not ${expected}: ${text.slice(0, 300)}`)
  const limit = headers['content-type'] === 'application/x-pki-message' ? 4096 : 2048
  assert.ok(body.length <= limit, `${body.length} bytes`)
  assert.doesNotMatch(text, /\bat .+:\d+:\d+|node:|\.ts\b|\/(tmp|usr|home|work|root|src)\/|node_modules|stack/i)
  assert.ok(!text.includes(CANARY), 'it repeats what was sent')
  if (status === 404 && !text.startsWith('NOT_FOUND:')) {
    assert.equal(text, 'Not found\n')
    assert.equal(headers.connection, 'close')
  } else if (status >= 400) assert.match(text, /^[A-Z_]{4,20}: [A-Z].{5,200}\.\n$/)
}

let read = 0
let entries = 0
/** Entries of the main log that are no findings. */
async function entriesLogged(): Promise<number> {
  const ledger = ledgerClient({ path: socketPath(world.home.home, 'ledger', 'cli') })
  const { checkpoint } = await ledger.checkpoint({ log: 'main' })
  for (const size = Number(checkpoint.split('\n')[1]); read < size; read++)
    if (!(await ledger.entry({ log: 'main', index: read })).entry.includes('"type":"finding"')) entries++
  ledger.close()
  return entries
}

/** Nobody else noticed anything. */
async function isUnharmed() {
  assert.equal(await world.innocent.connect(), 0)
}

for (const item of [...plists, ...signatures, ...requests, ...scep])
  test(item.name, async () => {
    const without = item.stores ? idOf(world.attacker) : ''
    const before = await stored(without)
    const answers = [await item.send(world)].flat() as Answer[]
    const expected = [item.answers].flat() as readonly number[]
    for (const answer of answers) isClear(answer, expected)
    await isUnharmed()
    assert.deepEqual(await stored(without), before)
  })

const digestOf = async (query: string, values: unknown[] = []) =>
  JSON.stringify((await world.home.database.query(query, values)).rows)

test('an answer in the name of another device takes nothing out of its queue', async () => {
  const { home, attacker, innocent } = world
  const order = await home.order('--action', 'DeviceInformation', '--device', idOf(innocent))
  const uuid = commandUuid(order, idOf(innocent))
  const pending = () => digestOf('select * from edge.pending where order_id = $1', [order])
  const before = await pending()
  assert.match(before, new RegExp(uuid))
  for (const Status of ['Acknowledged', 'Error', 'NotNow', 'CommandFormatError']) {
    const message = encodeXmlPlist({ UDID: innocent.self.udid, Status, CommandUUID: uuid })
    const answer = await attacker.send('connect', message)
    assert.deepEqual([answer.status, answer.body.length], [200, 0])
  }
  assert.equal(await pending(), before)
  assert.equal(await innocent.connect(), 1)
  assert.equal((await home.show(order)).devices[0]!.state, 'acknowledged')
})

test('an answer that is sent again changes nothing', async () => {
  const { home, attacker } = world
  const order = await home.order('--action', 'DeviceInformation', '--device', idOf(attacker))
  const CommandUUID = commandUuid(order, idOf(attacker))
  const say = (Status: string) => attacker.send('connect', encodeXmlPlist({ UDID: 'U', Status, CommandUUID }))
  await attacker.connect()
  const before = await digestOf('select * from edge.result where order_id = $1', [order])
  for (const status of ['Acknowledged', 'Error', 'NotNow']) assert.equal((await say(status)).body.length, 0)
  assert.equal(await digestOf('select * from edge.result where order_id = $1', [order]), before)
})

test('an error of a number beyond 32 bits is the answer to its command, and the next one comes', async () => {
  const { home, attacker } = world
  const order = await home.order('--action', 'DeviceInformation', '--device', idOf(attacker))
  const CommandUUID = commandUuid(order, idOf(attacker))
  const ErrorChain = [{ ErrorCode: 2 ** 40, ErrorDomain: 'MCMDMErrorDomain' }]
  const answer = await attacker.send('connect', encodeXmlPlist({ UDID: 'U', Status: 'Error', CommandUUID, ErrorChain }))
  assert.deepEqual([answer.status, answer.body.length], [200, 0])
  assert.equal((await home.show(order)).devices[0]!.state, 'error')
})

test('an answer that cannot be read does not bring its command again, however quick it comes', async () => {
  const { home, attacker } = world
  const escaped = (CommandUUID: string) => ({
    UDID: 'U',
    Status: 'Acknowledged',
    CommandUUID,
    X: '&'.repeat(2_000_000),
  })
  for (const answer of [(uuid: string) => unfolding(180, uuid), escaped]) {
    const order = await home.order('--action', 'DeviceInformation', '--device', idOf(attacker))
    const body = encodeBinaryPlist(answer(commandUuid(order, idOf(attacker))))
    const command = await attacker.send('connect', encodeXmlPlist({ UDID: 'U', Status: 'Idle' }))
    assert.notEqual(command.body.length, 0)
    isClear(await attacker.send('connect', body), [400])
    assert.equal((await home.show(order)).devices[0]!.state, 'error')
    assert.equal(await attacker.connect(), 0)
  }
})

test('whatever stands in the request, a certificate names the device and nothing else', async () => {
  const subjects = {
    NUL: encodeName({ CN: `a\0${CANARY}` }),
    'thirty kilobytes': encodeName({ CN: CANARY.repeat(2_300) }),
    nothing: encodeName({}),
  }
  for (const [name, subject] of Object.entries(subjects)) {
    const asked = await open(world)
    const request = certificationRequest(testKey('device'), asked.challenge, subject)
    const made = scepRequest(asked.certs, { challenge: asked.challenge, request })
    const { issued } = made.open((await post(world, asked.url, made.bytes)).body)
    assert.ok(issued, name)
    assert.match(decodeCertificate(issued).subjectCommonName!, /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, name)
    assert.ok(!issued.includes(CANARY), name)
  }
  await isUnharmed()
})

test('an invitation for one is used once, raced by a hundred', async () => {
  const { profileUrl } = await world.home.invite()
  const fleet = await createFleet({ count: 100, seed: 'racer', sharedKey: true, parallel: 50 })
  const before = await digestOf('select count(*)::int as n from vault.certificate')
  const outcomes = await Promise.allSettled(fleet.devices.map(device => device.install(profileUrl)))
  fleet.close()
  assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1)
  const count = (text: string) => JSON.parse(text)[0].n as number
  assert.equal(count(await digestOf('select count(*)::int as n from vault.certificate')), count(before) + 1)
  const late = await fetch(profileUrl)
  assert.deepEqual([late.status, (await late.text()).slice(0, 9)], [403, 'CONFLICT:'])
  await isUnharmed()
})

/** As `bulkhead invite create` does it, whose shortest life is a minute. */
async function inviteFor(seconds: number): Promise<string> {
  const { home } = world
  const trusted = openHome(home.home)
  const now = Math.floor(Date.now() / 1000)
  const like = await digestOf('select statement from console.invitation limit 1')
  const statement = canonical({
    ...JSON.parse(JSON.parse(like)[0].statement),
    id: randomUUID(),
    nonce: randomBytes(16).toString('hex'),
    notBefore: now - 60,
    expiresAt: now + seconds,
  })
  const approval = approve(loadPasskey(home.passkey), invitationDigest(statement, trusted), trusted.roster)
  return (await home.console.post<{ profileUrl: string }>('/api/invitations', { statement, approval })).profileUrl
}

test('an invitation that has expired gives no profile, and a profile of it no certificate', async () => {
  const profileUrl = await inviteFor(3)
  const early = await open({ ...world, profileUrl })
  const request = scepRequest(early.certs, { challenge: early.challenge })
  await until(async () => (await fetch(profileUrl)).status === 403)
  const before = await stored()
  const { issued, failInfo } = request.open((await post(world, early.url, request.bytes)).body)
  assert.deepEqual([issued, failInfo], [undefined, 'badTime'])
  assert.deepEqual(await stored(), before)
})

test('a hundred bodies of four megabytes at once, three times, keep nobody out and do not pile up', async () => {
  const body = Buffer.concat([Buffer.from(`<plist><string>${CANARY}`), Buffer.alloc(4_000_000, 0x20)])
  const { enrolment, identity } = world.attacker.state
  const large = createDevice({ seed: 'large', model: 'iphone', http: { sockets: 100 } })
  Object.assign(large.state, { enrolment, identity })
  const signature = mdmSignature(body, identity!)
  for (let times = 0; times < 3; times++) {
    const all = Promise.all(Array.from({ length: 100 }, () => large.send('connect', body, { signature })))
    await isUnharmed()
    for (const answer of await all) isClear(answer, [400, 503])
  }
  large.close()
  await isUnharmed()
})

/** Says a beginning, and nothing more; what came back until it was closed. */
function beginning(text: string): Promise<string> {
  const { hostname, port } = new URL(world.home.urls.edge)
  const socket = connect(Number(port), hostname, () => socket.write(text))
  opened.push(socket)
  let said = ''
  socket.on('data', data => {
    said += data
  })
  return new Promise((resolve, reject) => socket.on('error', reject).on('close', () => resolve(said)))
}

/** Opens connections that are never finished, says a beginning on each, and leaves them open. */
async function linger(count: number, beginning: string) {
  const { hostname, port } = new URL(world.home.urls.edge)
  await inParallel(Array.from({ length: count }), 50, () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    const socket = connect(Number(port), hostname, () => {
      socket.write(beginning)
      resolve()
    })
    socket.on('error', () => resolve())
    opened.push(socket)
    return promise
  })
}

test('a thousand connections of one client that say nothing, or begin and never end, keep nobody out', async () => {
  const path = pathOf(world.attacker.state.enrolment!.serverUrl)
  await linger(400, '')
  await linger(300, `PUT ${path} HTTP/1.1\r\nHost: x\r\nX-`)
  await linger(300, `PUT ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n<plist>`)
  for (let times = 0; times < 20; times++) await isUnharmed()
})

test('large messages that one device never ends keep no large message of another out', async () => {
  const path = pathOf(world.attacker.state.enrolment!.serverUrl)
  const { hostname, port } = new URL(world.home.urls.edge)
  const head = `PUT ${path} HTTP/1.1\r\nHost: x\r\nMdm-Signature: c2ln\r\nContent-Length: 4194304\r\n\r\n`
  const sockets = Array.from({ length: 17 }, () => connect(Number(port), hostname))
  const heard = sockets.map(socket => {
    socket.on('error', () => {})
    socket.write(head)
    const sent = new Promise(resolve => socket.write(Buffer.alloc(4_194_303), resolve))
    return Promise.race([new Promise(resolve => socket.once('data', resolve)), sent])
  })
  await Promise.all(heard)
  const list = Array.from({ length: 5_000 }, (_, n) => ({ Identifier: `org.example.app${n}` }))
  const answer = { UDID: 'U', Status: 'Acknowledged', CommandUUID: randomUUID(), InstalledApplicationList: list }
  const heardOf = new Set<number>()
  for (let times = 0; times < 30; times++)
    heardOf.add((await world.innocent.send('connect', encodeXmlPlist(answer))).status)
  for (const socket of sockets) socket.destroy()
  assert.deepEqual([...heardOf], [200])
})

/** Resolves with how long it took to be hung up on. */
function silent(url: string): Promise<number> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  opened.push(socket)
  const since = Date.now()
  return new Promise(resolve => socket.on('error', () => {}).on('close', () => resolve(Date.now() - since)))
}

test('whoever begins no handshake is sent away', async () => {
  const kept = await Promise.race([silence, sleep(90_000, Number.POSITIVE_INFINITY, { ref: false })])
  assert.ok(kept < 60_000)
})

test('whoever does not finish the head of a request is sent away', async () => {
  assert.match(await unfinished, /^HTTP\/1\.1 404 Not Found\r\n/)
})

test('after all of this the same processes run, with no more memory than is bounded', () => {
  assert.equal(pids(), started.pids)
  const grown = memory() - started.memory
  assert.ok(grown < 600, `${grown} MiB more than the ${started.memory} MiB of the beginning`)
})

test('no log repeats what was sent, or says who a device is', () => {
  const { home, attacker, innocent, renewed } = world
  const secrets = [CANARY, pathOf(world.profileUrl).split('/')[2]!]
  for (const { self, state, push } of [attacker, innocent, renewed.device]) {
    const { serverUrl, scep: asked } = state.enrolment!
    secrets.push(self.udid, self.serial, self.imei, self.owner, self.shortName, push.magic)
    secrets.push(push.token.toString('hex'), pathOf(serverUrl).split('/')[2]!, asked.challenge)
  }
  const folder = join(home.home, 'log')
  let lines = 0
  for (const file of readdirSync(folder)) {
    const text = readFileSync(join(folder, file), 'utf8')
    lines += text.split('\n').length
    for (const secret of secrets) assert.ok(!text.includes(secret), `${file} says ${secret}`)
  }
  assert.ok(lines > 20)
})
