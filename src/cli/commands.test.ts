import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { createPrivateKey, randomBytes } from 'node:crypto'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type TestDatabase, testDatabase } from '../../test/support/database.ts'
import { enrolDevice } from '../../test/support/enrol.ts'
import { decoders } from '../../test/support/vault.ts'
import { silentLog } from '../base/log.ts'
import { openDatabase } from '../console/database.ts'
import { openDesk } from '../console/desk.ts'
import { type Console, startConsole } from '../console/server.ts'
import { ledgerClient } from '../ledger/client.ts'
import { type RunningLedger, startLedger } from '../ledger/server.ts'
import { openGenesis, type Trusted } from '../trust/roster.ts'
import { vaultForConsole } from '../vault/client.ts'
import { loadVaultKeys } from '../vault/keys.ts'
import { startVault } from '../vault/server.ts'
import { dataPath, genesisPath, keysPath, readHomeConfig, socketPath } from './home.ts'
import { initHome } from './init.ts'

const folder = mkdtempSync(join(tmpdir(), 'bh-'))
const home = join(folder, 'h')
const passkey = join(folder, 'owner.json')
const closers: (() => unknown)[] = []
let database: TestDatabase
let trusted: Trusted
let ledger: RunningLedger
let phone: { device: string; alias: string }

// biome-ignore lint/suspicious/noExplicitAny: tests look into answers field by field
type Ran = { status: number; out: string; err: string; json: any }

function bulkhead(...words: string[]): Promise<Ran> {
  const flags = ['--disallow-code-generation-from-strings', '--disable-proto=delete', 'src/cli/main.ts']
  return new Promise(resolve =>
    execFile(process.execPath, [...flags, ...words, '--home', home], (error, out, err) =>
      resolve({
        status: error ? Number(error.code) : 0,
        out,
        err,
        json: parsed(out) ?? parsed(err.trim().split('\n').at(-1)!),
      }),
    ),
  )
}
const parsed = (text: string) => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

before(async () => {
  chmodSync(folder, 0o755) // as root, other users pass through it
  await initHome({ home, owner: 'brisk-heron', software: { 'brisk-heron': passkey }, appPort: 4780 })
})
after(async () => {
  for (const close of closers.reverse()) await close()
  rmSync(folder, { recursive: true, force: true })
})

async function start() {
  const genesis = readFileSync(genesisPath(home), 'utf8')
  trusted = openGenesis(genesis, readHomeConfig(home).genesisDigest!)
  database = await testDatabase()
  const key = (name: string) => createPrivateKey(readFileSync(join(keysPath(home, 'ledger'), `${name}.key`)))
  ledger = await startLedger({
    dir: dataPath(home, 'ledger'),
    name: trusted.roster.name,
    keys: { main: key('main'), control: key('control'), clock: key('clock') },
    clock: Date.now,
    sockets: { console: socketPath(home, 'ledger', 'console'), vault: socketPath(home, 'ledger', 'vault') },
    http: { host: '127.0.0.1', port: 0 },
    log: silentLog,
  })
  const urls = { edge: 'http://127.0.0.1:1', console: '', app: '', ledger: ledger.url, edgeTls: '' }
  const keys = loadVaultKeys(keysPath(home, 'vault'))
  const toLedger = ledgerClient({ path: socketPath(home, 'ledger', 'vault') })
  const vault = await startVault({
    config: { serves: { console: socketPath(home, 'vault', 'console') }, dataDir: dataPath(home, 'vault'), urls },
    keys,
    trusted,
    pg: database.connect('vault'),
    ledger: toLedger,
    intake: decoders(),
    clock: () => Math.floor(Date.now() / 1000),
    random: randomBytes,
    log: silentLog,
  })
  const fromConsole = {
    ledger: ledgerClient({ path: socketPath(home, 'ledger', 'console') }),
    vault: vaultForConsole(socketPath(home, 'vault', 'console')),
  }
  const db = openDatabase(database.config('console'), silentLog)
  const parts = {
    db,
    genesis,
    trusted,
    ...fromConsole,
    urls,
    deviceUrl: urls.edge,
    log: silentLog,
    now: () => new Date(),
  }
  const console: Console = await startConsole(openDesk(parts), {
    http: { host: '127.0.0.1', port: 0 },
    socket: socketPath(home, 'console', 'cli'),
  })
  closers.push(
    () => database.drop(),
    ledger.close,
    () => toLedger.close(),
    vault.close,
    () => fromConsole.ledger.close(),
    () => fromConsole.vault.close(),
    console.close,
  )
  const owner = database.connect('owner')
  const enrol = {
    owner,
    genesisDigest: trusted.genesisDigest,
    voucherKey: keys.voucher,
    unit: trusted.roster.units[0]!.id,
  }
  phone = await enrolDevice(enrol, {})
}

