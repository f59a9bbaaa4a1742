import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { type KeyObject, randomUUID } from 'node:crypto'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { testRoster } from '../../test/support/roster.ts'
import { silentLog } from '../base/log.ts'
import { rpcClient } from '../base/rpc.ts'
import { canonical } from '../trust/canonical.ts'
import { decodeBundle } from '../wire/tlog/tile.ts'
import type { Appended, Caller, Delivery } from './api.ts'
import { openHead } from './checkpoint.ts'
import { ledgerClient } from './client.ts'
import { openDisk } from './disk.ts'
import { fsck } from './fsck.ts'
import { startLedger } from './server.ts'

const place = mkdtempSync(join(tmpdir(), 'blkl-'))
after(() => rmSync(place, { recursive: true, force: true }))
const { genesis, trusted, ledger: keys } = testRoster()
const signingOf = (log: 'main' | 'control') => ({
  origin: `example.test/${log}`,
  key: keys[log],
  clockName: 'example.test/clock',
  clockKey: keys.clock,
})
let dirs = 0

type Client = ReturnType<typeof ledgerClient>
async function start(dir = join(place, String(dirs++)), clock = Date.now) {
  const socketOf = (caller: Caller) => join(place, `${caller}${dirs}`)
  const sockets = { edge: socketOf('edge'), watch: socketOf('watch'), console: socketOf('console') }
  const http = { host: '127.0.0.1', port: 0 }
  const running = await startLedger({
    dir,
    name: 'example.test',
    genesis,
    trusted,
    keys,
    clock,
    sockets,
    http,
    log: silentLog,
  })
  const [edge, watch, desk] = [sockets.edge, sockets.watch, sockets.console].map(path => ledgerClient({ path })) as [
    Client,
    Client,
    Client,
  ]
  const close = async () => {
    edge.close()
    watch.close()
    desk.close()
    await running.close()
  }
  return { dir, sockets, url: running.url, edge, watch, desk, close }
}

/** A path exactly as written: fetch would tidy it. */
function get(url: string, path: string, method = 'GET') {
  return new Promise<{ status: number; headers: Record<string, unknown>; body: Buffer }>((resolve, reject) => {
    const { hostname, port } = new URL(url)
    const asked = request({ hostname, port, path, method, agent: false }, response => {
      const parts: Buffer[] = []
      response.on('data', part => parts.push(part))
      response.on('end', () =>
        resolve({ status: response.statusCode!, headers: response.headers, body: Buffer.concat(parts) }),
      )
    })
    asked.on('error', reject)
    asked.end()
  })
}

async function until<T>(act: () => Promise<T>): Promise<T> {
  for (let tries = 0; ; tries++)
    try {
      return await act()
    } catch (error) {
      if (tries > 100) throw error
      await wait(10)
    }
}

test('an entry has its proof within the sequencing time', async () => {
  const { edge, desk, close } = await start()
  const [first] = (await desk.append({ log: 'main', entries: [{ entry: '{"type":"group"}' }] })) as [Appended]
  const started = performance.now()
  const proof = await until(() => edge.prove({ log: 'main', index: first.index }))
  assert.ok(performance.now() - started < 1000)
  assert.equal(proof.leafHash, first.leafHash)
  assert.equal(openHead(signingOf('main'), proof.checkpoint!).size, 1)
  await close()
})

test('each socket is one caller: watch freezes, the edge does not', async () => {
  const { edge, watch, desk, close } = await start()
  const at = Math.floor(Date.now() / 1000)
  const entry = canonical({ type: 'freeze', unique: 'freeze:0a', at, watch: 'a-rule' })
  const freeze = { log: 'control' as const, entries: [{ entry }] }
  assert.equal(((await edge.append(freeze))[0] as { code: string }).code, 'FORBIDDEN')
  assert.equal(((await desk.append(freeze))[0] as { code: string }).code, 'FORBIDDEN') // in watch's name
  assert.equal(((await watch.append(freeze))[0] as Appended).index, 0)
  const late = canonical({ type: 'freeze', unique: 'freeze:0b', at: at - 3600, watch: 'a-rule' })
  assert.equal(
    ((await watch.append({ log: 'control', entries: [{ entry: late }] }))[0] as { code: string }).code,
    'BAD_REQUEST',
  )
  assert.equal(((await watch.append({ ...freeze, log: 'main' }))[0] as { code: string }).code, 'FORBIDDEN')
  await close()
})

