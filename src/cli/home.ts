import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { BulkheadError } from '../base/errors.ts'
import { compartment, groupOf, links, startOrder } from '../supervisor/compartments.ts'

/**
 * The home folder: everything that one installation keeps. Whoever changes `supervisor/` reads the whole database's ciphertext;
 * whoever changes a compartment's `keys/` becomes that compartment; whoever changes `genesis.json` without `config.json` stops the start.
 */
export type HomeConfig = {
  version: 1
  /** Chosen once: enrolled devices know these addresses. */
  ports: { edge?: number; edgeTls?: number; console?: number; app?: number; ledger?: number }
  edgeBind?: string
  publicUrl?: string
  /** Where the ledger's checkpoints are submitted; behind `#` the witness's key. */
  witnesses?: string[]
  genesisDigest?: string
}

export const isRoot = () => process.getuid?.() === 0
export const defaultHome = () => (isRoot() ? '/var/lib/bulkhead' : join(homedir(), '.bulkhead'))
/** The demo never shares a home with an installation that somebody means. */
export const demoHome = () => `${defaultHome()}-demo`

export const configPath = (home: string) => join(home, 'config.json')
export const genesisPath = (home: string) => join(home, 'genesis.json')
export const ownPath = (home: string, name: string) => join(home, name)
export const keysPath = (home: string, name: string) => join(home, name, 'keys')
export const dataPath = (home: string, name: string) => join(home, name, 'data')
export const secretsPath = (home: string) => join(home, 'supervisor')
export const postgresData = (home: string) => join(home, 'pg')
export const postgresSocket = (home: string) => join(home, 'pg-socket')
export const logPath = (home: string, name: string) => join(home, 'log', `${name}.log`)
export const socketFolder = (home: string, callee: string, caller: string) => join(home, 'run', `${callee}-${caller}`)
export const socketPath = (home: string, callee: string, caller: string) =>
  join(socketFolder(home, callee, caller), 's')

/** What the home remembers; a home never used gives an empty one. */
export function readHomeConfig(home: string): HomeConfig {
  try {
    return JSON.parse(readFileSync(configPath(home), 'utf8')) as HomeConfig
  } catch (cause) {
    if (!existsSync(configPath(home))) return { version: 1, ports: {} }
    throw new BulkheadError('HOME_UNUSABLE', `${configPath(home)} is not readable JSON.`, {
      remedy: 'Put it back from a backup.',
      cause,
    })
  }
}

export function writeHomeConfig(home: string, config: HomeConfig) {
  writeWhole(configPath(home), `${JSON.stringify(config, null, 2)}\n`, 0o644)
}

/** Initialised: a genesis is there and its digest is pinned. */
export function isInitialised(home: string): boolean {
  return existsSync(genesisPath(home)) && readHomeConfig(home).genesisDigest !== undefined
}

/** Replaces a file as a whole: a reader sees the old or the new one, also after a crash. */
export function writeWhole(path: string, text: string, mode: number, group?: number) {
  const fresh = `${path}.new`
  rmSync(fresh, { force: true })
  writeFileSync(fresh, text, { mode: 0o600, flag: 'wx', flush: true }) // never through a link that waits there
  if (group !== undefined) chownSync(fresh, -1, group)
  chmodSync(fresh, mode)
  renameSync(fresh, path)
}

const SOCKET_LIMIT = 100

/** Makes the folders of a home and returns its absolute path. Throws HOME_UNUSABLE with the remedy. May be called again at any time. */
export function prepareHome(where: string): string {
  const home = resolve(where)
  checkPath(home)
  if (isRoot()) checkParents(home)
  makeParents(home)
  make(home)
  checkOwner(home)
  const [passable, readable] = isRoot() ? [0o711, 0o750] : [0o700, 0o700]
  folder(home, passable)
  inner(join(home, 'run'), passable)
  inner(join(home, 'log'), 0o700)
  inner(secretsPath(home), 0o700)
  for (const name of startOrder) {
    const uid = compartment(name).uid
    inner(ownPath(home, name), readable, [0, uid])
    inner(keysPath(home, name), readable, [0, uid])
    inner(dataPath(home, name), 0o700, [uid, uid])
  }
  for (const { callee, caller } of links())
    inner(socketFolder(home, callee, caller), isRoot() ? 0o2750 : 0o700, [compartment(callee).uid, groupOf(caller)])
  if (!existsSync(configPath(home))) writeHomeConfig(home, { version: 1, ports: {} })
  return home
}

