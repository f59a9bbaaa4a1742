// npm run device -- iphone|ipad|mac [--home DIR | --url PROFILE_URL] [--count N] [--tier T] [--supervised] [--once]
// Enrols devices while you watch, then keeps them connecting every few seconds until Ctrl-C.
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs, promisify } from 'node:util'
import { BulkheadError, publicError } from '../src/base/errors.ts'
import { demoHome } from '../src/cli/home.ts'
import { createDevice, type Device } from './device.ts'
import type { Model } from './person.ts'

const POLL = 3000
const root = resolve(import.meta.dirname, '..')
const models: readonly Model[] = ['iphone', 'ipad', 'mac']

const usage = () =>
  new BulkheadError('USAGE', 'A kind of device is needed.', {
    remedy:
      'Write: npm run device -- iphone|ipad|mac [--home DIR | --url PROFILE_URL] [--count N] [--tier private|no-wipe|full] [--supervised]',
  })

function readLine(argv: string[]) {
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: {
      home: { type: 'string' },
      url: { type: 'string' },
      count: { type: 'string', default: '1' },
      tier: { type: 'string', default: 'private' },
      passkey: { type: 'string' },
      seed: { type: 'string', default: String(Date.now()) },
      supervised: { type: 'boolean', default: false },
      once: { type: 'boolean', default: false },
    },
  })
  const model = models.find(one => one === positionals[0])
  const count = Number(values.count)
  if (!model || positionals.length > 1 || !(count >= 1 && count <= 10_000)) throw usage()
  return { ...values, model, count, home: resolve(values.home ?? demoHome()) }
}
type Line = ReturnType<typeof readLine>

/** The profile's address: the one given, or that of a new invitation, approved with the demo's own passkey. */
async function profileUrl({ url, home, tier, count, passkey }: Line): Promise<string> {
  if (url) return url
  const key = passkey ?? join(home, 'demo', 'owner.passkey')
  if (!existsSync(key))
    throw new BulkheadError('NOT_FOUND', `There is no passkey ${key}.`, {
      remedy: 'Make an invitation yourself and pass its profileUrl with --url.',
    })
  const line = [
    'invite',
    'create',
    '--home',
    home,
    '--platform',
    'apple',
    '--tier',
    tier,
    '--uses',
    String(count),
    '--passkey',
    key,
    '--json',
  ]
  const { stdout } = await promisify(execFile)(join(root, 'bin/bulkhead'), line).catch(error => {
    throw new BulkheadError('NOT_RUNNING', `No invitation was made: ${String(error.stderr).trim()}`, {
      remedy: 'Start Bulkhead first: npm start',
    })
  })
  return (JSON.parse(stdout) as { profileUrl: string }).profileUrl
}

const say = (who: string) => (line: string) =>
  void process.stdout.write(`${new Date().toISOString().slice(11, 23)}  ${who}  ${line}\n`)

async function main(argv: string[]) {
  const line = readLine(argv)
  const url = await profileUrl(line)
  const stopping = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort())
  await Promise.all(Array.from({ length: line.count }, (_, index) => live(line, index, url, stopping.signal)))
}

async function live({ model, seed, supervised, once }: Line, index: number, url: string, stop: AbortSignal) {
  let tell = (_line: string) => {}
  const device = createDevice({ seed: `${seed}-${index}`, model, supervised, say: line => tell(line) })
  tell = say(device.self.serial)
  const { name, deviceName, os } = device.self
  tell(`A new ${name}: “${deviceName}”, system ${os}, ${supervised ? 'supervised' : 'not supervised'}.`)
  tell('Fetching the profile and making a key of 2048 bits …')
  const started = Date.now()
  await device.enrol(url)
  tell(
    `Enrolled in ${Date.now() - started} ms.${once ? '' : ` It connects every ${POLL / 1000} seconds: Ctrl-C ends it.`}`,
  )
  do await visit(device, tell)
  while (!once && device.state.enrolment && (await pause(POLL, stop)))
  device.close()
}

async function visit(device: Device, tell: (line: string) => void) {
  try {
    const started = Date.now()
    const handled = await device.connect()
    if (handled > 0) tell(`Handled ${handled} ${handled === 1 ? 'command' : 'commands'} in ${Date.now() - started} ms.`)
  } catch (error) {
    tell(`The server could not be reached, or refused: ${(error as Error).message}`)
  }
}

/** False when it was cut short. */
function pause(milliseconds: number, stop: AbortSignal): Promise<boolean> {
  return new Promise(settle => {
    const done = (whole: boolean) => {
      clearTimeout(timer)
      stop.removeEventListener('abort', cut)
      settle(whole)
    }
    const cut = () => done(false)
    const timer = setTimeout(() => done(true), milliseconds)
    stop.addEventListener('abort', cut)
  })
}

try {
  await main(process.argv.slice(2))
} catch (error) {
  process.stderr.write(
    `${JSON.stringify(error instanceof BulkheadError ? publicError(error) : { message: String(error) })}\n`,
  )
  process.exitCode = 1
}
