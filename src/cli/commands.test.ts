import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { createPrivateKey, randomBytes } from 'node:crypto'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type TestDatabase, testDatabase } from '../../test/support/database.ts'
import { enrolDevice } from '../../test/support/enrol.ts'
import { decoders } from '../../test/support/vault.ts'
import { silentLog } from '../base/log.ts'
import type { Order } from '../console/api.ts'
import { openDatabase } from '../console/database.ts'
import { openDesk } from '../console/desk.ts'
import { type Console, startConsole } from '../console/server.ts'
import type { Ledger } from '../ledger/api.ts'
import { followFrom, ledgerClient } from '../ledger/client.ts'
import { type RunningLedger, startLedger } from '../ledger/server.ts'
import { orderDigest } from '../trust/order.ts'
import { openGenesis, type Trusted } from '../trust/roster.ts'
import { vaultForConsole } from '../vault/client.ts'
import { loadVaultKeys } from '../vault/keys.ts'
import { startVault } from '../vault/server.ts'
import { decodePlist, encodeBinaryPlist } from '../wire/plist/plist.ts'
import { consoleClient } from './client.ts'
import { dataPath, genesisPath, keysPath, prepareHome, readHomeConfig, socketPath, writeHomeConfig } from './home.ts'
import { initHome } from './init.ts'

const folder = mkdtempSync(join(tmpdir(), 'bh-'))
const home = join(folder, 'h')
const passkey = join(folder, 'owner.json')
const closers: (() => unknown)[] = []
let database: TestDatabase
let trusted: Trusted
let ledger: RunningLedger
let phone: { device: string; alias: string }
let second: typeof phone

// biome-ignore lint/suspicious/noExplicitAny: tests look into answers field by field
type Ran = { status: number; out: string; err: string; json: any }

const bulkhead = (...words: string[]) => bulkheadAt(home, ...words)
function bulkheadAt(home: string, ...words: string[]): Promise<Ran> {
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
  await initHome({
    home,
    owner: 'brisk-heron',
    software: { 'brisk-heron': passkey, 'calm-otter': `${passkey}.second` },
    appPort: 4780,
  })
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
    genesis,
    trusted,
    keys: { main: key('main'), control: key('control'), clock: key('clock') },
    clock: Date.now,
    sockets: {
      console: socketPath(home, 'ledger', 'console'),
      vault: socketPath(home, 'ledger', 'vault'),
      supervisor: socketPath(home, 'ledger', 'cli'),
    },
    http: { host: '127.0.0.1', port: 0 },
    log: silentLog,
  })
  const urls = { edge: 'http://127.0.0.1:1', console: '', app: '', ledger: ledger.url, edgeTls: '' }
  const keys = loadVaultKeys(keysPath(home, 'vault'))
  const toLedger = ledgerClient({ path: socketPath(home, 'ledger', 'vault') })
  const pinned = trusted
  const followed = (from: Pick<Ledger, 'control'>, of: string) => {
    const file = join(dataPath(home, of), 'control.json')
    const following = followFrom({ ledger: from, genesis, pinned, file, log: silentLog, trace: () => {} })
    closers.push(following.close)
    return following
  }
  const vault = await startVault({
    config: { serves: { console: socketPath(home, 'vault', 'console') }, dataDir: dataPath(home, 'vault'), urls },
    keys,
    pinned: trusted,
    control: followed(toLedger, 'vault').view,
    pg: database.connect('vault'),
    ledger: toLedger,
    intake: decoders(),
    clock: () => Math.floor(Date.now() / 1000),
    random: randomBytes,
    log: silentLog,
    trace: () => {},
  })
  const fromConsole = {
    ledger: ledgerClient({ path: socketPath(home, 'ledger', 'console') }),
    vault: vaultForConsole(socketPath(home, 'vault', 'console')),
  }
  const db = openDatabase(database.config('console'), silentLog)
  const parts = {
    db,
    genesis,
    pinned: trusted,
    control: followed(fromConsole.ledger, 'console').view,
    ...fromConsole,
    urls,
    deviceUrl: urls.edge,
    log: silentLog,
    trace: () => {},
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
  second = await enrolDevice(enrol, {})
}

test('nothing runs: the command says so and how to start it', async () => {
  const { status, json } = await bulkhead('device', 'list', '--json')
  assert.equal(status, 1)
  assert.equal(json.code, 'NOT_RUNNING')
  assert.match(json.remedy, /bulkhead up --home/)
})

