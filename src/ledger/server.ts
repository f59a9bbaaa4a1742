import type { KeyObject } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { lockFolder } from '../base/lock.ts'
import type { Log } from '../base/log.ts'
import { type Method, type RpcServer, serveRpc } from '../base/rpc.ts'
import type { Trusted } from '../trust/roster.ts'
import { ledgerFor } from './answer.ts'
import type { Caller, Ledger, LogName } from './api.ts'
import { createControlState } from './control.ts'
import { startCosigner } from './cosign.ts'
import { Deliveries } from './deliveries.ts'
import { type DeliveryDesk, openDesk } from './desk.ts'
import { type Disk, openDisk } from './disk.ts'
import { readParams } from './request.ts'
import { type LogState, Sequence } from './sequence.ts'
import { serveTiles } from './tiles.ts'

/** The ledger's process: two logs, a socket for each caller, tiles over HTTP. APPEND ONLY: nothing here changes or removes an entry. */
export type LedgerOptions = {
  dir: string
  /** The installation's name: the origins are <name>/main and <name>/control, the clock's key is <name>/clock. */
  name: string
  /** Ed25519 private keys. */
  keys: { main: KeyObject; control: KeyObject; clock: KeyObject }
  /** Milliseconds since 1970. */
  clock: () => number
  /** The text of the roster's genesis, and what it says once its digest was checked. */
  genesis: string
  trusted: Trusted
  sockets: Partial<Record<Caller, string>>
  http: { host: string; port: number }
  /** Where witnesses take checkpoints: see cosign.ts. */
  witnesses?: readonly string[]
  log: Log
}
/** `failed` is settled once the journal could not be written: the process should then end and start again. */
export type RunningLedger = { url: string; failed: Promise<unknown>; close(): Promise<void> }

const SEQUENCE_MS = 80 // at least every 100 ms, with some for the work itself
const STORE_MS = 1000 // the journal has it all before: files are for the next start and for whoever checks them
const MOST_UNSTORED = 1000 // entries
const FRESH_MS = 5000 // at least every 10 s: verifiers take 30 s for frozen

export async function startLedger(options: LedgerOptions): Promise<RunningLedger> {
  const { dir, log, http } = options
  const opened: (() => Promise<unknown>)[] = []
  const close = async () => {
    for (const step of opened.splice(0).reverse()) await step()
  }
  try {
    await mkdir(dir, { recursive: true })
    const lock = lockFolder(dir, 'Another ledger') // two would sign two pasts
    opened.push(async () => lock.release())
    const rules = createControlState(options.genesis, options.trusted, options.clock)
    const deliveries = new Deliveries(() => {
      const now = Math.floor(options.clock() / 1000)
      return { now, enrol: rules.control.trustedAt(now).rules.enrol }
    })
    const main = await openLog(options, 'main', deliveries, opened)
    const control = await openLog(options, 'control', rules, opened)
    const desk = openDesk({ main, deliveries, control: rules.control, clock: options.clock })
    const ticker = startTicker({ main, control }, options)
    opened.push(() => ticker.stop())
    const named = () => rules.control.versions.at(-1)!.roster.policy.witnesses ?? []
    const cosigner = startCosigner({ logs: [main, control], witnesses: options.witnesses ?? [], named, log })
    opened.push(() => cosigner.stop())
    const tiles = await serveTiles({ dir, logs: { main, control }, ...http, log })
    opened.push(() => closeTiles(tiles))
    for (const server of await listen(options, { main, control }, desk)) opened.push(() => server.close())
    log.info('ledger.started', { main: main.head.size, control: control.head.size })
    return { url: `http://${http.host}:${(tiles.address() as AddressInfo).port}`, failed: ticker.failed, close }
  } catch (error) {
    await close()
    throw error
  }
}

