import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { logKey, pastOf } from '../../test/support/pasts.ts'
import { ask, raw } from '../../test/support/raw.ts'
import { silentLog } from '../base/log.ts'
import { verifierOf } from '../wire/tlog/cosignature.ts'
import { decodeVkey, encodeVkey, openNote } from '../wire/tlog/note.ts'
import { startWitness } from './server.ts'
import { type Files, files, openIdentity, openState } from './store.ts'

const place = mkdtempSync(join(tmpdir(), 'bhwit-'))
after(() => rmSync(place, { recursive: true, force: true }))
const key = logKey()
const told = pastOf('office/main', key, 'told')
const other = pastOf('office/main', key, 'other')
let folders = 0
const newDir = () => join(place, String(folders++))

function start(dir = newDir(), name?: string) {
  const http = { host: '127.0.0.1', port: 0 }
  return startWitness({ dir, name, logs: [told.vkey], ...http, clock: Date.now, log: silentLog })
}
async function add(url: string, body: string | Buffer) {
  const answer = await fetch(`${url}/add-checkpoint`, { method: 'POST', body })
  return { status: answer.status, type: answer.headers.get('content-type'), text: await answer.text() }
}

test('a witness is found again with the same key and name, and remembers across a restart', async () => {
  const dir = newDir()
  const first = await start(dir, 'witness.example/w1')
  assert.equal((await add(first.url, told.request(0, 20))).status, 200)
  await first.close()
  const second = await start(dir)
  assert.equal(second.vkey, first.vkey)
  const forked = await add(second.url, other.request(20, 20))
  assert.deepEqual([forked.status, forked.type, forked.text], [409, 'text/x.tlog.size', '20\n'])
  assert.equal((await add(second.url, other.request(20, 30))).status, 422)
  assert.ok(readdirSync(dir).some(name => name.endsWith('.forked')))
  const { status, text } = await add(second.url, told.request(20, 30))
  assert.equal(status, 200)
  openNote(told.checkpoint(30) + text, [verifierOf(decodeVkey(second.vkey))])
  await second.close()
  await assert.rejects(start(dir, 'another/name'), { code: 'CONFLICT' })
})

test('its key is readable by its owner alone', async () => {
  const dir = newDir()
  await (await start(dir)).close()
  assert.equal(statSync(dir).mode & 0o777, 0o700)
  assert.equal(statSync(join(dir, 'key.json')).mode & 0o777, 0o600)
})

test('two processes never share a folder', async () => {
  const dir = newDir()
  const first = await start(dir)
  await assert.rejects(start(dir), { code: 'CONFLICT' })
  await first.close()
  await (await start(dir)).close()
})

test('a memory that was changed or cut stops the start instead of beginning anew', async () => {
  const dir = newDir()
  const running = await start(dir)
  await add(running.url, told.request(0, 20))
  await running.close()
  const file = join(dir, readdirSync(dir).find(name => name.startsWith('log-'))!)
  const note = readFileSync(file, 'utf8')
  for (const broken of ['', note.slice(0, 40), note.replace('\n20\n', '\n2\n')]) {
    writeFileSync(file, broken)
    await assert.rejects(start(dir), { code: 'UNPROVEN' })
  }
})

test('everything but POST to the one path is one identical answer, and a body has limits', async () => {
  const { url, close } = await start()
  const place = { port: Number(new URL(url).port) }
  const bodyOf = (answer: Buffer) => answer.toString().split('\r\n\r\n')[1]
  for (const [method, path] of [
    ['GET', '/add-checkpoint'],
    ['PUT', '/add-checkpoint'],
    ['POST', '/'],
    ['POST', '/add-checkpoint/'],
    ['POST', '/add-checkpoint?x'],
    ['POST', '//add-checkpoint'],
    ['POST', '/x/../add-checkpoint'],
    ['GET', '/key.json'],
  ] as const) {
    const answer = await ask(place, method, path, ['Content-Length: 0'])
    assert.match(answer.toString(), /^HTTP\/1\.1 404 /, `${method} ${path}`)
    assert.equal(bodyOf(answer), 'Not found\n')
  }
  assert.equal((await add(url, 'x'.repeat(65_537))).status, 400)
  assert.equal((await add(url, Buffer.from([0xff, 0xfe, 10, 10]))).status, 400)
  const endless = await raw(
    place,
    `POST /add-checkpoint HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999\r\n\r\n${'x'.repeat(70_000)}`,
  )
  assert.match(endless.toString(), /^HTTP\/1\.1 400 /)
  assert.equal((await add(url, told.request(0, 7))).status, 200)
  await close()
})

/** Files that stop at a step as a killed process does: nothing after it happens. */
function dying(at: number): Files {
  let step = 0
  const guard =
    <A extends unknown[]>(run: (...args: A) => void) =>
    (...args: A) => {
      if (step++ === at) throw new Error('killed')
      run(...args)
    }
  return { write: guard(files.write), rename: guard(files.rename), syncFolder: guard(files.syncFolder) }
}

test('killed between any two steps, it has the old head or the new one, and gave no cosignature for a lost one', () => {
  for (const step of [0, 1, 2]) {
    const dir = newDir()
    const before = { size: 7, root: Buffer.alloc(32), note: told.checkpoint(7) }
    mkdirSync(dir)
    openState(dir, [told.vkey]).write('office/main', before)
    const state = openState(dir, [told.vkey], dying(step))
    assert.throws(() => state.write('office/main', { ...before, size: 20, note: told.checkpoint(20) }), /killed/)
    assert.equal(state.read('office/main')!.size, 7)
    const after = openState(dir, [told.vkey]).read('office/main')!
    assert.equal(after.size, step === 2 ? 20 : 7)
  }
})

test('killed while its key is made, it makes one at the next start, and never half of one', () => {
  for (const step of [0, 1, 2]) {
    const dir = join(place, `key${step}`)
    mkdirSync(dir)
    assert.throws(() => openIdentity(dir, undefined, dying(step)), /killed/)
    const { vkey } = openIdentity(dir, undefined)
    assert.equal(openIdentity(dir, undefined).vkey, vkey)
  }
})

test('a witness killed with signal 9 again and again has never forgotten what it cosigned', async () => {
  const dir = newDir()
  let [cosigned, size] = [0, 0]
  for (let round = 0; round < 5; round++) {
    const child = spawnWitness(dir)
    try {
      const [line] = (await once(child.stdout!, 'data')) as [Buffer]
      const { witness } = JSON.parse(line.toString()) as { witness: string }
      const probe = await add(witness, told.request(0, 0)) // a conflict, unless it knows nothing
      size = probe.status === 200 ? 0 : Number(probe.text)
      assert.ok(size >= cosigned, `It remembers ${size} and cosigned ${cosigned}.`)
      for (const last = size + 7; size < last; size++) {
        const asked = add(witness, told.request(size, size + 1)).catch(() => undefined)
        if (size === last - 1) child.kill('SIGKILL')
        if ((await asked)?.status === 200) cosigned = size + 1
      }
    } finally {
      child.kill('SIGKILL')
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    }
  }
  assert.ok(cosigned > 20)
})

function spawnWitness(dir: string) {
  const line = ['witness', '--dir', dir, '--port', '0', '--log', encodeVkey(told.vkey)]
  return spawn(process.execPath, ['src/cli/main.ts', ...line], { stdio: ['ignore', 'pipe', 'ignore'] })
}