test('a home without an installation is called so, and not merely stopped', async () => {
  const nowhere = join(folder, 'nowhere')
  for (const words of [
    ['device', 'list'],
    ['ledger', 'key'],
  ]) {
    const { json } = await bulkheadAt(nowhere, ...words)
    assert.equal(json.code, 'NOT_INITIALISED')
    assert.match(json.message, /no installation in .*nowhere/)
    assert.match(json.remedy, /bulkhead up --home/)
  }
  assert.ok(!existsSync(nowhere))
})

test('help is no error: of one command, of those with the same first word, and of run', async () => {
  for (const [words, told] of [
    [['run', '--help'], /usage: bulkhead run/],
    [['ledger', '--help'], /ledger fsck/],
    [['order', 'create', '-h'], /--unknown-action/],
  ] as const) {
    const { status, out } = await bulkhead(...words)
    assert.equal(status, 0)
    assert.match(out, told)
  }
  const { json } = await bulkhead(
    'standing',
    'create',
    '--action',
    'ProfileList',
    '--reason',
    'x',
    '--trigger',
    'dayly',
  )
  assert.deepEqual([json.code, /daily/.test(json.remedy)], ['USAGE', true])
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
  const aliases = (devices.json as { alias: string }[]).map(({ alias }) => alias)
  assert.deepEqual(aliases.sort(), [phone.alias, second.alias].sort())

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
  const { order, digest } = drafted.json
  assert.deepEqual(drafted.json, { order, class: 'read', quorum: 1, devices: 1, digest })
  const { statement } = await consoleClient(home).get<Order>(`/api/orders/${order}`)
  assert.equal(digest, orderDigest(statement, trusted).toString('hex'))

  const stranger = await bulkhead('order', 'approve', order, '--passkey', join(folder, 'second.json'))
  assert.equal(stranger.json.code, 'REFUSED')
  const another = await bulkhead('order', 'approve', order, '--digest', digest.replace(/^./, 'g'), '--passkey', passkey)
  assert.deepEqual([another.json.code, another.json.message.includes(digest)], ['UNPROVEN', true])
  const asStanding = await bulkhead('standing', 'approve', order, '--passkey', passkey)
  assert.match(asStanding.json.message, /This is an order/)
  const approved = await bulkhead('order', 'approve', order, '--digest', digest, '--passkey', passkey, '--json')
  assert.equal(approved.json.state, 'approved', approved.err)
  assert.match(approved.err, new RegExp(`DeviceInformation to 1 device \\(${phone.alias}\\)`))
  assert.match(approved.err, /on the device channel, from \d{4}-.*Z until \d{4}-.*Z\./)
  assert.match(approved.err, /Class read\. It changes nothing\./)
  assert.match(
    approved.err,
    /Body:\n {2}RequestType: "DeviceInformation"\n {2}Queries:\n {4}0: "\{\{allowed-queries\}\}"/,
  )

  const shown = (await bulkhead('order', 'show', order, '--json')).json
  assert.equal(shown.order, order)
  assert.deepEqual(shown.devices, [{ device: phone.device, alias: phone.alias, state: 'pending', result: null }])
  assert.equal((await bulkhead('order', 'show', order.slice(0, 8), '--json')).json.order, order)
  for (const [given, code] of [
    ['o7k2mfq', 'NOT_FOUND'],
    ['0000000', 'NOT_FOUND'],
  ] as const)
    assert.deepEqual((await bulkhead('order', 'show', given)).json, {
      code,
      message: given === '0000000' ? 'No order begins with 0000000.' : '"o7k2mfq" is not the id of an order.',
      remedy: 'See: bulkhead order list',
    })
  const short = await bulkhead('order', 'approve', order.slice(0, 8), '--passkey', passkey)
  assert.deepEqual([short.json.code, /--digest/.test(short.json.remedy)], ['USAGE', true])
  const again = await bulkhead('order', 'approve', order.slice(0, 8), '--digest', digest, '--passkey', passkey)
  assert.deepEqual([again.json.code, /Approved by/.test(again.err)], ['CONFLICT', false])
  assert.equal((await bulkhead('order', 'cancel', order, '--passkey', passkey, '--json')).json.state, 'cancelled')
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

test('a mistyped action drafts nothing; one that is new can be drafted, and whoever approves it is told', async () => {
  const words = ['order', 'create', '--device', phone.alias, '--reason', 'why', '--json', '--action', 'DeviceInfo']
  const before = (await bulkhead('order', 'list', '--json')).json.length
  const { status, json } = await bulkhead(...words)
  assert.deepEqual([status, json.code], [1, 'BAD_REQUEST'])
  assert.match(json.remedy, /^Did you mean DeviceInformation\?.*--unknown-action/)
  assert.equal((await bulkhead('order', 'list', '--json')).json.length, before)
  const meant = await bulkhead(...words, '--unknown-action')
  assert.equal(meant.json.class, 'destroy', meant.err)
  const approved = await bulkhead('order', 'approve', meant.json.order, '--passkey', passkey)
  assert.match(approved.err, /No such command is known here: DeviceInfo\./)
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

/** A console that was captured: it passes on what the command line asks, changed. Its home holds what is public. */
async function startLiar(change: (method: string, path: string, body: string) => [string, string]) {
  const at = prepareHome(join(folder, 'l'))
  copyFileSync(genesisPath(home), genesisPath(at))
  writeHomeConfig(at, readHomeConfig(home))
  rmSync(socketPath(at, 'ledger', 'cli'), { force: true })
  symlinkSync(socketPath(home, 'ledger', 'cli'), socketPath(at, 'ledger', 'cli')) // the ledger is the true one
  let rename: [string, string] | undefined
  const server = createServer(async (asked, answer) => {
    let text = ''
    for await (const chunk of asked) text += chunk
    const [path, body] = change(asked.method!, asked.url!, text)
    const headers = body === '' ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
    const options = { socketPath: socketPath(home, 'console', 'cli'), method: asked.method!, path, headers }
    const passed = request(options, async response => {
      let shown = ''
      for await (const chunk of response) shown += chunk
      if (rename) shown = shown.replace(`"order":"${rename[0]}"`, `"order":"${rename[1]}"`)
      answer.writeHead(response.statusCode!, { 'content-type': 'application/json' }).end(shown)
    })
    passed.end(body)
  })
  await new Promise<void>(done => server.listen(socketPath(at, 'console', 'cli'), done))
  closers.push(() => server.close())
  return {
    home: at,
    rename: (from: string, to: string) => {
      rename = [from, to]
    },
    close: () => new Promise(done => server.close(done)),
  }
}

test('a captured console that shows another order than the one named gets no signature', async () => {
  const draft = async (action: string) =>
    (await bulkhead('order', 'create', '--action', action, '--all', '--reason', 'why', '--json')).json.order
  const [meant, other] = [await draft('ProfileList'), await draft('CertificateList')]
  const liar = await startLiar((_, path, body) => [path.replace(meant, other), body])
  const approve = () => bulkheadAt(liar.home, 'order', 'approve', meant, '--passkey', passkey)
  assert.match((await approve()).json.message, /its id differs. Nothing was signed/)
  liar.rename(other, meant) // under the right id, but the statement has its own
  assert.match((await approve()).json.message, /its statement differs. Nothing was signed/)
  for (const order of [meant, other])
    assert.equal((await bulkhead('order', 'show', order, '--json')).json.approvals.length, 0)
  await liar.close()
})

test('a captured console that drafts another order than was typed is found out, also where the body is sealed', async () => {
  let lie = (asked: Record<string, unknown>) => asked
  const liar = await startLiar((method, path, body) =>
    method === 'POST' ? [path, JSON.stringify(lie(JSON.parse(body)))] : [path, body],
  )
  const pin = join(folder, 'pin')
  writeFileSync(pin, '123456\n')
  const create = async (...words: string[]) =>
    (await bulkheadAt(liar.home, 'order', 'create', ...words, '--reason', 'why', '--json')).json
  const list = ['--action', 'ProfileList', '--device', phone.alias]
  const lock = ['--action', 'DeviceLock', '--set', `PIN=@${pin}`, '--device', phone.device]

  const honest = await create(...lock, '--expires', '12h')
  assert.deepEqual([honest.class, honest.devices], ['destroy', 1], JSON.stringify(honest))
  const differs: [string, string[], typeof lie][] = [
    ['action', list, asked => ({ ...asked, action: 'CertificateList' })],
    ['channel', list, asked => ({ ...asked, channel: 'user' })],
    ['body', lock, asked => ({ ...asked, set: ['PIN=654321'] })],
    ['expiry', [...list, '--expires', '1h'], asked => ({ ...asked, expiresInSeconds: 86_400 })],
    ['group', ['--action', 'ProfileList', '--all'], ({ all: _, ...asked }) => ({ ...asked, group: 'filled' })],
    ['devices', list, asked => ({ ...asked, devices: [second.device] })],
    ['devices', list, asked => ({ ...asked, devices: [phone.device, second.device] })],
  ]
  await bulkhead('group', 'create', 'filled', '--passkey', passkey)
  await bulkhead('group', 'add', 'filled', phone.alias, '--passkey', passkey)
  for (const [what, words, change] of differs) {
    lie = change
    const { code, message } = await create(...words)
    assert.deepEqual([what, code], [what, 'UNPROVEN'], message)
    assert.match(message, new RegExp(`its ${what} differs`))
  }
  lie = asked => ({ ...asked, trigger: 'daily' })
  const standing = ['standing', 'create', '--action', 'ProfileList', '--reason', 'why']
  assert.match((await bulkheadAt(liar.home, ...standing)).json.message, /its trigger differs/)
  await liar.close()
})

test('a captured console cannot choose the group that a device will join', async () => {
  await bulkhead('group', 'create', 'others', '--passkey', passkey)
  const liar = await startLiar((_, path, body) => [path.replace('/groups/kiosks', '/groups/others'), body])
  const invite = await bulkheadAt(liar.home, 'invite', 'create', '--group', 'kiosks', '--passkey', passkey)
  assert.equal(invite.json.code, 'UNPROVEN')
  assert.match(invite.json.message, /the group kiosks. Nothing was signed/)
  await liar.close()
})

test('what an honest console drafts is what the command line expects, for bodies of every kind', async () => {
  const payload = `<dict><key>PayloadType</key><string>com.apple.webClip.managed</string><key>PayloadIdentifier</key><string>a.b</string>
    <key>PayloadUUID</key><string>u</string><key>PayloadVersion</key><integer>1</integer><key>Label</key><string>Desk</string>
    <key>URL</key><string>https://example.org/</string></dict>`
  const profile = (within: string) => `<?xml version="1.0" encoding="UTF-8"?><plist version="1.0"><dict>${within}
    <key>PayloadType</key><string>Configuration</string><key>PayloadIdentifier</key><string>a</string><key>PayloadUUID</key>
    <string>v</string><key>PayloadVersion</key><integer>1</integer><key>PayloadContent</key><array>${payload}</array></dict></plist>`
  const bodies = {
    plain: profile(''),
    commented: profile('<!-- by hand -->'),
    binary: encodeBinaryPlist(decodePlist(Buffer.from(profile('')))),
    secret: profile('<!-- x --><key>HasRemovalPasscode</key><true/>').replace(
      '<key>URL',
      '<key>Password</key><string>s</string><key>URL',
    ),
    signed: Buffer.from('3003020100', 'hex'),
  }
  for (const [name, bytes] of Object.entries(bodies)) {
    const file = join(folder, name)
    writeFileSync(file, bytes)
    const words = ['--action', 'InstallProfile', '--body', file, '--device', phone.alias, '--reason', 'why', '--json']
    const { status, err, json } = await bulkhead('order', 'create', ...words)
    assert.equal(status, 0, `${name}: ${err}`)
    if (name !== 'commented') continue
    const approved = await bulkhead('order', 'approve', json.order, '--digest', json.digest, '--passkey', passkey)
    assert.match(approved.err, / {8}URL: "https:\/\/example.org\/"\n/)
  }
  for (const words of [['ClearPasscode'], ['DeviceInformation', '--set', 'Queries=OSVersion,UDID']]) {
    const { status, err } = await bulkhead(
      'order',
      'create',
      '--device',
      phone.alias,
      '--reason',
      'why',
      '--action',
      ...words,
    )
    assert.equal(status, 0, err)
  }
})

test('a value that begins with @ is written @@, and a file that is not there is named', async () => {
  const lost = ['order', 'create', '--action', 'EnableLostMode', '--device', phone.alias, '--reason', 'why', '--json']
  const { json, err } = await bulkhead(...lost, '--set', 'Message=@@home', '--set', 'PhoneNumber=1')
  const { body } = await consoleClient(home).get<Order>(`/api/orders/${json.order}`)
  assert.match(Buffer.from(body!, 'base64').toString(), /<string>@home<\/string>/, err)
  const none = await bulkhead(...lost, '--set', 'Message=@/nowhere')
  assert.deepEqual([none.json.code, none.json.message.includes('/nowhere')], ['NOT_FOUND', true])
})

test('another genesis than the pinned one is refused before anything is signed', async () => {
  const genesis = readFileSync(genesisPath(home), 'utf8')
  writeFileSync(genesisPath(home), genesis.replace('"destroy":2', '"destroy":1'))
  const { json } = await bulkhead('invite', 'create', '--passkey', passkey, '--json')
  writeFileSync(genesisPath(home), genesis)
  assert.equal(json.code, 'UNPROVEN')
})
