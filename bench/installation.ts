import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'

const root = resolve(import.meta.dirname, '..')
const START_SECONDS = 60

export type Installation = Awaited<ReturnType<typeof startInstallation>>

/** A whole Bulkhead in a temporary home, as anybody would start it. `program`: where it lies. */
export async function startInstallation(program = root) {
  const bulkhead = join(program, 'bin/bulkhead')
  const cli = (line: string[]) => run(bulkhead, line)
  const home = mkdtempSync(join(tmpdir(), 'bh-bench-'))
  const passkey = join(home, 'bench.passkey')
  const policy = join(home, 'policy.json')
  writeFileSync(policy, JSON.stringify({ budgets: { enrol: { devices: 100_000, seconds: 60 } } })) // a fleet in a minute is no roll-out
  await cli(['init', '--home', home, '--owner', 'bench', '--software-passkey', passkey, '--policy', policy])
  const up = spawn(bulkhead, ['up', '--home', home], { stdio: ['ignore', 'pipe', 'inherit'] })
  const urls = await readyLine(up)
  return {
    home,
    urls,
    pid: up.pid!,
    invite: async (uses: number): Promise<string> => {
      const line = [
        '--platform',
        'apple',
        '--tier',
        'private',
        '--uses',
        String(uses),
        '--unsigned',
        '--passkey',
        passkey,
      ]
      const { profileUrl } = JSON.parse(await cli(['invite', 'create', ...line, '--home', home, '--json'])) as {
        profileUrl: string
      }
      return profileUrl
    },
    passkey,
    stop: async () => {
      const gone = new Promise(settle => up.once('exit', settle))
      if (up.exitCode === null && up.kill('SIGTERM')) await gone
      rmSync(home, { recursive: true, force: true })
    },
  }
}

async function run(bulkhead: string, line: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)(bulkhead, line, { maxBuffer: 64 * 1024 * 1024 })
  return stdout
}

function readyLine(up: ChildProcess): Promise<{ edge: string }> {
  return new Promise((settle, reject) => {
    const late = setTimeout(
      () => reject(new Error(`Bulkhead was not ready after ${START_SECONDS} s.`)),
      START_SECONDS * 1000,
    )
    up.once('exit', status => reject(new Error(`bulkhead up ended with ${status}.`)))
    createInterface({ input: up.stdout! }).on('line', line => {
      if (!line.startsWith('{')) return
      clearTimeout(late)
      settle(JSON.parse(line) as { edge: string })
    })
  })
}
