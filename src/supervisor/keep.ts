import type { ChildProcess } from 'node:child_process'
import { BulkheadError } from '../base/errors.ts'
import { afterDeath, noDeaths } from './backoff.ts'
import type { LogFile } from './logfile.ts'

/**
 * One process that is kept alive: when it ends it is started again, later each time if it dies young.
 * How each is ended: a compartment by SIGTERM, an intake by its stdin, the database's keeper by its stdin; SIGKILL after the limit.
 */
export type Kept = {
  readonly child: ChildProcess | undefined
  /** How often in a row it died young. */
  readonly fastDeaths: number
  stop(limitMs?: number): Promise<void>
}

export type KeepOptions = {
  name: string
  start: () => ChildProcess | Promise<ChildProcess>
  log: LogFile
  /** After each start. */
  started?: (child: ChildProcess) => void
  /** After each end that nobody asked for. */
  ended?: () => void
  /** Asks the process to end. */
  end?: (child: ChildProcess) => void
  /** Ends a process that did not. */
  kill?: (child: ChildProcess) => void
  /** Said to people when it has died three times in a row. */
  say: (line: string) => void
  /** An end with status 0 is its normal way, and not a death. */
  recycles?: boolean
}

export function keep(options: KeepOptions): Kept {
  const { name, log, end = child => void child.kill('SIGTERM'), kill = child => void child.kill('SIGKILL') } = options
  let child: ChildProcess | undefined
  let deaths = noDeaths
  let stopping = false
  let timer: NodeJS.Timeout | undefined
  let starting: Promise<void> | undefined

  const again = (livedMs: number, status: number | null) => {
    if (stopping) return
    const calm = options.recycles === true && status === 0
    deaths = calm ? noDeaths : afterDeath(deaths, livedMs)
    if (deaths.fast === 3) options.say(`${name} died three times. Its last words:\n${log.tail()}`)
    timer = setTimeout(start, deaths.delayMs)
  }
  const start = () => {
    starting = run()
  }

  async function run() {
    const began = Date.now()
    try {
      const born = await options.start()
      child = born
      attach(born, began)
      if (!stopping) options.started?.(born)
    } catch (error) {
      log.write(Buffer.from(`${name} did not start: ${error instanceof Error ? error.message : String(error)}\n`))
      again(0, null)
    }
  }

  function attach(born: ChildProcess, began: number) {
    born.stderr?.on('data', (chunk: Buffer) => log.write(chunk))
    born.on('error', error => log.write(Buffer.from(`${name}: ${error.message}\n`)))
    born.stdin?.on('error', () => {}) // the other end may be gone first
    let over = false
    const ended = (status: number | null) => {
      if (over) return
      over = true
      if (child === born) child = undefined
      born.stdin?.destroy()
      if (!stopping) options.ended?.()
      again(Date.now() - began, status)
    }
    born.on('exit', ended)
    if (born.pid === undefined) ended(null) // it could not even be spawned
  }

  start()
  return {
    get child() {
      return child
    },
    get fastDeaths() {
      return deaths.fast
    },
    async stop(limitMs = 5000) {
      stopping = true
      clearTimeout(timer)
      await starting
      const last = child
      if (!last || last.exitCode !== null || last.signalCode !== null) return
      const gone = new Promise(resolve => last.once('exit', resolve))
      end(last)
      const patience = setTimeout(() => kill(last), limitMs)
      await gone
      clearTimeout(patience)
    },
  }
}

/** Waits for `{ t: 'ready' }` of every named process; names who is missing and shows the end of its log. */
export function readiness(names: readonly string[], logOf: (name: string) => LogFile, limitMs: number) {
  const missing = new Set(names)
  let settle = { resolve: () => {}, reject: (_: unknown) => {} }
  const all = new Promise<void>((resolve, reject) => {
    settle = { resolve, reject }
  })
  all.catch(() => {}) // awaited later than it may fail
  const timer = setTimeout(() => {
    const words = [...missing].map(name => `${name}: ${logOf(name).tail() || 'said nothing'}`).join('\n')
    const text = `After ${Math.round(limitMs / 1000)} s these parts are not ready: ${[...missing].join(', ')}.\n${words}`
    settle.reject(new BulkheadError('UNAVAILABLE', text, { remedy: 'Look at the logs in the home.' }))
  }, limitMs)
  const done = () => {
    clearTimeout(timer)
    settle.resolve()
  }
  if (missing.size === 0) done()
  return {
    all,
    ready(name: string) {
      missing.delete(name)
      if (missing.size === 0) done()
    },
    cancel: () => clearTimeout(timer),
  }
}
