import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { closedParent, prepareHome } from '../cli/home.ts'
import { runningSupervisor, startTime, takeHome } from './lock.ts'
import { openLog } from './logfile.ts'
import { readMigrations } from './migrate.ts'
import { choosePorts, pickPort, portNames } from './ports.ts'
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

test('a busy port that was asked for is an error; 0 picks another', async () => {
  const host = '127.0.0.1'
  const server = createServer().listen(0, host)
  await new Promise(done => server.once('listening', done))
  const busy = (server.address() as { port: number }).port
  const free = await pickPort(host)
  const wishes = (asked: number | undefined, remembered: number | undefined) =>
    Object.fromEntries(
      portNames.map(name => [
        name,
        name === 'edge' ? { asked, remembered, host } : { asked: undefined, remembered: undefined, host },
      ]),
    ) as Parameters<typeof choosePorts>[0]
  await assert.rejects(choosePorts(wishes(busy, undefined)), coded('PORT_BUSY'))
  await assert.rejects(choosePorts(wishes(undefined, busy)), coded('PORT_BUSY'))
  assert.notEqual((await choosePorts(wishes(0, busy))).edge, busy)
  assert.equal((await choosePorts(wishes(0, free))).edge, free)
  server.close()
})

test('the packages of production hold the driver and no build tool', () => {
  const packages = productionPackages(programRoot)
  for (const name of ['pg', 'pg-protocol', 'hono', 'zod']) assert.ok(packages.includes(`node_modules/${name}`), name)
  for (const name of ['vite', 'typescript', 'react']) assert.ok(!packages.includes(`node_modules/${name}`), name)
})
