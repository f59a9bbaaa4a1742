import type { Graph, Sources } from './imports.ts'

// The walls between folders, as rules over the import graph. Each failure says which wall was hit and why it stands.

const compartments = ['edge', 'intake', 'console', 'vault', 'ledger', 'watch', 'app', 'witness']
const compartmentOf = (path: string) => /^(?:src|bin)\/([a-z]+)[/.]/.exec(path)?.[1] ?? ''

/** Who may not hold what opens a person's record. */
const SERVER = new Set([...compartments, 'supervisor', 'base', 'wire', 'trust'])
/** What people may import: itself, and what is as pure as it. */
const CLIENT = /^src\/people\/|^src\/trust\/(canonical|shape)\.ts$|^src\/base\/errors\.ts$/

/** What each part may take from npm; parts without a row may take what package.json has. `base` names them by file. */
const packages: Record<string, string[]> = {
  edge: ['pg', 'qrcode-generator'],
  intake: [],
  vault: ['pg'],
  ledger: [],
  witness: [],
  watch: ['pg'],
  wire: [],
  trust: [],
  base: [],
  supervisor: ['pg'],
}
const PURE = new Set(['node:crypto', 'node:zlib', 'node:buffer'])
/** Private keys are read in these files; nothing that decodes strangers' bytes may reach them. */
const KEY_FILES = ['src/vault/keys.ts', 'src/edge/keys.ts']

export function hits(sources: Sources, graph: Graph): string[] {
  const found: string[] = []
  for (const [path, imports] of graph) {
    const part = compartmentOf(path)
    for (const { to, typeOnly } of imports) {
      const target = compartmentOf(to)
      if (to === 'computed' && path !== 'src/cli/run.ts')
        found.push(`${path}: a computed import: nobody can see where it leads.`)
      if (
        compartments.includes(target) &&
        target !== part &&
        ![...shared(target), ...bootstrap(path)].includes(to) &&
        !typeOnly
      )
        found.push(
          `${path} → ${to}: of another compartment only api.ts and client.ts may be imported, or one process would hold two.`,
        )
      if (target === 'people' && SERVER.has(part))
        found.push(
          `${path} → ${to}: people is the client's side of the sealed directory: no process of the server's may open it.`,
        )
      if (part === 'people' && !CLIENT.test(to))
        found.push(
          `${path} → ${to}: people runs in a browser as it stands: no module of Node's, no package, nothing else of the server's.`,
        )
      if ((part === 'wire' || part === 'trust') && !pureTarget(to))
        found.push(`${path} → ${to}: wire and trust are pure: no I/O, no clock, usable on both sides of every wall.`)
      if (part === 'base' && to.startsWith('src/') && !to.startsWith('src/base/'))
        found.push(`${path} → ${to}: base knows no domain.`)
      const allowed = packages[part]
      if (allowed && isPackage(to) && !allowed.includes(packageOf(to)))
        found.push(`${path} → ${to}: ${part} has an allow-list of packages, and this is not on it.`)
      if (to === 'node:child_process' && !['supervisor', 'cli'].includes(part))
        found.push(`${path} → ${to}: only the supervisor and the command line start processes.`)
    }
    const text = sources.get(path) ?? ''
    if (/\beval\s*\(|new Function\s*\(|\bnode:vm\b/.test(text)) found.push(`${path}: code made from strings.`)
  }
  found.push(
    ...reaches(
      graph,
      'bin/intake.ts',
      path => KEY_FILES.includes(path) || /store\.ts$/.test(path),
      'intake has no keys and no database, however long the chain.',
    ),
  )
  for (const name of compartments)
    found.push(
      ...reaches(
        graph,
        `bin/${name}.ts`,
        path => path.startsWith('src/people/'),
        'no process of the server reaches what opens a person, however long the chain.',
      ),
    )
  found.push(
    ...reaches(
      graph,
      'bin/edge.ts',
      path => path === 'src/vault/keys.ts' || path === 'src/ledger/store.ts' || path.startsWith('src/cli/'),
      "edge reaches no key of the vault's or the ledger's, however long the chain.",
    ),
  )
  found.push(...cycles(graph))
  return found
}

const shared = (part: string) => [`src/${part}/api.ts`, `src/${part}/client.ts`]
/** `init` makes every compartment's keys, before any of them runs; the command line verifies and mirrors
 * ledgers, and is the witness's process; the supervisor's walls name them. */
function bootstrap(path: string): string[] {
  if (path === 'src/cli/init.ts') return ['src/vault/keys.ts']
  if (path === 'src/cli/witness.ts') return ['src/witness/server.ts']
  if (path === 'src/cli/mirror.ts') return ['src/ledger/mirror.ts', 'src/ledger/disk.ts']
  if (path === 'src/cli/ledger.ts') return ['src/ledger/fsck.ts', 'src/ledger/disk.ts']
  return []
}
const isPackage = (to: string) => !to.startsWith('node:') && !to.includes('.ts') && to !== 'computed'
const packageOf = (to: string) =>
  to
    .split('/')
    .slice(0, to.startsWith('@') ? 2 : 1)
    .join('/')
const pureTarget = (to: string) =>
  PURE.has(to) || to.startsWith('src/wire/') || to.startsWith('src/trust/') || to === 'src/base/errors.ts'

/** A chain of any length from `start` to a file that `bad` names; type-only imports leave nothing in the process. */
function reaches(graph: Graph, start: string, bad: (path: string) => boolean, why: string): string[] {
  const seen = new Map<string, string>([[start, '']])
  const queue = [start]
  for (const path of queue)
    for (const { to, typeOnly } of graph.get(path) ?? []) {
      if (typeOnly || seen.has(to)) continue
      seen.set(to, path)
      queue.push(to)
    }
  return queue.filter(path => path !== start && bad(path)).map(path => `${chain(seen, path)}: ${why}`)
}

function chain(seen: Map<string, string>, path: string): string {
  const before = seen.get(path)
  return before ? `${chain(seen, before)} → ${path}` : path
}

function cycles(graph: Graph): string[] {
  const state = new Map<string, 'open' | 'done'>()
  const found: string[] = []
  const visit = (path: string, trail: string[]) => {
    if (state.get(path) === 'done') return
    if (state.get(path) === 'open') {
      found.push(`${[...trail.slice(trail.indexOf(path)), path].join(' → ')}: a cycle of imports.`)
      return
    }
    state.set(path, 'open')
    for (const { to, typeOnly } of graph.get(path) ?? []) if (!typeOnly && graph.has(to)) visit(to, [...trail, path])
    state.set(path, 'done')
  }
  for (const path of graph.keys()) visit(path, [])
  return found
}
