import assert from 'node:assert/strict'
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { createDevice, type Device } from '../../simulator/device.ts'
import { openCheckpoint } from '../../src/wire/tlog/checkpoint.ts'
import { verifierOf } from '../../src/wire/tlog/cosignature.ts'
import { decodeVkey } from '../../src/wire/tlog/note.ts'
import { bulkhead, type Installation, startInstallation, until } from '../support/installation.ts'

// A ledger, its witnesses and a mirror in other hands, and a stranger who verifies with keys alone.

const place = mkdtempSync(join(tmpdir(), 'bhw-'))
const up: string[] = []
const file = (name: string) => join(place, name)
const mirror = file('mirror')
let home: Installation
let device: Device
let keys: { main: string; control: string }
let witnesses: Witness[]
before(async () => {
  home = await startInstallation({ up })
  keys = await home.cli<typeof keys>('ledger', 'key')
  device = createDevice({ seed: 'witnessed', model: 'iphone' })
  await device.enrol((await home.invite()).profileUrl)
})
after(async () => {
  for (const { child } of witnesses ?? []) child.kill('SIGKILL')
  device?.close()
  await home?.stop()
  rmSync(place, { recursive: true, force: true })
})

type Witness = { child: ChildProcess; url: string; vkey: string }
async function startWitness(name: string): Promise<Witness> {
  const line = ['--dir', file(name), '--port', '0', '--log', keys.main, '--log', keys.control]
  const child = spawn(bulkhead, ['witness', ...line], { stdio: ['ignore', 'pipe', 'ignore'] })
  const [said] = (await once(child.stdout, 'data')) as [Buffer]
  const { witness: url, vkey } = JSON.parse(said.toString()) as { witness: string; vkey: string }
  return { child, url, vkey }
}

type Ran = { status: number; err: string; json: Record<string, unknown> & { code?: string; message?: string } }

/** A command as a stranger types it, on a machine without an installation. */
function stranger(...line: string[]): Promise<Ran> {
  const env = { ...process.env, HOME: place }
  return new Promise(resolve =>
    execFile(bulkhead, [...line, '--json', '--home', file('none')], { env, cwd: place }, (error, out, err) =>
      resolve({ status: error ? Number(error.code) : 0, err, json: JSON.parse(out || err.trim().split('\n').at(-1)!) }),
    ),
  )
}
const verify = (log: string, ...more: string[]) =>
  stranger('ledger', 'verify', file('proof'), '--entry', file('entry'), '--log', log, ...more)
const copy = async (...more: string[]) =>
  stranger('ledger', 'mirror', '--dir', mirror, '--url', await mainUrl(), ...more)
const mainUrl = async () => (await home.cli<{ main: string }>('ledger', 'url')).main
const prove = (what: string) =>
  home.cli<{ size: number; witnesses: number }>(
    'ledger',
    'proof',
    what,
    '--out',
    file('proof'),
    '--entry',
    file('entry'),
  )
const order = () => home.order('--action', 'DeviceInformation', '--all')
const wall = async () => {
  const { walls } = await home.cli<{ walls: { wall: string; stands: string; why: string }[] }>('doctor')
  return walls.find(({ wall }) => wall === 'the ledger has witnesses')!
}
/** How many of these witnesses stand under the newest checkpoint of a log. */
async function cosigners(log: 'main' | 'control', of: Witness[]): Promise<number> {
  const note = await (await fetch(`${home.urls.ledger}/${log}/checkpoint`)).text()
  const known = of.map(({ vkey }) => verifierOf(decodeVkey(vkey)))
  const vkey = decodeVkey(keys[log])
  return openCheckpoint(note, vkey.name, verifierOf(vkey), known).verified.length - 1
}

test('a fresh installation needs no witness, and both doctor and the proof say what that means', async () => {
  const { stands, why } = await wall()
  assert.deepEqual([stands, /fresh installation needs no witness/.test(why)], ['no', true])
  assert.equal((await prove('0')).witnesses, 0)
  const { status, err, json } = await verify(keys.main)
  assert.deepEqual([status, json.index], [0, 0])
  assert.match(err, /No witness was asked for/)
})

