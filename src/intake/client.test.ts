import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createConnection, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { after, test } from 'node:test'
import { encodeFrame, frameReader } from '../base/frame.ts'
import { encodeXmlPlist } from '../wire/plist/plist.ts'
import type { ConnectFound } from './api.ts'
import { createIntakeClient, type Intake } from './client.ts'

// Real parsers on a socket pair, as the supervisor starts them: the asker holds the other end of their standard input.

const server = JSON.stringify(resolve(import.meta.dirname, 'server.ts'))
const folder = mkdtempSync(join(tmpdir(), 'bhintake-'))
const started = new Set<ChildProcess>()
let pairs = 0
after(() => {
  for (const child of started) child.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})

async function socketPair(): Promise<[Socket, Socket]> {
  const listener = createServer({ pauseOnConnect: true }).listen(join(folder, String(pairs++)))
  await once(listener, 'listening')
  const accepted = once(listener, 'connection') as Promise<[Socket]>
  const mine = createConnection(listener.address() as string)
  const [theirs] = await accepted
  listener.close()
  return [mine, theirs]
}

async function parser(intake: Intake, recycleAfter = 1_000_000) {
  const [mine, theirs] = await socketPair()
  const script = `import { startIntake } from ${server}; startIntake(code => process.exit(code), ${recycleAfter})`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: [theirs, 'ignore', 'inherit'],
  })
  theirs.destroy()
  started.add(child)
  const gone = once(child, 'exit') as Promise<[number | null, string | null]>
  intake.attach(mine)
  return { child, gone }
}

const IDLE = Buffer.from(encodeXmlPlist({ Status: 'Idle', UDID: 'a-udid' }))
const certificate = 'a'.repeat(64)
const candidates = [{ certificate, device: 'a-device', sealTo: '', report: null }]
const idle = (intake: Intake) =>
  intake.ask('device', { kind: 'connect', signature: null, certificate, candidates }, IDLE) as Promise<ConnectFound>
const away = { name: 'BulkheadError', code: 'UNAVAILABLE' }

test('a message is read and a bad one is refused, each for itself', async () => {
  const intake = createIntakeClient()
  await parser(intake)
  const bad = intake.ask('scep', {}, Buffer.from('nonsense'))
  const good = idle(intake)
  await assert.rejects(bad, { name: 'BulkheadError', code: 'MALFORMED' })
  assert.equal((await good).message?.status, 'Idle')
  await assert.rejects(intake.ask('dump' as 'scep', {}, Buffer.alloc(0)), { code: 'BAD_REQUEST' })
  assert.equal(intake.asked, 3)
})

test('what was under way in a parser that died fails at once; what was answered before and what comes after is not touched', async t => {
  t.mock.timers.enable({ apis: ['setTimeout'] }) // no five seconds pass
  const intake = createIntakeClient()
  const first = await parser(intake)
  assert.ok(await idle(intake))
  first.child.kill('SIGSTOP')
  const underWay = [idle(intake), idle(intake)]
  first.child.kill('SIGKILL')
  for (const lost of underWay) await assert.rejects(lost, away)
  const waits = idle(intake)
  const second = await parser(intake)
  assert.equal((await waits).device, 'a-device')
  assert.ok(await idle(intake))
  assert.notEqual(second.child.pid, first.child.pid)
})

test('a parser that dies takes nothing of its successor with it', async () => {
  const intake = createIntakeClient()
  const first = await parser(intake)
  await idle(intake)
  first.child.kill('SIGSTOP')
  const lost = assert.rejects(idle(intake), away)
  await parser(intake) // the supervisor was quicker than the news of the death
  const good = idle(intake)
  first.child.kill('SIGKILL')
  await lost
  assert.ok(await good)
  assert.ok(await idle(intake))
})

test('a parser makes room for a fresh one after so many messages, and all that is on its way is still answered', async () => {
  const intake = createIntakeClient()
  const { gone } = await parser(intake, 3)
  const answers = await Promise.all(Array.from({ length: 20 }, () => idle(intake)))
  assert.ok(answers.every(({ device }) => device === 'a-device'))
  assert.deepEqual(await gone, [0, null])
  const waits = idle(intake)
  await parser(intake)
  assert.ok(await waits)
})

test('under constant load no message is lost while parsers come and go', async () => {
  const intake = createIntakeClient()
  let lives = 0
  const live = async () => {
    for (; lives < 3; lives++) await (await parser(intake, 50)).gone
  }
  void live()
  let asked = 0
  const keepAsking = async () => {
    for (; asked < 140; asked++) assert.ok(await idle(intake))
  }
  await Promise.all(Array.from({ length: 8 }, keepAsking))
  assert.equal(lives, 2)
})

const turn = () => new Promise(resolve => setImmediate(resolve))