test('parameters of the wrong shape are refused', async () => {
  const { sockets, close } = await start()
  const rpc = rpcClient({ path: sockets.edge, name: 'ledger' })
  const calls: [string, unknown][] = [
    ['append', null],
    ['append', { log: 'other', entries: [] }],
    ['append', { log: 'main', entries: [1] }],
    ['append', { log: 'main', entries: [{ entry: {} }] }],
    ['prove', { log: 'main', index: -1 }],
    ['prove', { log: 'main', index: '0' }],
    ['consistency', { log: 'main', from: 0.5, to: 1 }],
    ['find', { log: 'main', unique: 1 }],
    ['checkpoint', {}],
  ]
  for (const [method, params] of calls) await assert.rejects(rpc.call(method, params), { code: 'BAD_REQUEST' }, method)
  const entries = Array(1001).fill({ entry: '{}' })
  await assert.rejects(rpc.call('append', { log: 'main', entries }), { code: 'LIMIT' })
  rpc.close()
  await close()
})

test('the control log is signed anew when its time grows old; the main log is not', async () => {
  let now = 1_800_000_000_000
  const { edge, close } = await start(undefined, () => now)
  const timeOf = async (log: 'main' | 'control') =>
    openHead(signingOf(log), (await edge.checkpoint({ log })).checkpoint).time
  now += 6000
  await until(async () => assert.equal(await timeOf('control'), now / 1000))
  assert.equal(await timeOf('main'), now / 1000 - 6)
  await close()
})

test('tiles are read over HTTP: full ones for ever, partial ones also from their full tile', async () => {
  const { edge, desk, url, close } = await start()
  const entries = Array.from({ length: 300 }, (_, at) => ({ entry: `{"at":${at},"type":"group"}` }))
  await desk.append({ log: 'main', entries })
  await until(() => edge.prove({ log: 'main', index: 299 }))
  const checkpoint = await get(url, '/main/checkpoint')
  assert.equal(checkpoint.headers['content-type'], 'text/plain; charset=utf-8')
  assert.equal(openHead(signingOf('main'), checkpoint.body.toString()).size, 300)
  const full = await get(url, '/main/tile/0/000')
  assert.equal(full.body.length, 256 * 32)
  assert.match(String(full.headers['cache-control']), /immutable/)
  const narrow = await get(url, '/main/tile/0/000.p/7')
  assert.deepEqual(narrow.body, full.body.subarray(0, 7 * 32))
  assert.doesNotMatch(String(narrow.headers['cache-control']), /immutable/)
  const bundle = await get(url, '/main/tile/entries/000.p/7')
  assert.equal(decodeBundle(bundle.body, 7)[6]!.toString(), entries[6]!.entry)
  assert.equal((await get(url, '/main/tile/entries/001.p/44')).status, 200)
  const head = await get(url, '/main/tile/0/000', 'HEAD')
  assert.deepEqual([head.status, head.headers['content-length'], head.body.length], [200, '8192', 0])
  await close()
})

test('everything else over HTTP is one identical answer', async () => {
  const { url, close } = await start()
  const paths = [
    '/',
    '/main',
    '/main/',
    '/other/checkpoint',
    '/main/checkpoint?x',
    '/main/checkpoint/',
    '//main/checkpoint',
    '/main/tile/0/000',
  ]
  paths.push(
    '/main/journal/0000000000000000',
    '/main/lock.db',
    '/lock.db',
    '/main/../main/checkpoint',
    '/main/tile/../checkpoint',
    '/main/tile/0/../../checkpoint',
  )
  paths.push(
    '/main/%63heckpoint',
    '/main/tile/0/000.p/../../../checkpoint',
    '/main/tile/8/000',
    '/main/tile/0/000.new',
    `/main/tile/${'0/'.repeat(3000)}`,
  )
  const answers = await Promise.all([
    ...paths.map(path => get(url, path)),
    get(url, '/main/checkpoint', 'POST'),
    get(url, '/main/checkpoint', 'DELETE'),
  ])
  for (const { status, headers, body } of answers) {
    const { date: _, ...same } = headers
    assert.deepEqual(
      { status, same, body },
      { status: 404, same: withoutDate(answers[0]!.headers), body: Buffer.from('Not found\n') },
    )
  }
  assert.equal((await get(url, '/main/checkpoint')).status, 200)
  await close()
})
const withoutDate = ({ date: _, ...rest }: Record<string, unknown>) => rest

