/**
 * Every wall between our processes, in one table. Who is not named as a caller has no socket; what is not named as a
 * file cannot be opened; `intake` has no network at all. A row changed here is a wall moved: DESIGN section 4 comes first.
 */
export type Compartment = {
  /** Numeric user and group of its own, where the supervisor may change users. No account needs to exist. */
  uid: number
  entry: string
  /** Who may call it, each over a socket of its own. `cli` is the owner of the home. */
  callers: readonly string[]
  /** Folders of the program that it reads besides its code. */
  reads: readonly string[]
  network: boolean
  database: boolean
  /** It forgets on purpose: what it dropped is collected, and so overwritten, when it says so. */
  forgets?: true
  /** Which intake stands before it, if one does. */
  intake?: string
  /** Listeners for strangers; their ports are chosen by the supervisor. */
  listens: readonly ('http' | 'tls')[]
}

export const compartments = {
  ledger: {
    uid: 64206,
    entry: 'bin/ledger.ts',
    callers: ['edge', 'console', 'vault', 'watch', 'cli'],
    reads: [],
    network: true,
    database: false,
    listens: ['http'],
  },
  vault: {
    uid: 64205,
    entry: 'bin/vault.ts',
    callers: ['edge', 'console'],
    reads: [],
    network: true,
    database: true,
    forgets: true,
    intake: 'intake-vault',
    listens: [],
  },
  watch: {
    uid: 64207,
    entry: 'bin/watch.ts',
    callers: ['edge', 'console', 'vault', 'ledger'],
    reads: [],
    network: true,
    database: true,
    listens: [],
  },
  app: {
    uid: 64208,
    entry: 'bin/app.ts',
    callers: [],
    reads: ['web/dist'],
    network: true,
    database: false,
    listens: ['http'],
  },
  console: {
    uid: 64204,
    entry: 'bin/console.ts',
    callers: ['cli'],
    reads: [],
    network: true,
    database: true,
    listens: ['http'],
  },
  edge: {
    uid: 64201,
    entry: 'bin/edge.ts',
    callers: [],
    reads: [],
    network: true,
    database: true,
    intake: 'intake-edge',
    listens: ['http', 'tls'],
  },
} as const satisfies Record<string, Compartment>

/** The parsers that own nothing. They have no folder, no socket and no configuration. */
export const intakes = {
  'intake-edge': { uid: 64202, entry: 'bin/intake.ts' },
  'intake-vault': { uid: 64203, entry: 'bin/intake.ts' },
} as const

export type CompartmentName = keyof typeof compartments
export type IntakeName = keyof typeof intakes

/** Started in this order, stopped in the reverse: who is called comes before who calls. */
export const startOrder = Object.keys(compartments) as CompartmentName[]

export function compartment(name: CompartmentName): Compartment {
  return compartments[name]
}

/** Whom `name` calls: read from the callees' lists, so that no call exists that its callee does not name. */
export function calleesOf(name: string): CompartmentName[] {
  return startOrder.filter(callee => compartment(callee).callers.includes(name))
}

/** Every socket there is. */
export function links(): { callee: CompartmentName; caller: string }[] {
  return startOrder.flatMap(callee => compartment(callee).callers.map(caller => ({ callee, caller })))
}

/** The group that may open a caller's socket. The command line is the home's owner, so group 0 stands for it as root. */
export function groupOf(caller: string): number {
  return caller in compartments ? compartments[caller as CompartmentName].uid : 0
}
