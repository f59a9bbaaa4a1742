import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Mutant } from './mutants.ts'

// A grant too many in db/roles.sql: for each role and each table the first thing that it may not do.

const FILE = 'db/roles.sql'
const VERBS = ['select', 'update', 'insert', 'delete'] as const
const ROLES = ['edge', 'console', 'vault', 'watch'] as const

export function grantMutants(root: string): Mutant[] {
  const roles = readFileSync(join(root, FILE), 'utf8')
  const tables = ['0001_keel', '0006_proposals'].flatMap(name =>
    [...readFileSync(join(root, `db/migrations/${name}.sql`), 'utf8').matchAll(/create table (\w+\.\w+)/g)].map(
      ([, table]) => table!,
    ),
  )
  return ROLES.flatMap(role =>
    tables.flatMap(table => {
      const verb = VERBS.find(one => !grants(roles, role, one, table))
      if (!verb) return []
      const text = `\ngrant ${verb} on ${table} to bulkhead_${role};\n`
      const end = roles.length
      return [
        {
          file: FILE,
          guard: `${role} may not ${verb} ${table}`,
          from: end,
          to: end,
          text,
          tests: ['test/absences.test.ts'],
        },
      ]
    }),
  )
}

/** Of the whole table: a grant of some columns is less. */
const grants = (roles: string, role: string, verb: string, table: string) =>
  roles.split(';').some(statement => {
    const [, verbs = '', tables = '', to = ''] =
      /grant ([a-z, ]+) on ((?:\w+\.\w+(?:, )?)+) to bulkhead_(\w+)/.exec(statement) ?? []
    return to === role && verbs.split(/, */).includes(verb) && tables.split(/, */).includes(table)
  })