/** A captured parser: `behave` says what it does once it is asked. */
async function captured(intake: Intake, behave: (socket: Socket) => void) {
  const [mine, theirs] = await socketPair()
  theirs.on('error', () => {})
  theirs.once('data', () => behave(theirs))
  theirs.resume()
  intake.attach(mine)
  return { gone: new Promise(resolve => mine.once('close', resolve)) }
}

test('a parser that speaks no frames is cut off, and its messages fail', async () => {
  const intake = createIntakeClient()
  const http = Buffer.from('HTTP/1.1 200').toString('hex')
  for (const bytes of ['ffffffff', '00000000', '000000080000000400000000', http]) {
    const { gone } = await captured(intake, socket => socket.write(Buffer.from(bytes, 'hex')))
    await assert.rejects(idle(intake), away)
    await gone
  }
  await parser(intake)
  assert.ok(await idle(intake))
})

test('a parser that is silent costs each message five seconds, and its late answer is nobody’s', async t => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const intake = createIntakeClient()
  const { child } = await parser(intake)
  child.kill('SIGSTOP')
  const lost = assert.rejects(idle(intake), away)
  t.mock.timers.tick(5_000)
  await lost
  child.kill('SIGCONT')
  assert.ok(await idle(intake))
})

test('with no parser at all a message waits five seconds for one, and no more than so many wait', async t => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const intake = createIntakeClient()
  const waiting = Array.from({ length: 5_000 }, () => idle(intake))
  await assert.rejects(idle(intake), { ...away, message: /Too many/ })
  const settled = Promise.allSettled(waiting)
  t.mock.timers.tick(5_000)
  assert.ok((await settled).every(({ status }) => status === 'rejected'))
  const next = idle(intake)
  await parser(intake)
  assert.ok(await next)
})

test('large messages that wait are bounded in bytes, and small ones are never refused for them', async t => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const intake = createIntakeClient()
  const of = (kibibytes: number) => intake.ask('scep', {}, Buffer.alloc(kibibytes * 1024))
  const waiting = [...Array.from({ length: 15 }, () => of(4096)), of(4064)]
  await assert.rejects(of(65), { ...away, message: /Too many/ })
  const settled = Promise.allSettled([...waiting, of(64)])
  t.mock.timers.tick(5_000)
  for (const lost of await settled) assert.match(String((lost as PromiseRejectedResult).reason), /could not be read/)
  const again = of(4096)
  await parser(intake)
  await assert.rejects(again, { code: 'MALFORMED' })
})

test('a parser that lets three messages in a row time out is hung up on, and the next one answers', async t => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const intake = createIntakeClient(() => assert.fail('a fresh one came'))
  let gone = false
  const silent = await captured(intake, () => {})
  void silent.gone.then(() => {
    gone = true
  })
  for (let times = 0; times < 3; times++) {
    assert.equal(gone, false)
    const lost = assert.rejects(idle(intake), away)
    t.mock.timers.tick(5_000)
    await lost
  }
  for (let turns = 0; turns < 1_000 && !gone; turns++) await turn()
  assert.equal(gone, true)
  const waits = idle(intake)
  await parser(intake)
  assert.ok(await waits)
  t.mock.timers.tick(60_000)
})

test('a parser that is only slow is kept: what it answers counts, although others had to give up', async t => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const intake = createIntakeClient()
  const [mine, theirs] = await socketPair()
  const answerTheFifth = frameReader(({ header }) => {
    const { id } = header as { id: number }
    if (id === 5) theirs.write(encodeFrame({ id, result: 'late' }))
  }, 1_000_000)
  theirs
    .on('data', answerTheFifth)
    .on('error', () => {})
    .resume()
  intake.attach(mine)
  const all = Array.from({ length: 5 }, () => idle(intake))
  const lost = Promise.allSettled(all)
  await all[4]
  t.mock.timers.tick(5_000)
  await lost
  assert.equal(mine.destroyed, false)
  mine.destroy()
})

test('a parser that is hung up on and stays, or says that it goes and does not, is given up with its owner', async t => {
  t.mock.timers.enable({ apis: ['setTimeout'] })
  const retire = encodeFrame({ id: -1, result: 'retire' })
  for (const behave of [() => {}, (socket: Socket) => void socket.write(retire)]) {
    let abandoned = false
    const intake = createIntakeClient(() => {
      abandoned = true
    })
    await captured(intake, behave)
    for (let times = 0; times < 3; times++) {
      const lost = assert.rejects(idle(intake), away)
      for (let turns = 0; turns < 200; turns++) await turn()
      t.mock.timers.tick(5_000)
      await lost
    }
    for (let turns = 0; turns < 1_000 && !abandoned; turns++) {
      await turn()
      t.mock.timers.tick(100)
    }
    assert.ok(abandoned)
  }
})