/** Nobody else's folder is taken over, nor a link of theirs followed: they could lead us anywhere. Throws HOME_UNUSABLE. */
export function checkOwner(home: string) {
  if (!existsSync(home)) return
  for (const stat of [lstatSync, statSync]) {
    const found = stat(home, { throwIfNoEntry: false })
    if (found && found.uid !== process.getuid?.())
      throw unusable(`${home} belongs to another user.`, 'Run as that user, or choose another home with --home DIR.')
  }
}

/** Which path would be the longest socket is known before anything is made. */
export function checkPath(home: string) {
  const sockets = [
    ...links().map(({ callee, caller }) => socketPath(home, callee, caller)),
    join(postgresSocket(home), '.s.PGSQL.5432'),
  ]
  const longest = Math.max(...sockets.map(path => Buffer.byteLength(path)))
  if (longest > SOCKET_LIMIT)
    throw unusable(
      `The path of the home is too long: sockets in it would have ${longest} bytes, and ${SOCKET_LIMIT} are possible.`,
      `Choose a home of at most ${Buffer.byteLength(home) - (longest - SOCKET_LIMIT)} bytes with --home DIR.`,
    )
  if (home === '/' || home === homedir())
    throw unusable(`${home} itself cannot be a home.`, `Use a folder in it: --home ${join(home, 'bulkhead')}`)
}

/** The first parent that other users cannot pass through, if there is one. One that does not exist yet is no hindrance. */
export function closedParent(path: string): string | undefined {
  const parent = dirname(path)
  if (parent === path) return undefined
  const found = statSync(parent, { throwIfNoEntry: false })
  return closedParent(parent) ?? (found && (found.mode & 0o001) === 0 ? parent : undefined)
}

/** Parents that are missing are made so that others may pass, whatever the umask says. */
function makeParents(path: string) {
  const parent = dirname(path)
  if (existsSync(parent)) return
  makeParents(parent)
  try {
    mkdirSync(parent)
  } catch (cause) {
    throw new BulkheadError('HOME_UNUSABLE', `${parent} cannot be made.`, {
      remedy: 'Choose a home that you may write to with --home DIR.',
      cause,
    })
  }
  chmodSync(parent, 0o755)
}

function checkParents(home: string) {
  const closed = closedParent(home)
  if (closed !== undefined)
    throw unusable(
      `Each compartment runs as its own user, and ${closed} lets no other user pass to the home.`,
      `Choose another home with --home DIR, or run: chmod o+x ${closed}`,
    )
}

function make(path: string) {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 })
  } catch (cause) {
    throw new BulkheadError('HOME_UNUSABLE', `${path} cannot be made.`, {
      remedy: 'Choose a home that you may write to with --home DIR.',
      cause,
    })
  }
}

/** A folder of the home. A link in its place would lead us out of it. */
function inner(path: string, mode: number, owner?: [number, number]) {
  if (lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink())
    throw unusable(`${path} is a link.`, 'Put the folder itself in its place.')
  folder(path, mode, owner)
}

/** Makes a folder with this mode and, as root, this owner and group. The compartments' keys are root's: they read, and cannot replace, them. */
function folder(path: string, mode: number, [uid, gid]: [number, number] = [0, 0]) {
  make(path)
  const found = statSync(path)
  if ((found.mode & 0o1000) !== 0)
    throw unusable(`${path} is open to everybody.`, `Use a folder in it: --home ${join(path, 'bulkhead')}`)
  if (!isRoot() && found.uid !== process.getuid?.())
    throw unusable(`${path} belongs to another user.`, 'Run as that user, or choose another home with --home DIR.')
  if (isRoot() && (found.uid !== uid || found.gid !== gid)) chownSync(path, uid, gid)
  if ((statSync(path).mode & 0o7777) !== mode) chmodSync(path, mode) // after chown, which drops the set-group bit
}

const unusable = (text: string, remedy: string) => new BulkheadError('HOME_UNUSABLE', text, { remedy })
