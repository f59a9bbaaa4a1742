import assert from 'node:assert/strict'
import {
  chmodSync,
  chownSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { closedParent, configPath, dataPath, prepareHome, writeHomeConfig } from '../cli/home.ts'
import { compartments } from './compartments.ts'
import { configure, type Plan } from './configure.ts'
import { runningSupervisor, startTime, takeHome } from './lock.ts'
import { openLog } from './logfile.ts'
import { readMigrations } from './migrate.ts'
import { choosePorts, loopbacks, type PortName, type PortWish, pickPort, portNames } from './ports.ts'
import { productionPackages, programRoot } from './program.ts'

const folder = mkdtempSync(join(tmpdir(), 'bh-'))
chmodSync(folder, 0o755) // each compartment's user must be able to pass
after(() => rmSync(folder, { recursive: true }))
const coded = (code: string) => (error: unknown) => (error as { code?: string }).code === code

test('a home is held by one supervisor, and a dead one holds nothing', () => {
  const home = join(folder, 'lock')
  mkdirSync(home)
  const release = takeHome(home)
  assert.equal(runningSupervisor(home)?.pid, process.pid)
  assert.throws(() => takeHome(home), coded('CONFLICT'))
  release()
  assert.equal(runningSupervisor(home), undefined)
  // Our own number, but of a process that started at another time.
  writeFileSync(
    join(home, 'supervisor.pid'),
    JSON.stringify({ pid: process.pid, startTime: `${Number(startTime(process.pid)) - 1}` }),
  )
  takeHome(home)()
})

test('a log stays within its bound and keeps one old copy', () => {
  const path = join(folder, 'x.log')
  const log = openLog(path, 100)
  for (let line = 0; line < 30; line++) log.write(Buffer.from(`line ${String(line).padStart(2, '0')}\n`))
  assert.ok(statSync(path).size <= 100)
  assert.ok(statSync(`${path}.1`).size <= 100)
  assert.match(readFileSync(path, 'utf8'), /line 29/)
  assert.match(log.tail(), /line 29$/)
})

test('a home whose sockets would have too long a path is refused before anything is made', () => {
  const long = join(folder, 'x'.repeat(90))
  assert.throws(() => prepareHome(long), coded('HOME_UNUSABLE'))
  assert.equal(statSync(long, { throwIfNoEntry: false }), undefined)
})

test('a home below a folder that is closed to other users is found out', () => {
  const closed = join(folder, 'closed')
  mkdirSync(closed, { mode: 0o700 })
  assert.equal(closedParent(join(closed, 'a/b')), closed)
  assert.equal(closedParent(join(folder, 'a')), undefined)
  if (process.getuid?.() === 0) assert.throws(() => prepareHome(join(closed, 'a')), coded('HOME_UNUSABLE'))
})

test('parents that are missing are made passable whatever the umask says', () => {
  const before = process.umask(0o077)
  try {
    prepareHome(join(folder, 'new/deep/home'))
  } finally {
    process.umask(before)
  }
  assert.equal(statSync(join(folder, 'new/deep')).mode & 0o777, 0o755)
  assert.equal(statSync(join(folder, 'new/deep/home/supervisor')).mode & 0o777, 0o700)
})

test('a folder open to everybody is no home', () => {
  const open = join(folder, 'open')
  mkdirSync(open)
  chmodSync(open, 0o1777)
  assert.throws(() => prepareHome(open), coded('HOME_UNUSABLE'))
})

test('migrations are read in order, and a strange or double number is refused', () => {
  const at = (name: string, ...files: string[]) => {
    const path = join(folder, name)
    mkdirSync(path)
    for (const file of files) writeFileSync(join(path, file), 'select 1')
    return path
  }
  assert.deepEqual(
    readMigrations(at('good', '0002_b.sql', '0001_a.sql', 'notes.md')).map(({ name }) => name),
    ['a', 'b'],
  )
  assert.throws(() => readMigrations(at('bad', '1_a.sql')), coded('BAD_REQUEST'))
  assert.throws(() => readMigrations(at('double', '0001_a.sql', '0001_b.sql')), coded('BAD_REQUEST'))
})

const wishesOf = (wish: (name: PortName) => PortWish) =>
  Object.fromEntries(portNames.map(name => [name, wish(name)])) as Record<PortName, PortWish>

test('a busy port that was asked for is an error; 0 picks another', async () => {
  const host = '127.0.0.1'
  const hosts = [host]
  const server = createServer().listen(0, host)
  await new Promise(done => server.once('listening', done))
  const busy = (server.address() as { port: number }).port
  const free = await pickPort(hosts)
  const wishes = (asked: number | undefined, remembered: number | undefined) =>
    wishesOf(name =>
      name === 'edge' ? { asked, remembered, hosts } : { asked: undefined, remembered: undefined, hosts },
    )
  await assert.rejects(choosePorts(wishes(busy, undefined)), coded('PORT_BUSY'))
  await assert.rejects(choosePorts(wishes(undefined, busy)), coded('PORT_BUSY'))
  assert.notEqual((await choosePorts(wishes(0, busy))).edge, busy)
  assert.equal((await choosePorts(wishes(0, free))).edge, free)
  server.close()
})

test("the app's port must be free on both loopback addresses, for a browser takes either", async t => {
  const server = createServer().listen(0, '::1')
  const bound = await new Promise(done => server.once('listening', () => done(true)).once('error', () => done(false)))
  if (!bound) return t.skip('this machine has no IPv6')
  const busy = (server.address() as { port: number }).port
  const wishes = (port: number) =>
    wishesOf(name => ({ asked: name === 'app' ? port : undefined, remembered: undefined, hosts: loopbacks }))
  await assert.rejects(choosePorts(wishes(busy)), coded('PORT_BUSY'))
  assert.notEqual(await pickPort(loopbacks, busy), busy)
  server.close()
  assert.equal((await choosePorts(wishes(busy))).app, busy)
})

const address = { host: '127.0.0.1', port: 1 }
const planOf = (home: string): Plan => ({
  home,
  program: programRoot,
  genesisDigest: '',
  listen: { edge: address, edgeTls: address, console: address, app: address, ledger: address },
  urls: { edge: '', console: '', app: '', ledger: '', edgeTls: '' },
  databases: {},
})
const owned = (path: string) => [lstatSync(path).uid, lstatSync(path).gid, lstatSync(path).mode & 0o7777]
const asRoot = { skip: process.getuid?.() !== 0 && 'needs root, which owns what it gives away' }

test(
  'what a captured compartment links into its data is neither followed nor changed at the next start',
  asRoot,
  () => {
    const home = prepareHome(join(folder, 'captured'))
    const foreign = join(folder, 'foreign')
    mkdirSync(foreign, { mode: 0o755 })
    writeFileSync(join(foreign, 'passwd'), 'root', { mode: 0o644 })
    const before = [owned(foreign), owned(join(foreign, 'passwd'))]
    const { uid } = compartments.console
    const own = join(dataPath(home, 'console'), 'own')
    mkdirSync(own)
    chownSync(own, uid, uid)
    for (const link of [join(dataPath(home, 'console'), 'x'), join(own, 'y')]) {
      symlinkSync(foreign, link)
      lchownSync(link, uid, uid)
    }
    configure(planOf(home), 'console')
    prepareHome(home)
    assert.deepEqual([owned(foreign), owned(join(foreign, 'passwd'))], before)
  },
)

test('data that came in by another hand stops the start with the remedy', asRoot, () => {
  const home = prepareHome(join(folder, 'restored'))
  const file = join(dataPath(home, 'ledger'), 'checkpoint')
  writeFileSync(file, '')
  assert.throws(() => configure(planOf(home), 'ledger'), coded('HOME_UNUSABLE'))
  assert.equal(owned(file)[0], 0)
})

test('a home of somebody else, and a link inside a home, are refused and left as they are', () => {
  const home = prepareHome(join(folder, 'linked'))
  const foreign = join(folder, 'logs-of-others')
  mkdirSync(foreign)
  chmodSync(foreign, 0o755)
  rmdirSync(join(home, 'log'))
  symlinkSync(foreign, join(home, 'log'))
  assert.throws(() => prepareHome(home), coded('HOME_UNUSABLE'))
  assert.equal(owned(foreign)[2], 0o755)
  if (process.getuid?.() !== 0) return
  chownSync(foreign, 65534, 65534)
  assert.throws(() => prepareHome(foreign), coded('HOME_UNUSABLE'))
  assert.deepEqual(owned(foreign), [65534, 65534, 0o755])
  const link = join(folder, 'link-of-others')
  symlinkSync(home, link)
  lchownSync(link, 65534, 65534)
  assert.throws(() => prepareHome(link), /belongs to another user/)
})

test('a file is never written through a link that waits under its draft name', () => {
  const home = prepareHome(join(folder, 'drafts'))
  const foreign = join(folder, 'precious')
  writeFileSync(foreign, 'precious')
  symlinkSync(foreign, `${configPath(home)}.new`)
  writeHomeConfig(home, { version: 1, ports: {}, edgeBind: '::1' })
  assert.equal(readFileSync(foreign, 'utf8'), 'precious')
  assert.match(readFileSync(configPath(home), 'utf8'), /::1/)
})

test('the packages of production hold the driver and no build tool', () => {
  const packages = productionPackages(programRoot)
  for (const name of ['pg', 'pg-protocol', 'hono', 'zod']) assert.ok(packages.includes(`node_modules/${name}`), name)
  for (const name of ['vite', 'typescript', 'react']) assert.ok(!packages.includes(`node_modules/${name}`), name)
})