test('a second ledger on the same store is refused, and the store is free again afterwards', async () => {
  const first = await start()
  await assert.rejects(start(first.dir), { code: 'CONFLICT' })
  await first.close()
  const second = await start(first.dir)
  await second.close()
  assert.ok(!readdirSync(first.dir).some(name => name.endsWith('.new')))
})

const KILLED = `
import { createPrivateKey } from 'node:crypto'
import { silentLog } from './src/base/log.ts'
import { startLedger } from './src/ledger/server.ts'
import { ledgerClient } from './src/ledger/client.ts'
import { genesisDigestOf, openGenesis } from './src/trust/roster.ts'
const { dir, socket, keys, genesis } = JSON.parse(process.env.LEDGER)
const load = pem => createPrivateKey(pem)
await startLedger({ dir, name: 'example.test', keys: { main: load(keys.main), control: load(keys.control), clock: load(keys.clock) }, genesis, trusted: openGenesis(genesis, genesisDigestOf(genesis)), clock: Date.now, sockets: { console: socket }, http: { host: '127.0.0.1', port: 0 }, log: silentLog })
const desk = ledgerClient({ path: socket })
for (let from = 0; ; from += 20) {
  const entries = Array.from({ length: 20 }, (_, at) => ({ entry: JSON.stringify({ type: 'group', unique: 'group:' + (from + at) }) }))
  const outcomes = await desk.append({ log: 'main', entries })
  process.stdout.write(outcomes.at(-1).index + '\\n')
}`

