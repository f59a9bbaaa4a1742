import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, test } from 'node:test'
import { createDevice, type Device, type DeviceOptions } from '../../simulator/device.ts'
import type { Answer } from '../../simulator/http.ts'
import { makeKeys } from '../../simulator/identity.ts'
import { postmaster } from '../../src/supervisor/postgres.ts'
import { processes } from '../../src/supervisor/strays.ts'
import { encodeXmlPlist } from '../../src/wire/plist/plist.ts'
import { type ApnsReceiver, apnsReceiver } from '../support/apns.ts'
import { type Installation, idOf, startInstallation, until } from '../support/installation.ts'

// Parts that are away. Only who needs them is told to come back, nothing is lost, and everything recovers by itself.

let apns: ApnsReceiver
let home: Installation
let profileUrl: string
/** Enrolled before anything happens, each with one command that waits for it: of `order`. */
const devices = new Map<string, Device>()
let order: string
const names = ['postgres-killed', 'postgres-hangs', 'vault', 'vault-hangs', 'ledger', 'others', 'parser', 'edge']
before(async () => {
  apns = await apnsReceiver()
  home = await startInstallation({ up: ['--apns-url', apns.url, '--apns-ca', apns.ca] })
  profileUrl = (await home.invite({ uses: 100 })).profileUrl
  for (const name of names) await made(name).enrol(profileUrl)
  order = await home.order('--action', 'DeviceInformation', '--all')
  await made('quiet').enrol(profileUrl)
})
after(async () => {
  for (const device of devices.values()) device.close()
  await home?.stop()
  await apns?.close()
})

function made(name: string, options: Partial<DeviceOptions> = {}): Device {
  const device = createDevice({ seed: name, model: 'iphone', ...options })
  devices.set(name, device)
  return device
}
const idle = encodeXmlPlist({ UDID: 'U', Status: 'Idle' })
const comes = (device: Device) => device.send('connect', idle)
const profile = (device: Device) => device.http.send(profileUrl)
const capabilities = ({ state, http }: Device) => http.send(`${state.enrolment!.scep.url}?operation=GetCACaps`)

function isLater({ status, headers, body }: Answer) {
  assert.equal(status, 503, body.toString())
  assert.match(headers['retry-after'] ?? '', /^\d+$/)
  assert.match(body.toString(), /^UNAVAILABLE: [^\n]{10,100}\n$/)
}

/** What needs neither database, vault nor ledger. */
async function isServed(device: Device) {
  assert.equal((await capabilities(device)).status, 200)
  assert.equal((await fetch(home.urls.edge)).status, 404)
}

/** A device that nothing waits for. After a 503 it is woken, once all is well: it may not come back by itself. */
async function quietDevice() {
  const quiet = devices.get('quiet')!
  const pushes = () => apns.received.filter(({ token }) => token === quiet.push.token.toString('hex')).length
  await until(async () => (await comes(quiet)).status === 200)
  await home.database.query('delete from edge.wake where device_id = $1', [idOf(quiet)])
  const before = pushes()
  return { quiet, isWoken: () => until(() => pushes() > before) }
}

/** Works again: as before for a device that was there, which has answered its command by then, and for a new one. */
async function isWell(device: Device, answered = order) {
  await until(async () => (await comes(device).catch(() => undefined))?.status === 200)
  await until(async () => (await profile(device)).status === 200)
  await device.connect()
  await hasAnswered(device, answered)
}
async function hasAnswered(device: Device, answered = order) {
  const of = [answered, idOf(device)]
  const { rows } = await home.database.query('select state from edge.result where order_id = $1 and device_id = $2', of)
  assert.deepEqual(rows, [{ state: 'acknowledged' }])
}

const signal = (pids: number[], name: NodeJS.Signals) => {
  assert.ok(pids.length > 0)
  for (const pid of pids) process.kill(pid, name)
}
/** The postmaster and all its children. */
function postgres(): number[] {
  const main = postmaster(home.home)!
  const parent = (pid: number) => {
    try {
      return Number(/^PPid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])
    } catch {
      return 0
    }
  }
  return [main, ...[...processes()].map(({ pid }) => pid).filter(pid => parent(pid) === main)]
}

test('PostgreSQL is killed: devices are told to come back, are woken, and no order is lost', async () => {
  const device = devices.get('postgres-killed')!
  const { quiet, isWoken } = await quietDevice()
  signal(postgres(), 'SIGKILL')
  for (const answer of await Promise.all([comes(quiet), comes(device)])) isLater(answer)
  await isServed(device)
  await isWoken()
  await isWell(device)
})

test('PostgreSQL hangs: devices and askers for a profile are told to come back, and no order is lost', async () => {
  const device = devices.get('postgres-hangs')!
  const fresh = (await home.invite()).profileUrl
  const { quiet, isWoken } = await quietDevice()
  const frozen = postgres()
  signal(frozen, 'SIGSTOP')
  try {
    const asked = Promise.all([comes(device), comes(quiet), device.http.send(fresh)])
    await isServed(device)
    for (const answer of await asked) isLater(answer)
  } finally {
    signal(frozen, 'SIGCONT')
  }
  await isWoken()
  await isWell(device)
})

