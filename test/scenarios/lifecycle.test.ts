import assert from 'node:assert/strict'
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { createDevice, type Device } from '../../simulator/device.ts'
import { genesisPath, readHomeConfig, writeHomeConfig } from '../../src/cli/home.ts'
import type { DeviceLine } from '../../src/console/api.ts'
import { programRoot } from '../../src/supervisor/program.ts'
import { commandLine, processes } from '../../src/supervisor/strays.ts'
import { cli, type Installation, idOf, startInstallation, until } from '../support/installation.ts'
import { createOperator, type Operator } from '../support/operator.ts'

let installation: Installation
let owner: Operator
let device: Device
before(async () => {
  installation = await startInstallation()
  owner = createOperator(installation)
  device = createDevice({ seed: 'lives on', model: 'iphone', keyType: 'ec' })
  await device.enrol((await owner.invite()).profileUrl)
})
after(async () => {
  device?.close()
  await installation?.stop()
})

/** What a command wrote to stderr before it failed, as JSON. */
async function failure(...line: string[]): Promise<{ code: string; message: string; remedy: string }> {
  const error = await cli(line).then(
    () => assert.fail(`${line.join(' ')} did not fail`),
    (error: { code: number; stderr: string }) => error,
  )
  assert.ok(error.code > 0)
  return JSON.parse(error.stderr.trim().split('\n').at(-1)!)
}

/** A process and all that it started. */
function family(pid: number): number[] {
  const children = new Map<number, number[]>()
  for (const name of readdirSync('/proc').filter(entry => /^\d+$/.test(entry))) {
    const parent = parentOf(Number(name))
    if (parent !== undefined) children.set(parent, [...(children.get(parent) ?? []), Number(name)])
  }
  const all = [pid]
  for (const one of all) all.push(...(children.get(one) ?? []))
  return all
}
function parentOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return state === 'Z' ? undefined : Number(parent)
  } catch {
    return undefined
  }
}
const isAlive = (pid: number) => parentOf(pid) !== undefined
const mentionHome = () =>
  [...processes()].filter(({ pid, argv }) => pid !== process.pid && argv.some(word => word.includes(installation.home)))

test('every process says in its command line which home it serves', () => {
  const lines = family(installation.pid).map(pid => commandLine(pid)!.filter(word => word !== ''))
  const titled = lines.filter(([title]) => title?.startsWith('postgres: ')) // PostgreSQL's own, which write over theirs
  const ours = lines.filter(line => !titled.includes(line))
  assert.ok(ours.length >= 10)
  for (const line of ours)
    assert.ok(
      line.some(word => word.startsWith(installation.home)),
      line.join(' '),
    )
  const node = ours.filter(([program]) => program?.endsWith('node'))
  assert.equal(node.length, 9) // supervisor, six compartments, two parsers
  for (const line of node) {
    assert.equal(line[line.indexOf('--home') + 1], installation.home)
    assert.ok(line.includes('--disable-sigusr1'), line.join(' '))
  }
})

test('a second start on the same home is refused with words, and the first goes on', async () => {
  const { code, message, remedy } = await failure('up', '--home', installation.home)
  assert.equal(code, 'CONFLICT')
  assert.match(message, new RegExp(`process ${installation.pid}`))
  assert.match(remedy, /kill/)
  assert.equal(await device.connect(), 0)
})

test('doctor sees a running installation and names every wall', async () => {
  type Doctor = {
    running: boolean
    walls: { wall: string; kind: string; stands: string; why: string; remedy?: string }[]
  }
  const { running, walls } = await installation.cli<Doctor>('doctor')
  assert.equal(running, true)
  assert.ok(walls.length >= 10)
  for (const { wall, kind, stands, why, remedy } of walls) {
    assert.match(kind, /^[DMOE]$/)
    assert.ok(['yes', 'partly', 'no'].includes(stands) && wall !== '' && why !== '')
    if (stands === 'no') assert.ok(remedy, wall)
  }
})

/** All that ran is gone, and what it listened on is free. */
async function requireNothing(pids: readonly number[]) {
  await until(() => !pids.some(isAlive) && mentionHome().length === 0)
  await assert.rejects(fetch(installation.urls.edge))
}

for (const [signal, words] of [
  ['SIGTERM', 'SIGTERM stops everything, the database included'],
  ['SIGKILL', 'after kill -9 of the supervisor nothing lives on'],
] as const)
  test(`${words}; devices and their work are there after the next start`, async () => {
    const order = await owner.order({ action: 'ProfileList', devices: [idOf(device)] })
    const pids = family(installation.pid)
    assert.ok(pids.length > 12)
    const { urls } = installation
    await installation.stopUp(signal)
    await requireNothing(pids)
    await assert.rejects(device.connect())

    await installation.startUp()
    assert.deepEqual(installation.urls, urls) // enrolled devices know these addresses
    assert.equal((await installation.show(order)).devices[0]!.state, 'pending')
    assert.equal(await device.connect(), 1)
    assert.equal((await installation.show(order)).state, 'done')
  })

test('after kill -9 of the supervisor the next start need not wait for what is still ending', async () => {
  await installation.stopUp('SIGKILL')
  await installation.startUp()
  assert.equal(await device.connect(), 0)
  assert.deepEqual(
    (await installation.cli<DeviceLine[]>('device', 'list')).map(one => one.device),
    [idOf(device)],
  )
})