test('a ledger process killed with signal 9 starts again with every entry it had answered', async () => {
  const dir = join(place, 'killed')
  const pem = (key: KeyObject) => key.export({ type: 'pkcs8', format: 'pem' })
  const setup = {
    dir,
    socket: join(place, 'k'),
    genesis,
    keys: { main: pem(keys.main), control: pem(keys.control), clock: pem(keys.clock) },
  }
  const options = { cwd: join(import.meta.dirname, '../..'), env: { ...process.env, LEDGER: JSON.stringify(setup) } }
  const child = spawn(process.execPath, ['--input-type=module', '-e', KILLED], {
    ...options,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let told = ''
  await new Promise<void>(done =>
    child.stdout.on('data', part => {
      told += part
      if (told.split('\n').length > 80) done()
    }),
  )
  child.kill('SIGKILL')
  await new Promise(done => child.once('close', done))
  const answered = Number(told.split('\n').slice(0, -1).at(-1)) // of a line cut off by the kill nothing is known
  const { edge, close } = await start(dir)
  assert.equal(
    (await edge.entry({ log: 'main', index: answered })).entry,
    `{"type":"group","unique":"group:${answered}"}`,
  )
  assert.ok((await edge.prove({ log: 'main', index: answered })).size > answered)
  await close()
  for (const log of ['main', 'control'] as const)
    assert.deepEqual(fsck({ disk: openDisk(), dir: join(dir, log), log, signing: signingOf(log) }).findings, [])
})

const uuid = () => randomUUID()
const delivery = (fields: Partial<Delivery> = {}): Delivery => ({
  command: uuid(),
  order: uuid(),
  device: uuid(),
  class: 'read',
  counted: true,
  ...fields,
})
const verdictsOf = async (edge: Client, deliveries: Delivery[]) =>
  (await edge.deliver({ deliveries, answered: [] })).verdicts

test('a command is granted once on however many edges, until its answer, and after a restart as before', async () => {
  const first = await start()
  const [one, two] = [delivery(), delivery()]
  assert.deepEqual(await verdictsOf(first.edge, [one, two, one]), ['granted', 'granted', 'again'])
  assert.deepEqual(
    await first.edge.deliver({ deliveries: [], answered: [one.command, uuid()] }).then(({ unknown }) => unknown.length),
    1,
  )
  assert.deepEqual(await verdictsOf(first.edge, [one, two]), ['answered', 'again'])
  await first.close()
  const again = await start(first.dir)
  assert.deepEqual(await verdictsOf(again.edge, [one, two, delivery()]), ['answered', 'again', 'granted'])
  await again.close()
})

test('an answer and the next delivery travel together, and the answer counts first', async () => {
  const { edge, close } = await start()
  const one = delivery()
  await verdictsOf(edge, [one])
  const { verdicts, unknown } = await edge.deliver({ deliveries: [one, delivery()], answered: [one.command] })
  assert.deepEqual([verdicts, unknown], [['answered', 'granted'], []])
  await close()
})

test('ten devices are erased within a day, whoever asks and however often the ledger starts again', async () => {
  let now = 1_800_000_000_000
  const erase = () => delivery({ class: 'destroy' })
  const first = await start(undefined, () => now)
  const verdicts = await verdictsOf(first.edge, Array.from({ length: 7 }, erase))
  assert.deepEqual(new Set(verdicts), new Set(['granted']))
  await first.close()
  const second = await start(first.dir, () => now)
  const more = await verdictsOf(second.edge, Array.from({ length: 5 }, erase))
  assert.deepEqual(more, ['granted', 'granted', 'granted', 'budget', 'budget'])
  assert.deepEqual(await verdictsOf(second.edge, [delivery({ class: 'unheardof' })]), ['budget'])
  now += 86_400_000
  assert.deepEqual(await verdictsOf(second.edge, [erase()]), ['granted'])
  await second.close()
})

test('a change of trust reaches ten devices in its first hour, and then all', async () => {
  let now = 1_800_000_000_000
  const { edge, close } = await start(undefined, () => now)
  const order = uuid()
  const trust = () => delivery({ class: 'trust', order })
  const verdicts = await verdictsOf(edge, Array.from({ length: 12 }, trust))
  assert.equal(verdicts.filter(verdict => verdict === 'granted').length, 10)
  assert.deepEqual(await verdictsOf(edge, [delivery({ class: 'trust' })]), ['budget']) // another order has no hour of its own
  now += 3_600_000
  assert.deepEqual(new Set(await verdictsOf(edge, Array.from({ length: 50 }, trust))), new Set(['granted']))
  await close()
})

test('nobody but an edge delivers, and what is no delivery is refused', async () => {
  const { desk, sockets, close } = await start()
  await assert.rejects(desk.deliver({ deliveries: [], answered: [] }), { code: 'FORBIDDEN' })
  const rpc = rpcClient({ path: sockets.edge, name: 'ledger' })
  for (const deliveries of [
    1,
    [1],
    [{}],
    [{ ...delivery(), command: 'x' }],
    [{ ...delivery(), counted: 1 }],
    [{ ...delivery(), class: 'A' }],
  ])
    await assert.rejects(
      rpc.call('deliver', { deliveries, answered: [] }),
      { code: 'BAD_REQUEST' },
      JSON.stringify(deliveries),
    )
  await assert.rejects(rpc.call('deliver', { deliveries: Array(1001).fill(delivery()), answered: [] }), {
    code: 'LIMIT',
  })
  rpc.close()
  await close()
})

test("an authenticator's count that goes back is refused: there may be a copy of it", async () => {
  const first = await start()
  const approval = (count: number, credential = 'a'.repeat(64)) => ({
    entry: canonical({ type: 'approval', unique: `approval:${uuid()}`, count, credential, member: uuid(), of: 'b' }),
  })
  const outcomes = await first.desk.append({
    log: 'main',
    entries: [
      approval(0),
      approval(0),
      approval(5),
      approval(5),
      approval(4),
      approval(0),
      approval(6),
      approval(0, 'c'),
    ],
  })
  assert.deepEqual(
    outcomes.map(outcome => ('code' in outcome ? outcome.code : 'taken')),
    ['taken', 'taken', 'taken', 'FORBIDDEN', 'FORBIDDEN', 'FORBIDDEN', 'taken', 'taken'],
  )
  await first.close()
  const again = await start(first.dir)
  const [late] = await again.desk.append({ log: 'main', entries: [approval(6)] })
  assert.equal((late as { code: string }).code, 'FORBIDDEN')
  await again.close()
})

test('while the control log says frozen, nothing is granted', async () => {
  const { edge, watch, close } = await start()
  const at = Math.floor(Date.now() / 1000)
  const entry = canonical({ type: 'freeze', unique: 'freeze:0a', at, watch: 'a-rule' })
  await watch.append({ log: 'control', entries: [{ entry }] })
  await assert.rejects(edge.deliver({ deliveries: [delivery()], answered: [] }), { code: 'UNAVAILABLE' })
  await close()
})
