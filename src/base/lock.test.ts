import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { lockFolder } from './lock.ts'

const dir = mkdtempSync(join(tmpdir(), 'bh-lock-'))
after(() => rmSync(dir, { recursive: true }))

/** A process that takes the lock, says whether it has it, and stays. */
const TAKER = `
import { lockFolder } from './src/base/lock.ts'
try { lockFolder(process.argv[1], 'Another'); process.stdout.write('mine\\n') } catch (error) { process.stdout.write(error.code + '\\n') }
setInterval(() => {}, 1000)`
function taker(): { child: ChildProcess; said: Promise<string> } {
  const child = spawn(process.execPath, ['--input-type=module', '-e', TAKER, dir], {
    cwd: join(import.meta.dirname, '../..'),
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  return { child, said: new Promise(settle => child.stdout.once('data', part => settle(String(part).trim()))) }
}
const ended = (child: ChildProcess) => {
  const gone = new Promise(settle => child.once('exit', settle))
  child.kill('SIGKILL')
  return gone
}

test('a folder has one holder, in this process too, until it is given back', () => {
  const held = lockFolder(dir, 'Another ledger')
  assert.throws(() => lockFolder(dir, 'Another ledger'), { code: 'CONFLICT', message: /^Another ledger uses/ })
  held.release()
  lockFolder(dir, 'Another ledger').release()
})

test('of many that start at once over the remains of a killed one, one has it', async () => {
  const dead = taker()
  assert.equal(await dead.said, 'mine')
  assert.throws(() => lockFolder(dir, 'Another'), { code: 'CONFLICT' })
  await ended(dead.child)
  const all = Array.from({ length: 6 }, taker)
  const said = await Promise.all(all.map(one => one.said))
  assert.deepEqual(said.sort(), [...Array(5).fill('CONFLICT'), 'mine'])
  await Promise.all(all.map(one => ended(one.child)))
  lockFolder(dir, 'Another').release()
})

test('a folder that cannot be locked says so, and does not blame another', () => {
  assert.throws(() => lockFolder(join(dir, 'missing'), 'Another'), { code: 'HOME_UNUSABLE' })
  const other = mkdtempSync(join(tmpdir(), 'bh-lock-'))
  writeFileSync(join(other, 'lock.db'), 'x'.repeat(4096)) // no database
  assert.throws(() => lockFolder(other, 'Another'), { code: 'HOME_UNUSABLE' })
  rmSync(other, { recursive: true })
})