test('commands that need a running installation say so, and those that do not work without', async () => {
  await installation.stopUp()
  try {
    const at = ['--home', installation.home]
    for (const line of [
      'device list',
      'order list',
      'order show 00000000-0000-4000-8000-000000000000',
      'group list',
      'push show',
      'standing list',
    ]) {
      const { code, remedy } = await failure(...line.split(' '), ...at)
      assert.deepEqual([line, code], [line, 'NOT_RUNNING'])
      assert.match(remedy, /bulkhead up --home/)
    }
    const invite = await failure('invite', 'create', '--platform', 'apple', '--passkey', installation.passkey, ...at)
    assert.equal(invite.code, 'NOT_RUNNING')
    const doctor = JSON.parse(await cli(['doctor', '--json', ...at])) as { running: boolean }
    assert.equal(doctor.running, false)
    for (const line of ['ledger key', 'ledger fsck', '--help']) await cli([...line.split(' '), ...at])
  } finally {
    await installation.startUp()
  }
})

test('a port that is taken is an error with its remedy, and --home may stand anywhere', async () => {
  const other = mkdtempSync(join(tmpdir(), 'bh-'))
  try {
    const taken = String(readHomeConfig(installation.home).ports.edge)
    await cli(['--home', other, 'init', '--owner', 'a', '--software-passkey', join(other, 'a.passkey')])
    const { code, remedy } = await failure('up', '--edge-port', taken, '--home', other)
    assert.equal(code, 'PORT_BUSY')
    assert.match(remedy, /--edge-port/)
    const again = await failure(
      'init',
      `--home=${other}`,
      '--owner',
      'a',
      '--software-passkey',
      join(other, 'b.passkey'),
    )
    assert.equal(again.code, 'CONFLICT')
  } finally {
    rmSync(other, { recursive: true, force: true })
  }
})

test('a home that cannot serve is refused with the remedy, and nothing is made', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'bh-'))
  const line = ['init', '--owner', 'a', '--software-passkey', join(folder, 'a.passkey'), '--home']
  try {
    const long = join(folder, 'x'.repeat(90))
    const tooLong = await failure(...line, long)
    assert.deepEqual([tooLong.code, existsSync(long)], ['HOME_UNUSABLE', false])
    assert.match(tooLong.remedy, /at most \d+ bytes/)
    const file = await failure(...line, '/dev/null/home')
    assert.equal(file.code, 'HOME_UNUSABLE')
    if (process.getuid?.() !== 0) return
    const closed = join(folder, 'closed')
    mkdirSync(closed, { mode: 0o700 })
    const parent = await failure(...line, join(closed, 'home'))
    assert.deepEqual([parent.code, existsSync(join(closed, 'home'))], ['HOME_UNUSABLE', false])
    assert.match(parent.remedy, /chmod o\+x/)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

test('init refuses a name before anything is made, and begins again where it was cut off', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'bh-'))
  chmodSync(folder, 0o755)
  const home = join(folder, 'home')
  const passkey = join(folder, 'a.passkey')
  const line = ['init', '--home', home, '--software-passkey', passkey, '--owner']
  try {
    for (const words of [
      ['ada', '--name', 'Demo office'],
      ['Ada B', '--name', 'demo'],
    ]) {
      const { code, remedy } = await failure(...line, ...words)
      assert.equal(code, 'USAGE')
      assert.match(remedy, /a-z, 0-9/)
      assert.deepEqual([existsSync(home), existsSync(passkey)], [false, false])
    }
    await cli([...line, 'ada', '--name', 'demo-office'])
    for (const file of [passkey, `${passkey}.freeze-codes`]) rmSync(file)
    const genesis = readFileSync(genesisPath(home))
    rmSync(genesisPath(home))
    // The digest is pinned: these keys were in use, and are not thrown away.
    assert.equal((await failure(...line, 'ada')).code, 'CONFLICT')
    writeHomeConfig(home, { version: 1, ports: {} }) // as an init leaves it that was killed before its last step
    await cli([...line, 'ada', '--name', 'demo-office'])
    assert.notDeepEqual(readFileSync(genesisPath(home)), genesis)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

const NOBODY = 65534
test('a user who is not root runs all of it in a home of their own', {
  skip: process.getuid?.() !== 0 && 'needs root to become nobody',
}, async () => {
  const copies = join(installation.home, 'program') // made where this clone is closed to others
  const program = existsSync(copies) ? join(copies, readdirSync(copies)[0]!) : programRoot
  const own = await startInstallation({ user: { id: NOBODY, program } })
  try {
    for (const pid of family(own.pid)) assert.equal(statSync(`/proc/${pid}`).uid, NOBODY)
    const phone = createDevice({ seed: 'of nobody', model: 'iphone', keyType: 'ec' })
    await phone.enrol((await own.invite()).profileUrl)
    const order = await own.order('--action', 'DeviceInformation', '--device', idOf(phone))
    assert.equal(await phone.connect(), 1)
    assert.equal((await own.show(order)).state, 'done')
    const { walls } = await own.cli<{ walls: { wall: string; stands: string }[] }>('doctor')
    assert.ok(walls.some(({ stands }) => stands !== 'yes')) // one user for all compartments is a weaker wall, and doctor says so
    phone.close()
    const pids = family(own.pid)
    await own.stopUp('SIGKILL')
    await until(() => !pids.some(isAlive))
  } finally {
    await own.stop()
  }
})