test('nothing runs: the command says so and how to start it', async () => {
  const { status, json } = await bulkhead('device', 'list', '--json')
  assert.equal(status, 1)
  assert.equal(json.code, 'NOT_RUNNING')
  assert.match(json.remedy, /bulkhead up --home/)
})

test('keys and files stand without anything running', async () => {
  const { out } = await bulkhead('ledger', 'key')
  assert.match(out, /^bulkhead-[0-9a-f]{8}\/main\+[0-9a-f]{8}\+/)
  assert.equal(statSync(passkey).mode & 0o777, 0o600)
  const other = join(folder, 'second.json')
  assert.equal((await bulkhead('passkey', 'create', other, '--alias', 'calm-otter', '--json')).json.alias, 'calm-otter')
  assert.ok(existsSync(other))
})

test('an order from the command line: drafted, refused to a stranger, approved, shown, cancelled', async () => {
  await start()
  const devices = await bulkhead('device', 'list', '--json')
  assert.deepEqual(Object.keys(devices.json[0]).sort(), ['alias', 'device', 'lastSeen', 'platform', 'state', 'tier'])
  assert.equal(devices.json[0].alias, phone.alias)

  const drafted = await bulkhead(
    'order',
    'create',
    '--action',
    'DeviceInformation',
    '--device',
    phone.alias,
    '--reason',
    'why',
    '--json',
  )
  assert.equal(drafted.status, 0, drafted.err)
  assert.deepEqual(drafted.json, { order: drafted.json.order, class: 'read', quorum: 1, devices: 1 })
  const { order } = drafted.json

  const stranger = await bulkhead('order', 'approve', order, '--passkey', join(folder, 'second.json'))
  assert.equal(stranger.json.code, 'REFUSED')
  const approved = await bulkhead('order', 'approve', order, '--passkey', passkey, '--json')
  assert.equal(approved.json.state, 'approved', approved.err)
  assert.match(approved.err, new RegExp(`DeviceInformation to 1 device \\(${phone.alias}\\)`))
  assert.match(approved.err, /Class read\. It changes nothing\./)

  const shown = (await bulkhead('order', 'show', order, '--json')).json
  assert.equal(shown.order, order)
  assert.deepEqual(shown.devices, [{ device: phone.device, alias: phone.alias, state: 'pending', result: null }])
  assert.equal((await bulkhead('order', 'cancel', order, '--json')).json.state, 'cancelled')
  assert.match((await bulkhead('order', 'list')).out, new RegExp(`${order}.*DeviceInformation.*cancelled`))
})

test('a command that the tier does not allow is refused with words', async () => {
  const { status, json } = await bulkhead(
    'order',
    'create',
    '--action',
    'EraseDevice',
    '--device',
    phone.alias,
    '--reason',
    'why',
  )
  assert.equal(status, 1)
  assert.equal(json.code, 'RIGHT_MISSING')
  assert.match(json.message, new RegExp(phone.alias))
  const none = await bulkhead('order', 'create', '--action', 'ProfileList', '--reason', 'why')
  assert.deepEqual([none.status, none.json.code], [64, 'USAGE'])
})

