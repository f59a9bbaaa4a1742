import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'

/** `npm run device`, without a server: what somebody reads who types it for the first time. */
function device(...words: string[]): Promise<{ status: number; out: string; err: string }> {
  return new Promise(settle =>
    execFile(process.execPath, [join(import.meta.dirname, 'main.ts'), ...words], (error, out, err) =>
      settle({ status: error ? Number(error.code) : 0, out, err }),
    ),
  )
}

test('--help names every option and where the devices enrol', async () => {
  const { status, out } = await device('--help')
  assert.equal(status, 0)
  for (const option of ['--home', '--passkey', '--url', '--count', '--tier', '--supervised', '--seed', '--once'])
    assert.match(out, new RegExp(`^ {2}${option} .*$`, 'm'))
  assert.match(out, /default: the demo, \//)
})

test('a mistyped line is an error with a code and a remedy, not a fault of the program', async () => {
  for (const [words, told] of [
    [['iphnoe'], /Did you mean iphone\?/],
    [[], /iphone\|ipad\|mac/],
    [['iphone', '--bogus'], /'--bogus'.*--help/],
    [['iphone', 'more'], /\\"more\\"/],
  ] as const) {
    const { status, err } = await device(...words)
    const { code, message, remedy } = JSON.parse(err)
    assert.deepEqual([status, code], [1, 'USAGE'])
    assert.match(JSON.stringify(`${message} ${remedy}`), told)
  }
})

test('an installation of its own needs a passkey, which is said', async () => {
  const home = mkdtempSync(join(tmpdir(), 'bh-device-'))
  const { out, err } = await device('iphone', '--home', home)
  rmSync(home, { recursive: true })
  assert.ok(out.includes(`Enrolling into ${home}.`))
  assert.match(JSON.parse(err).remedy, /--passkey FILE/)
})
