import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { Pool } from 'pg'
import type { Device } from '../../simulator/device.ts'
import { consoleClient } from '../../src/cli/client.ts'
import { readHomeConfig } from '../../src/cli/home.ts'
import type { Approved } from '../../src/console/api.ts'
import { bootstrapRole, embeddedDatabase, secret } from '../../src/supervisor/postgres.ts'
import { isOurs, processes } from '../../src/supervisor/strays.ts'
import type { Policy } from '../../src/trust/policy.ts'
import { uuidText } from '../../src/trust/token.ts'

const root = resolve(import.meta.dirname, '../..')
export const bulkhead = join(root, 'bin/bulkhead')
const READY_MS = 90_000

export type Invite = {
  tier?: string
  uses?: number
  unsigned?: boolean
  identityDays?: number
  group?: string
  expires?: string
}
export type OrderShown = {
  order: string
  state: string
  devices: { device: string; state: string; result: Record<string, unknown> | null }[]
}
export type Installation = Awaited<ReturnType<typeof startInstallation>>

/**
 * `user`: another user, by number, and a copy of the program that this user can read; only root can choose one. `members`: how many there are
 * besides the owner; `policy`: what of it is another than usual; `start`: what is run instead of `bulkhead up`.
 */
type Options = {
  up?: string[]
  policy?: Partial<Policy>
  members?: number
  user?: { id: number; program: string }
  start?: string[]
}

