import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { testRoster } from '../../test/support/roster.ts'
import { silentLog } from '../base/log.ts'
import { rpcClient } from '../base/rpc.ts'
import { decodeBundle } from '../wire/tlog/tile.ts'
import type { Appended, Caller } from './api.ts'
import { openHead } from './checkpoint.ts'
import { ledgerClient } from './client.ts'
import { openDisk } from './disk.ts'
import { fsck } from './fsck.ts'
import { startLedger } from './server.ts'

const place = mkdtempSync(join(tmpdir(), 'blkl-'))
after(() => rmSync(place, { recursive: true, force: true }))
const {
  genesis,
  trusted,
  ledgerKeys: keys,
} = testRoster({
  voucher: generateKeyPairSync('ed25519').publicKey.export({ format: 'der', type: 'spki' }).toString('base64'),
  seal: Buffer.alloc(32, 9).toString('base64'),
})
const signingOf = (log: 'main' | 'control') => ({
  origin: `example.test/${log}`,
  key: keys[log],
  clockName: 'example.test/clock',
  clockKey: keys.clock,
})
let dirs = 0

async function start(dir = join(place, String(dirs++)), clock = Date.now) {
  const socketOf = (caller: Caller) => join(place, `${caller}${dirs}`)
  const sockets = { edge: socketOf('edge'), watch: socketOf('watch') }
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
  const [edge, watch] = [ledgerClient({ path: sockets.edge }), ledgerClient({ path: sockets.watch })]
  const close = async () => {
    edge.close()
    watch.close()
    await running.close()
  }
  return { dir, sockets, url: running.url, edge, watch, close }
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

test('the edge appends a delivery and has its proof within the sequencing time', async () => {
  const { edge, close } = await start()
  const [first] = (await edge.append({ log: 'main', entries: [{ entry: '{"type":"delivery"}' }] })) as [Appended]
  const started = performance.now()
  const proof = await until(() => edge.prove({ log: 'main', index: first.index }))
  assert.ok(performance.now() - started < 1000)
  assert.equal(proof.leafHash, first.leafHash)
  assert.equal(openHead(signingOf('main'), proof.checkpoint!).size, 1)
  await close()
})

test('each socket is one caller: watch freezes, the edge does not', async () => {
  const { edge, watch, close } = await start()
  const freeze = { log: 'control' as const, entries: [{ entry: '{"type":"freeze"}' }] }
  assert.equal(((await edge.append(freeze))[0] as { code: string }).code, 'FORBIDDEN')
  assert.equal(((await watch.append(freeze))[0] as Appended).index, 0)
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
  const { edge, url, close } = await start()
  const entries = Array.from({ length: 300 }, (_, at) => ({ entry: `{"at":${at},"type":"delivery"}` }))
  await edge.append({ log: 'main', entries })
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
    '/main/lock',
    '/lock',
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
  await assert.rejects(start(first.dir), { code: 'UNAVAILABLE' })
  await first.close()
  const second = await start(first.dir)
  await second.close()
  assert.ok(!readdirSync(first.dir).some(name => name.endsWith('.new')))
})

const KILLED = `
import { createPrivateKey } from 'node:crypto'
import { testRoster } from '../../test/support/roster.ts'
import { silentLog } from './src/base/log.ts'
import { startLedger } from './src/ledger/server.ts'
import { ledgerClient } from './src/ledger/client.ts'
const { dir, socket, keys } = JSON.parse(process.env.LEDGER)
const load = pem => createPrivateKey(pem)
await startLedger({ dir, name: 'office', keys: { main: load(keys.main), control: load(keys.control), clock: load(keys.clock) }, clock: Date.now, sockets: { edge: socket }, http: { host: '127.0.0.1', port: 0 }, log: silentLog })
const edge = ledgerClient({ path: socket })
for (let from = 0; ; from += 20) {
  const entries = Array.from({ length: 20 }, (_, at) => ({ entry: JSON.stringify({ type: 'delivery', unique: 'delivery:' + (from + at) }) }))
  const outcomes = await edge.append({ log: 'main', entries })
  process.stdout.write(outcomes.at(-1).index + '\\n')
}`

test('a ledger process killed with signal 9 starts again with every entry it had answered', async () => {
  const dir = join(place, 'killed')
  const pem = (key: KeyObject) => key.export({ type: 'pkcs8', format: 'pem' })
  const setup = {
    dir,
    socket: join(place, 'k'),
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
  assert.ok(existsSync(join(dir, 'lock')))
  const { edge, close } = await start(dir)
  assert.equal(
    (await edge.entry({ log: 'main', index: answered })).entry,
    `{"type":"delivery","unique":"delivery:${answered}"}`,
  )
  assert.ok((await edge.prove({ log: 'main', index: answered })).size > answered)
  await close()
  for (const log of ['main', 'control'] as const)
    assert.deepEqual(fsck({ disk: openDisk(), dir: join(dir, log), log, signing: signingOf(log) }).findings, [])
})
