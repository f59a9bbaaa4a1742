import type { Urls } from '../base/config.ts'
import { BulkheadError } from '../base/errors.ts'
import { isInitialised, prepareHome, readHomeConfig } from '../cli/home.ts'
import { keepCompartment, type Nursery } from './children.ts'
import { compartments, intakes, startOrder } from './compartments.ts'
import { configure, type Plan } from './configure.ts'
import { startDatabase } from './database.ts'
import { createFamily } from './family.ts'
import { readiness } from './keep.ts'
import { takeHome } from './lock.ts'
import { type Choices, makePlan } from './plan.ts'
import { programRoot, readableProgram } from './program.ts'
import { askForOwner, type SetupAnswer } from './setup.ts'
import { endStrays } from './strays.ts'

/**
 * The supervisor: outside every sandbox, so it does little and reads nothing from the network. It starts the database and the
 * compartments, hands each parser's pipe over, starts again what ended, and stops everything.
 */
export type StartOptions = Choices & {
  home: string
  /** Where the program lies; tests use another. */
  programRoot?: string
  databaseUrl?: string
  /** Lines for people. */
  say?: (line: string) => void
  /** Makes keys and genesis from the answer of the set-up page. Without it, a home that was never initialised is refused. */
  initHome?: (options: SetupAnswer & { home: string; appPort: number }) => Promise<{ genesisDigest: string }>
  /** Stops everything, also while it starts. */
  signal?: AbortSignal
  readyLimitMs?: number
}

export type Supervisor = { home: string; urls: Urls; stop(): Promise<void> }

const READY_LIMIT = 30_000
const entries = [...Object.values(compartments), ...Object.values(intakes)].map(row => row.entry)

/** Starts everything and returns when all parts serve. Throws BulkheadError, and then nothing is left running. */
export async function startSupervisor(options: StartOptions): Promise<Supervisor> {
  process.umask(0o077)
  const { say = () => {} } = options
  const home = prepareHome(options.home)
  const release = takeHome(home)
  const family = createFamily(home)
  const stop = async () => {
    await family.stop()
    release()
  }
  try {
    endStrays(home, entries)
    const program = readableProgram(home, options.programRoot ?? programRoot, say)
    const plan = await makePlan(home, program.root, options)
    await unlessAborted(options.signal, startAll({ home, program, family, say }, plan, options))
    return { home, urls: plan.urls, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

async function startAll(nursery: Nursery, plan: Plan, options: StartOptions) {
  const { home, program, family, say } = nursery
  const limitMs = options.readyLimitMs ?? READY_LIMIT
  if (!isInitialised(home)) await becomeOwned(nursery, plan, options, limitMs)
  plan.genesisDigest = readHomeConfig(home).genesisDigest ?? ''
  plan.databases = await startDatabase({
    home,
    programRoot: program.root,
    databaseUrl: options.databaseUrl,
    family,
    say,
  })
  const ready = readiness(startOrder, family.log, limitMs)
  try {
    for (const name of startOrder) {
      configure(plan, name)
      keepCompartment(nursery, name, ({ t }) => {
        if (t === 'ready') ready.ready(name)
      })
    }
    await ready.all
  } finally {
    ready.cancel()
  }
}

async function becomeOwned(nursery: Nursery, plan: Plan, { initHome }: StartOptions, limitMs: number) {
  const { home } = nursery
  if (!initHome)
    throw new BulkheadError('NOT_INITIALISED', `${home} was never initialised.`, {
      remedy: 'Run: bulkhead init --owner ALIAS --software-passkey FILE',
    })
  const answer = await askForOwner(nursery, plan, limitMs)
  await initHome({ ...answer, home, appPort: plan.listen.app.port })
}

function unlessAborted(signal: AbortSignal | undefined, work: Promise<void>): Promise<void> {
  if (!signal) return work
  work.catch(() => {}) // it may fail after the abort, when nobody waits for it any more
  const aborted = new Promise<never>((_, reject) => {
    const end = () => reject(new BulkheadError('UNAVAILABLE', 'Stopped before everything was ready.'))
    if (signal.aborted) end()
    signal.addEventListener('abort', end, { once: true })
  })
  return Promise.race([work, aborted])
}