/** The real program in a home of its own: every compartment, PostgreSQL, software passkeys. About 5 s. `up`: further options of `bulkhead up`. */
export async function startInstallation(options: Options = {}) {
  const home = mkdtempSync(join(tmpdir(), 'bh-'))
  chmodSync(home, 0o755) // compartments run as users of their own
  const desk = mkdtempSync(join(tmpdir(), 'bh-desk-')) // the operator's own: nothing of the server's ever sees it
  const passkey = join(desk, 'owner.passkey')
  const { user } = options
  if (user) for (const folder of [home, desk]) chownSync(folder, user.id, user.id)
  const ids = user && [`--reuid=${user.id}`, `--regid=${user.id}`, '--clear-groups']
  const command = user ? ['setpriv', ...ids!, join(user.program, 'bin/bulkhead')] : [bulkhead]
  const others = Array.from({ length: options.members ?? 1 }, (_, at) => join(desk, `member-${at + 2}.passkey`))
  const more = others.flatMap((file, at) => ['--member', `test-member-${at + 2}=${file}`])
  const line = ['init', '--home', home, '--owner', 'test-owner', '--software-passkey', passkey]
  const policy = join(home, 'policy.json')
  if (options.policy) {
    writeFileSync(policy, JSON.stringify(options.policy))
    more.push('--policy', policy)
  }
  await cli([...line, ...more], command)
  const begin = () => up(home, options, command)
  let running = await begin()
  let admin: Pool | undefined

  /** One command, as a person types it; its JSON. */
  const ask = async <T = Record<string, unknown>>(...line: string[]): Promise<T> =>
    JSON.parse(await cli([...line, '--home', home, '--json'], command)) as T
  const show = (order: string) => ask<OrderShown>('order', 'show', order)

  return {
    home,
    /** A folder of the operator's: passkeys, units' keys sealed to them, recovery shares. */
    desk,
    passkey,
    /** Every member's, the owner's first. */
    passkeys: [passkey, ...others],
    cli: ask,
    show,
    get urls() {
      return running.urls
    },
    /** The listener for mutual TLS; its certificate is the installation's own. */
    get tlsUrl() {
      return `https://127.0.0.1:${readHomeConfig(home).ports.edgeTls}`
    },
    /** The console as the command line asks it, without the half second that a process takes. */
    console: consoleClient(home),
    /** The supervisor's process. */
    get pid() {
      return running.child.pid!
    },
    /** What `up` wrote to stderr. */
    said: () => running.said(),
    invite({ tier = 'private', uses = 1, unsigned, identityDays, group, expires }: Invite = {}) {
      const line = ['--platform', 'apple', '--tier', tier, '--uses', String(uses), '--passkey', passkey]
      if (unsigned) line.push('--unsigned')
      if (identityDays) line.push('--identity-days', String(identityDays))
      if (group) line.push('--group', group)
      if (expires) line.push('--expires', expires)
      return ask<{ invitation: string; url: string; profileUrl: string; expiresAt: string }>(
        'invite',
        'create',
        ...line,
      )
    },
    /** Drafts; `approve` makes it count. Returns the order's id. */
    async draft(...line: string[]) {
      return (await ask<{ order: string }>('order', 'create', ...line, '--reason', 'a test')).order
    },
    approve: (order: string, by = passkey) => ask<Approved>('order', 'approve', order, '--passkey', by),
    /** By as many members as it takes. */
    async approveAll(order: string) {
      for (const by of [passkey, ...others]) if ((await this.approve(order, by)).state !== 'draft') return
      throw new Error('The order takes more members than there are.')
    },
    /** Drafts and approves. */
    async order(...line: string[]) {
      const order = await this.draft(...line)
      await this.approveAll(order)
      return order
    },
    /** Waits until `done` says so of the order. */
    async until(order: string, done: (shown: OrderShown) => boolean, seconds = 20) {
      for (const late = Date.now() + seconds * 1000; ; await sleep(100)) {
        const shown = await show(order)
        if (done(shown)) return shown
        if (Date.now() > late) throw new Error(`The order stays as it is: ${JSON.stringify(shown)}`)
      }
    },
    /** The database as its superuser: what an intruder who owns it can do. */
    get database(): Pool {
      if (admin) return admin
      admin = new Pool({ ...embeddedDatabase(home, bootstrapRole, secret(home, 'bootstrap'), 'bulkhead'), max: 2 })
      return admin.on('error', () => {})
    },
    /** Process ids of this home by entry file: `edge`, `vault`, `intake` (two) … */
    pids: (name: string): number[] =>
      [...processes()].filter(({ argv }) => isOurs(argv, home, [`bin/${name}.ts`])).map(({ pid }) => pid),
    /** Ends one compartment, so that it forgets what it kept in memory, and waits until another serves in its place. */
    async renew(name: 'edge' | 'vault' | 'console') {
      const [before] = this.pids(name)
      const ready = async () => {
        if (name === 'edge') return (await fetch(running.urls.edge)).status === 404
        // The path of the API that needs the compartment.
        await consoleClient(home).get(name === 'vault' ? '/api/push' : '/api/roster')
        return true
      }
      process.kill(before!, 'SIGKILL')
      await until(async () => !this.pids(name).includes(before!) && (await ready().catch(() => false)))
    },
    async stopUp(signal: NodeJS.Signals = 'SIGTERM') {
      await admin?.end()
      admin = undefined
      await end(running.child, signal)
    },
    async startUp() {
      running = await begin()
    },
    async stop() {
      await this.stopUp()
      for (const folder of [home, desk]) rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** The id of a device that was the first to use its profile: its URLs name it. */
export function idOf({ state }: Device): string {
  const token = new URL(state.enrolment?.serverUrl ?? '').pathname.split('/')[2]!
  return uuidText(Buffer.from(token, 'base64url').subarray(0, 16))
}

/** Waits for a condition; what it gave. The limit is a guard, not a measure. */
export async function until<T>(what: () => T | Promise<T>, seconds = 30): Promise<NonNullable<Awaited<T>>> {
  for (const late = Date.now() + seconds * 1000; Date.now() < late; await sleep(30)) {
    const value = await what()
    if (value) return value
  }
  throw new Error('It did not happen in time.')
}

export async function cli(line: string[], [file, ...words]: string[] = [bulkhead]): Promise<string> {
  return (await promisify(execFile)(file!, [...words, ...line], { maxBuffer: 64 * 1024 * 1024, timeout: READY_MS }))
    .stdout
}

type Urls = { edge: string; console: string; app: string; ledger: string }

async function up(home: string, { start = ['up'], up: more = [] }: Options, [file, ...words]: string[]) {
  const child = spawn(file!, [...words, ...start, '--home', home, ...more], { stdio: ['ignore', 'pipe', 'pipe'] })
  let [out, errors] = ['', '']
  child.stderr.on('data', chunk => {
    errors += chunk
  })
  child.stdout.on('data', chunk => {
    out += chunk
  })
  for (const late = Date.now() + READY_MS; !out.includes('\n'); await sleep(20))
    if (child.exitCode !== null || Date.now() > late)
      throw new Error(`bulkhead up did not start: ${errors.slice(-2000)}`)
  return { child, urls: JSON.parse(out.slice(0, out.indexOf('\n'))) as Urls, said: () => errors }
}

async function end(child: ChildProcess, signal: NodeJS.Signals) {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = once(child, 'exit')
  child.kill(signal)
  const timer = setTimeout(() => child.kill('SIGKILL'), 20_000)
  await exit
  clearTimeout(timer)
}
