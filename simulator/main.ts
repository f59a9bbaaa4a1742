// Enrols devices while you watch, then keeps them connecting every few seconds until Ctrl-C.
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs, promisify } from 'node:util'
import { BulkheadError, publicError } from '../src/base/errors.ts'
import { demoHome } from '../src/cli/home.ts'
import { likely } from '../src/cli/likely.ts'
import { createDevice, type Device } from './device.ts'
import type { Model } from './person.ts'

const POLL = 3000
const root = resolve(import.meta.dirname, '..')
const models: readonly Model[] = ['iphone', 'ipad', 'mac']

const HELP = `usage: npm run device -- iphone|ipad|mac [options]

Enrols simulated devices while you watch; they stay in the foreground and come every ${POLL / 1000} seconds, until Ctrl-C.

  --home DIR        the installation that invites them (default: the demo, ${demoHome()})
  --passkey FILE    software passkey that approves the invitation (default: the demo's own)
  --url URL         the link of an invitation that you made, instead of --home
  --count N         how many devices (default 1)
  --tier TIER       private (default), no-wipe or full
  --supervised      devices that an organisation set up
  --seed TEXT       the same seed gives the same device
  --once            connect once, then end
`

const usage = (message: string, remedy = 'npm run device -- --help shows how to write it.') =>
  new BulkheadError('USAGE', message, { remedy })

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
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
  } catch (cause) {
    throw usage((cause as Error).message.split('. ', 1)[0]!)
  }
}

function readLine(argv: string[]) {
  const { values, positionals } = parse(argv)
  const [word, more] = positionals
  const model = models.find(one => one === word)
  const count = Number(values.count)
  if (!model)
    throw usage(word === undefined ? 'A kind of device is needed.' : `There is no device "${word}".`, kinds(word))
  if (more !== undefined) throw usage(`Nobody knows what "${more}" is for.`)
  if (!(count >= 1 && count <= 10_000)) throw usage(`--count ${values.count} is no number from 1 to 10000.`)
  return { ...values, model, count, home: resolve(values.home ?? demoHome()) }
}

function kinds(word = ''): string {
  const meant = likely(word, models)
  return `${meant === undefined ? '' : `Did you mean ${meant}? `}Write: npm run device -- iphone|ipad|mac. With --help it shows the rest.`
}
type Line = ReturnType<typeof readLine>

/** The profile's address: that of the link that was given, or of a new invitation, approved with a software passkey. */
async function profileUrl({ url, home, tier, count, passkey }: Line): Promise<string> {
  if (url) return url.replace(/\/?$/, '').replace(/(?<!\/profile)$/, '/profile')
  const isDemo = existsSync(join(home, 'demo'))
  if (!isDemo && passkey === undefined && home === demoHome())
    throw new BulkheadError('NOT_RUNNING', `There is no demo in ${home} yet.`, {
      remedy: 'Start it with npm start, or name another installation: --home DIR --passkey FILE',
    })
  process.stdout.write(
    `Enrolling into ${home}${isDemo ? ', the demo' : ''}. Another installation: --home DIR or --url LINK\n`,
  )
  if (passkey === undefined && !isDemo && existsSync(home))
    throw new BulkheadError('USAGE', `${home} is no demo: an invitation to it needs a member's software passkey.`, {
      remedy: 'Give --passkey FILE, or make an invitation in the app and give its link with --url.',
    })
  const key = passkey ?? join(home, 'demo', 'owner.passkey')
  const line = ['--home', home, '--platform', 'apple', '--tier', tier, '--uses', String(count), '--passkey', key]
  const invited = promisify(execFile)(join(root, 'bin/bulkhead'), ['invite', 'create', ...line, '--json'])
  const { stdout } = await invited.catch(({ stderr }) => {
    throw asSaid(String(stderr))
  })
  return (JSON.parse(stdout) as { profileUrl: string }).profileUrl
}

/** The error of the command that was run, as it told it. */
function asSaid(text: string): BulkheadError {
  const line = text.trim().split('\n').at(-1) ?? ''
  try {
    const { code, message, remedy } = JSON.parse(line)
    return new BulkheadError(code, `No invitation was made: ${message}`, { remedy })
  } catch {
    return new BulkheadError('INTERNAL', `No invitation was made: ${line}`)
  }
}

const say = (who: string) => (line: string) =>
  void process.stdout.write(`${new Date().toISOString().slice(11, 23)}  ${who}  ${line}\n`)

async function main(argv: string[]) {
  if (argv.includes('--help') || argv.includes('-h')) return void process.stdout.write(HELP)
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
  process.stderr.write(`${JSON.stringify(shown(error))}\n`)
  process.exitCode = 1
}

function shown(error: unknown) {
  if (error instanceof BulkheadError) return publicError(error)
  const { message, code } = error as NodeJS.ErrnoException
  if (code === undefined)
    return { code: 'INTERNAL', message: String(error), remedy: 'This is a fault of the simulator.' }
  const remedy = 'See whether Bulkhead runs, and whether the link is whole.'
  return { code: 'UNAVAILABLE', message: `The server does not answer: ${message || code}.`, remedy }
}