async function openLog(
  options: LedgerOptions,
  log: LogName,
  state: LogState,
  opened: (() => Promise<unknown>)[],
): Promise<Sequence> {
  const { dir, name, keys, clock } = options
  const disk: Disk = openDisk()
  opened.push(() => disk.close())
  const signing = { origin: `${name}/${log}`, key: keys[log], clockName: `${name}/clock`, clockKey: keys.clock }
  const sequence = await Sequence.open({ disk, dir: join(dir, log), log, signing, clock, state })
  opened.push(() => sequence.settle())
  return sequence
}

function listen(options: LedgerOptions, logs: Record<LogName, Sequence>, desk: DeliveryDesk): Promise<RpcServer[]> {
  const sockets = Object.entries(options.sockets) as [Caller, string][]
  return Promise.all(
    sockets.map(([caller, path]) =>
      serveRpc({ path, caller, methods: methodsOf(caller, ledgerFor(caller, logs, desk)), log: options.log }),
    ),
  )
}

/** One row for each method: how its parameters are read. Devices are the edge's alone. */
function methodsOf(caller: Caller, ledger: Ledger): Record<string, Method> {
  const method =
    (run: (params: ReturnType<typeof readParams>) => Promise<unknown>): Method =>
    async params =>
      run(readParams(params))
  return {
    append: method(params => ledger.append({ log: params.log(), entries: params.entries() })),
    checkpoint: method(params => ledger.checkpoint({ log: params.log(), cosigned: params.flag('cosigned') })),
    prove: method(params => {
      const size = params.optionalCount('size')
      const asked = { log: params.log(), index: params.count('index'), cosigned: params.flag('cosigned') }
      return ledger.prove(size === undefined ? asked : { ...asked, size })
    }),
    consistency: method(params =>
      ledger.consistency({ log: params.log(), from: params.count('from'), to: params.count('to') }),
    ),
    entry: method(params => ledger.entry({ log: params.log(), index: params.count('index') })),
    find: method(params => ledger.find({ log: params.log(), unique: params.text('unique') })),
    proofs: method(params => ledger.proofs({ keys: params.texts('keys'), cosigned: params.flag('cosigned') })),
    control: method(params => ledger.control({ from: params.count('from') })),
    ...(caller === 'edge' && {
      deliver: method(params =>
        ledger.deliver({ deliveries: params.deliveries(), answered: params.commands('answered') }),
      ),
    }),
  }
}

/** Publishes what grew, and control's time, and writes it to its files. A write that fails is tried again at the next turn. */
function startTicker(logs: Record<LogName, Sequence>, { clock, log }: LedgerOptions) {
  const failure = Promise.withResolvers<unknown>()
  let stopped = false
  let timer: NodeJS.Timeout | undefined
  let turn: Promise<unknown> = Promise.resolve()
  const since = { main: 0, control: 0 }
  async function tend(sequence: Sequence) {
    if (sequence.broken) failure.resolve(sequence.broken)
    const stale = sequence.log === 'control' && clock() - sequence.head.time * 1000 >= FRESH_MS
    if (sequence.waiting > 0 || stale) sequence.publish()
    const { head, stored } = sequence
    const due =
      stopped || performance.now() - since[sequence.log] >= STORE_MS || head.size - stored!.size >= MOST_UNSTORED
    if (head === stored || !due) return
    since[sequence.log] = performance.now()
    await sequence.store()
  }
  async function run() {
    const started = performance.now()
    for (const outcome of await Promise.allSettled([tend(logs.main), tend(logs.control)]))
      if (outcome.status === 'rejected') log.error('ledger.publish', {}, outcome.reason)
    if (!stopped) timer = setTimeout(next, Math.max(0, SEQUENCE_MS - (performance.now() - started)))
  }
  const next = () => {
    turn = run()
  }
  next()
  const stop = async () => {
    stopped = true
    clearTimeout(timer)
    await turn
    // What was promised and is not yet published is in the journal; publishing it now only spares the next start some work.
    await Promise.allSettled([tend(logs.main), tend(logs.control)])
  }
  return { failed: failure.promise, stop }
}

function closeTiles(server: Server): Promise<void> {
  return new Promise(done => {
    server.close(() => done())
    server.closeAllConnections()
  })
}
