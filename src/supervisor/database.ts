import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { DatabaseConfig } from '../base/config.ts'
import { BulkheadError } from '../base/errors.ts'
import { findBinaries, postgresAccount } from './binaries.ts'
import { compartment, startOrder } from './compartments.ts'
import type { Plan } from './configure.ts'
import type { Family } from './family.ts'
import { keep } from './keep.ts'
import { bootstrap, connect, migrate, migratorRole, roleOf } from './migrate.ts'
import {
  bootstrapRole,
  databaseFromUrl,
  embeddedDatabase,
  initialise,
  postmaster,
  secret,
  startPostgres,
} from './postgres.ts'

const users = startOrder.filter(name => compartment(name).database)
const START_LIMIT = 60_000

type Options = {
  home: string
  programRoot: string
  databaseUrl: string | undefined
  family: Family
  say: (line: string) => void
}

/** Starts or finds PostgreSQL, brings it to this program's schema, and returns each compartment's own way in. */
export async function startDatabase({
  home,
  programRoot,
  databaseUrl,
  family,
  say,
}: Options): Promise<Plan['databases']> {
  const embedded = databaseUrl === undefined
  const admin = embedded
    ? embeddedDatabase(home, bootstrapRole, secret(home, 'bootstrap'), 'postgres')
    : databaseFromUrl(databaseUrl)
  const database = embedded ? 'bulkhead' : admin.database
  if (embedded) await startEmbedded(home, programRoot, admin, family, say)
  const passwords = Object.fromEntries([migratorRole, ...users.map(roleOf)].map(role => [role, secret(home, role)]))
  const as = (user: string): DatabaseConfig => ({ ...admin, user, password: passwords[user]!, database })
  try {
    await bootstrap(admin, database, passwords)
    const ran = await migrate(as(migratorRole), join(programRoot, 'db'))
    if (ran.length > 0) say(`Database: ${ran.length === 1 ? 'one migration' : `${ran.length} migrations`} run.`)
  } catch (cause) {
    if (cause instanceof BulkheadError) throw cause
    const remedy = embedded
      ? 'Look at log/postgres.log in the home.'
      : 'Check DATABASE_URL: its user must be able to make roles and databases.'
    throw new BulkheadError('UNAVAILABLE', `PostgreSQL does not do what is needed: ${(cause as Error).message}`, {
      remedy,
      cause,
    })
  }
  return Object.fromEntries(users.map(name => [name, as(roleOf(name))]))
}

async function startEmbedded(
  home: string,
  programRoot: string,
  admin: DatabaseConfig,
  family: Family,
  say: (line: string) => void,
) {
  const log = family.log('postgres')
  const binaries = findBinaries(programRoot, home)
  const who = postgresAccount()
  initialise(home, binaries, who)
  const keeper = family.add('postgres', () =>
    keep({
      name: 'postgres',
      log,
      say,
      start: () => startPostgres(home, programRoot, binaries, who),
      end: child => void child.stdin?.end(),
      kill: () => quit(postmaster(home)),
    }),
  )
  for (const until = Date.now() + START_LIMIT; ; await sleep(20)) {
    try {
      return await (await connect(admin)).end()
    } catch (cause) {
      if (Date.now() < until && keeper.fastDeaths < 3) continue
      throw new BulkheadError('UNAVAILABLE', `PostgreSQL did not start.\n${log.tail()}`, {
        remedy: 'Look at log/postgres.log in the home.',
        cause,
      })
    }
  }
}

/** An immediate shutdown: the next start replays the log, and no commit is lost. */
function quit(pid: number | undefined) {
  if (pid !== undefined) process.kill(pid, 'SIGQUIT')
}