test('with two witnesses, a stranger verifies offline that an order was logged and that both saw it', async () => {
  witnesses = [await startWitness('w1'), await startWitness('w2')]
  const [one, two] = witnesses as [Witness, Witness]
  await home.stopUp()
  up.push('--witness', one.url, '--witness', `${two.url}#${two.vkey}`)
  await home.startUp()
  up.length = 0 // remembered from here on
  const id = await order()
  await until(async () => (await cosigners('main', witnesses)) === 2 && (await cosigners('control', witnesses)) === 2)
  assert.equal((await prove(id)).witnesses, 2)
  assert.match(readFileSync(file('entry'), 'utf8'), new RegExp(`"order:${id}"`))
  const both = ['--witness', one.vkey, '--witness', two.vkey]
  const { status, json } = await verify(keys.main, ...both)
  assert.equal(status, 0)
  assert.equal((json.witnesses as unknown[]).length, 2)
  const { stands, why } = await wall()
  assert.match(`${stands} ${why}`, /^partly .*All run on this machine/)

  assert.equal((await verify(keys.control, ...both)).json.code, 'UNPROVEN')
  const third = 'witness.example/w1+24b5d9fe+BP0XJDhaoMdbZPt4zWAvodmR/ev3axPFjtcC6sg16fYY'
  assert.equal((await verify(keys.main, ...both, '--witness', third)).json.code, 'UNPROVEN')
  assert.equal((await verify(keys.main, ...both, '--witness', third, '--quorum', '2')).status, 0)
  assert.equal((await verify(keys.main, '--witness', one.vkey, '--witness', one.vkey)).json.code, 'USAGE')
  assert.equal((await verify(keys.main, '--witness', one.vkey, '--quorum', '2')).json.code, 'USAGE')
  assert.equal((await verify(keys.main, '--witness', keys.control)).json.code, 'USAGE')
  writeFileSync(file('entry'), readFileSync(file('entry'), 'utf8').replace('"order":"', '"order":"x'))
  assert.equal((await verify(keys.main, ...both)).json.code, 'UNPROVEN')
})

test('a mirror elsewhere follows the log and needs its key only once', async () => {
  assert.equal((await copy()).json.code, 'USAGE')
  const first = await copy('--log', keys.main)
  assert.equal(first.status, 0, first.err)
  await order()
  const next = await until(async () => {
    const { json } = await copy()
    return Number(json.to) > Number(first.json.to) ? json : null
  })
  assert.equal(next.from, first.json.to)
  assert.equal((await copy('--log', keys.control)).json.code, 'CONFLICT')
})

test('one witness killed stops nothing: the other goes on, and the proof says how many signed', async () => {
  const [one, two] = witnesses as [Witness, Witness]
  two.child.kill('SIGKILL')
  const id = await order()
  await until(async () => (await cosigners('main', [one])) === 1 && (await cosigners('main', witnesses)) === 1)
  assert.equal((await prove(id)).witnesses, 1)
  const both = ['--witness', one.vkey, '--witness', two.vkey]
  assert.equal((await verify(keys.main, ...both, '--quorum', '1')).status, 0)
  const { json } = await verify(keys.main, ...both)
  assert.deepEqual([json.code, json.message], ['UNPROVEN', '1 witness of 2 cosigned this checkpoint.'])
})

test('a ledger put back and grown into a second past is cosigned no more, and the mirror refuses it and keeps the first', async () => {
  const [one] = witnesses as [Witness]
  const data = join(home.home, 'ledger/data')
  await home.stopUp()
  execFileSync('cp', ['-a', data, file('saved')])
  await home.startUp()
  await order()
  await until(async () => (await cosigners('main', [one])) === 1)
  const { to } = (await copy()).json
  const kept = readFileSync(join(mirror, 'checkpoint'), 'utf8')

  await home.stopUp()
  rmSync(data, { recursive: true })
  execFileSync('cp', ['-a', file('saved'), data])
  await home.startUp()
  await order()
  const id = await order()
  const { size, witnesses: signed } = await prove(id)
  assert.ok(size > Number(to))
  assert.equal(signed, 0)
  assert.equal(await cosigners('main', [one]), 0)
  const refused = await copy()
  assert.deepEqual([refused.status, refused.json.code], [1, 'REFUSED'])
  assert.match(refused.json.message!, /forked/)
  assert.equal(readFileSync(join(mirror, 'checkpoint'), 'utf8'), kept)
  assert.notEqual(readFileSync(join(mirror, 'checkpoint.refused'), 'utf8'), kept)
})