test('the vault is killed: who wants a profile is told to come back, and devices are served', async () => {
  const device = devices.get('vault')!
  signal(home.pids('vault'), 'SIGKILL')
  isLater(await profile(device))
  assert.equal(await device.connect(), 1)
  await isServed(device)
  await isWell(device)
})

test('vault and ledger hang: who wants a profile, approves or has work waiting is told to come back, and nothing is lost', async () => {
  const device = devices.get('vault-hangs')!
  const waiting = await home.draft('--action', 'SecurityInfo', '--device', idOf(device))
  const frozen = [...home.pids('vault'), ...home.pids('ledger')]
  signal(frozen, 'SIGSTOP')
  try {
    const approved = assert.rejects(home.approve(waiting), ({ stderr }: Error & { stderr: string }) => {
      assert.equal(JSON.parse(stderr.trimEnd().split('\n').at(-1)!).code, 'UNAVAILABLE')
      return true
    })
    const asked = profile(device)
    isLater(await comes(device)) // what was approved before goes out with the ledger's word alone
    isLater(await asked)
    await approved
  } finally {
    signal(frozen, 'SIGCONT')
  }
  await until(async () => (await device.connect().catch(() => 0)) === 1)
  await isWell(device)
  const shown = await home.show(waiting)
  assert.deepEqual([shown.state, shown.devices.map(({ state }) => state)], ['draft', ['pending']])
  assert.equal((await home.database.query('select 1 from edge.pending where order_id = $1', [waiting])).rowCount, 0)

  await home.approve(waiting)
  await isWell(device, waiting)
  assert.equal(device.executed.filter(({ requestType }) => requestType === 'SecurityInfo').length, 1)
})

test('the ledger is killed while it is asked: what it promised is there, and the next approval counts', async () => {
  const device = devices.get('ledger')!
  const size = async () => Number((await (await fetch(`${home.urls.ledger}/main/checkpoint`)).text()).split('\n')[1])
  const before = await size()
  signal(home.pids('ledger'), 'SIGKILL')
  await until(async () => (await device.connect().catch(() => 0)) === 1)
  await until(async () => (await size().catch(() => 0)) >= before)
  await isWell(device)
  const next = await home.order('--action', 'SecurityInfo', '--device', idOf(device))
  await isWell(device, next)
})

test('watch and console are killed: no device notices, and both come back', async () => {
  const device = devices.get('others')!
  const before = ['watch', 'console'].map(name => home.pids(name)[0])
  signal([...home.pids('watch'), ...home.pids('console')], 'SIGKILL')
  assert.equal(await device.connect(), 1)
  assert.equal((await profile(device)).status, 200)
  await until(() => ['watch', 'console'].every((name, at) => ![undefined, before[at]].includes(home.pids(name)[0])))
  await until(() =>
    home.console.get('/api/groups').then(
      () => true,
      () => false,
    ),
  )
  await hasAnswered(device)
})

test('the parser dies over a message: its sender is told to come back, and all who ask later are served', async () => {
  const device = devices.get('parser')!
  const { quiet, isWoken } = await quietDevice()
  const parsers = home.pids('intake')
  signal(parsers, 'SIGSTOP')
  const asked = comes(quiet)
  await isServed(device) // answered behind it: by now the message is with the parser
  signal(parsers, 'SIGKILL')
  isLater(await asked)
  assert.equal((await comes(device)).status, 200)
  await isWoken()
  await isWell(device)
})

test('the edge is killed: its devices come again, and get what waited for them', async () => {
  const device = devices.get('edge')!
  await home.renew('edge')
  await isWell(device)
})

test('an enrolment that was cut off after its use was logged is taken up again, and uses nothing more', async () => {
  const one = await home.invite()
  const device = made('cut', { keys: await makeKeys('rsa') })
  const bytes = (await device.http.send(one.profileUrl)).body
  const consumed = async () =>
    (await home.database.query('select count(*)::int as n from vault.certificate')).rows[0].n as number
  const before = await consumed()
  // The row of the certificate is the last step: while it cannot be stored, the vault ends.
  const lock = await home.database.connect()
  try {
    await lock.query('begin; lock table vault.certificate in share row exclusive mode')
    const refused = assert.rejects(device.install(bytes), /PKIOperation answered 503/)
    const waits = `select pid from pg_stat_activity where wait_event_type = 'Lock' and query like '%vault.certificate%'`
    const waiting = await until(async () => (await home.database.query<{ pid: number }>(waits)).rows[0])
    signal(home.pids('vault'), 'SIGKILL')
    await refused
    await home.database.query('select pg_terminate_backend($1)', [waiting.pid]) // else it stores the row of a dead vault
    await until(async () => (await home.database.query(waits)).rowCount === 0)
  } finally {
    await lock.query('rollback')
    lock.release()
  }
  assert.equal(await consumed(), before)
  await until(async () => (await profile(device)).status === 200)
  assert.match((await device.http.send(one.profileUrl)).body.toString(), /used up/) // its one use is logged

  await device.enrol(bytes)
  assert.equal(await consumed(), before + 1)
  assert.equal(await device.connect(), 0)
  await assert.rejects(made('late').enrol(one.profileUrl), /\(403\): The invitation is used up/)
})
