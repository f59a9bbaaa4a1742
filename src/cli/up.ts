import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { BulkheadError } from '../base/errors.ts'
import type { PortName } from '../supervisor/ports.ts'
import { programRoot } from '../supervisor/program.ts'
import { type StartOptions, type Supervisor, startSupervisor } from '../supervisor/supervisor.ts'
import { type Args, list, text, whole } from './args.ts'

const portOptions: Record<string, PortName> = {
  'edge-port': 'edge',
  'edge-tls-port': 'edgeTls',
  'console-port': 'console',
  'app-port': 'app',
  'ledger-port': 'ledger',
}

/** The options of `up`, and of every command that starts an installation, as the supervisor takes them. */
export function startOptions(args: Args): StartOptions {
  const ports: StartOptions['ports'] = {}
  for (const [option, name] of Object.entries(portOptions)) {
    const port = whole(args, option, 0, 65535)
    if (port !== undefined) ports[name] = port
  }
  const given = <K extends string>(key: K, value: string | undefined) =>
    value === undefined ? {} : ({ [key]: value } as Record<K, string>)
  return {
    home: args.home,
    ports,
    say: line => void process.stderr.write(`${line}\n`),
    ...given('edgeBind', text(args, 'edge-bind')),
    ...given('publicUrl', text(args, 'public-url')),
    ...given('tlsCert', text(args, 'tls-cert')),
    ...given('tlsKey', text(args, 'tls-key')),
    ...given('trustedProxy', text(args, 'trusted-proxy')),
    ...given('apnsUrl', text(args, 'apns-url')),
    ...given('apnsCa', text(args, 'apns-ca')),
    ...(list(args, 'witness').length > 0 && { witnesses: list(args, 'witness') }),
    ...given('databaseUrl', process.env.DATABASE_URL || undefined),
  }
}

/** Starts everything, says so in one JSON line, and stops everything at the first signal. */
export async function run(args: Args): Promise<number> {
  buildWeb(line => void process.stderr.write(`${line}\n`))
  return untilStopped(
    startOptions(args),
    async () => {},
    async options => (await import('./init.ts')).initHome(options),
  )
}

const SAME_WISH_MS = 1_000

/**
 * Starts an installation, runs `then`, prints the ready line, and waits for SIGTERM, SIGINT or SIGHUP. Returns 0 after an orderly stop.
 * A second signal, later, ends the process at once: the database's keeper and the compartments then end by themselves.
 */
export async function untilStopped(
  options: StartOptions,
  then: (running: Supervisor) => Promise<void>,
  initHome?: NonNullable<StartOptions['initHome']>,
): Promise<number> {
  const stopping = new AbortController()
  const asked = new Promise<void>(settle => {
    let since = 0
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const)
      process.on(signal, () => {
        // A terminal and npm both pass on one Ctrl-C: what comes at once is the same wish.
        if (stopping.signal.aborted && performance.now() - since > SAME_WISH_MS) process.exit(1)
        since ||= performance.now()
        stopping.abort()
        settle()
      })
  })
  try {
    const running = await startSupervisor({ ...options, signal: stopping.signal, ...(initHome && { initHome }) })
    try {
      await Promise.race([then(running), asked])
      if (!stopping.signal.aborted) process.stdout.write(`${JSON.stringify(running.urls)}\n`)
      await asked
    } finally {
      await running.stop()
    }
    options.say?.('Stopped.')
  } catch (error) {
    if (!stopping.signal.aborted) throw error
  }
  return 0
}

/** The admin app is built on the machine that serves it, once. */
export function buildWeb(say: (line: string) => void, root = programRoot) {
  if (existsSync(join(root, 'web/dist/index.html'))) return
  const vite = ['node_modules/vite/bin/vite.js', 'web/node_modules/vite/bin/vite.js']
    .map(path => join(root, path))
    .find(path => existsSync(path))
  if (!vite)
    throw new BulkheadError('MISSING_PART', 'The admin app is not built, and vite is not installed.', {
      remedy: 'Run npm ci without --omit=dev.',
    })
  say('Building the admin app, once …')
  const built = spawnSync(process.execPath, [vite, 'build', '--logLevel', 'warn'], {
    cwd: join(root, 'web'),
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  if (built.status === 0) return
  throw new BulkheadError(
    'INTERNAL',
    `The admin app could not be built: ${`${built.stdout}${built.stderr}`.trim().slice(0, 1500)}`,
    {
      remedy: 'Run bin/node node_modules/vite/bin/vite.js build in the folder web.',
    },
  )
}