test('a changed body or target list is not signed', async () => {
  const { order } = (await bulkhead('order', 'create', '--action', 'ProfileList', '--all', '--reason', 'why', '--json'))
    .json
  const owner = database.connect('owner')
  const { rows } = await owner.query('select body from console.orders where order_id = $1', [order])
  const changed = Buffer.from(rows[0].body.toString().replace('ProfileList', 'EraseDevice'))
  await owner.query('update console.orders set body = $2 where order_id = $1', [order, changed])
  const body = await bulkhead('order', 'approve', order, '--passkey', passkey)
  assert.match(body.json.message, /its body differs\. Nothing was signed/)
  await owner.query('update console.orders set body = $2, targets = $3 where order_id = $1', [
    order,
    rows[0].body,
    [order],
  ])
  assert.match((await bulkhead('order', 'approve', order, '--passkey', passkey)).json.message, /its devices differs/)
})

test('groups are made, filled and emptied by signed versions', async () => {
  const made = await bulkhead('group', 'create', 'kiosks', '--passkey', passkey, '--json')
  assert.deepEqual([made.json.alias, made.json.version], ['kiosks', 0], made.err)
  assert.equal((await bulkhead('group', 'add', 'kiosks', phone.alias, '--passkey', passkey, '--json')).json.devices, 1)
  assert.deepEqual((await bulkhead('group', 'list', '--json')).json, [
    { group: made.json.group, alias: 'kiosks', version: 1, devices: 1 },
  ])
  assert.equal((await bulkhead('group', 'list', 'kiosks', '--json')).json[0].alias, phone.alias)
  const order = await bulkhead(
    'order',
    'create',
    '--action',
    'ProfileList',
    '--group',
    'kiosks',
    '--reason',
    'why',
    '--json',
  )
  assert.equal(order.json.devices, 1)
  assert.equal(
    (await bulkhead('group', 'remove', 'kiosks', phone.alias, '--passkey', passkey, '--json')).json.devices,
    0,
  )
})

test('an invitation is one line of JSON with its links', async () => {
  const words = [
    'invite',
    'create',
    '--platform',
    'apple',
    '--tier',
    'no-wipe',
    '--group',
    'kiosks',
    '--uses',
    '3',
    '--expires',
    '12h',
  ]
  const { status, json, err } = await bulkhead(...words, '--passkey', passkey, '--json')
  assert.equal(status, 0, err)
  assert.deepEqual(Object.keys(json), ['invitation', 'url', 'profileUrl', 'expiresAt'])
  assert.equal(json.profileUrl, `${json.url}/profile`)
  const hours = (Date.parse(json.expiresAt) - Date.now()) / 3600_000
  assert.ok(hours > 11.9 && hours <= 12)
  assert.equal((await bulkhead('invite', 'create', '--tier', 'total', '--passkey', passkey)).json.code, 'USAGE')
})

test('standing orders, push and the ledger answer too', async () => {
  const standing = await bulkhead(
    'standing',
    'create',
    '--action',
    'DeviceInformation',
    '--trigger',
    'daily',
    '--reason',
    'why',
    '--json',
  )
  assert.equal(
    (await bulkhead('standing', 'approve', standing.json.order, '--passkey', passkey, '--json')).json.state,
    'approved',
  )
  assert.match((await bulkhead('standing', 'list')).out, /DeviceInformation.*approved.*every/)
  assert.equal((await bulkhead('push', 'show', '--json')).json.placeholder, true)
  assert.match((await bulkhead('push', 'csr')).out, /BEGIN CERTIFICATE REQUEST/)
  assert.deepEqual((await bulkhead('ledger', 'url', '--json')).json, {
    main: `${ledger.url}/main`,
    control: `${ledger.url}/control`,
  })
  const fsck = await bulkhead('ledger', 'fsck')
  assert.equal(fsck.status, 0, fsck.out)
  assert.match(fsck.out, /^main: \d+ entries under the checkpoint, 0 findings$/m)
})

test('another genesis than the pinned one is refused before anything is signed', async () => {
  const genesis = readFileSync(genesisPath(home), 'utf8')
  writeFileSync(genesisPath(home), genesis.replace('"destroy":1', '"destroy":2'))
  const { json } = await bulkhead('invite', 'create', '--passkey', passkey, '--json')
  writeFileSync(genesisPath(home), genesis)
  assert.equal(json.code, 'UNPROVEN')
})
