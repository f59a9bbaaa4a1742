import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

// What no compartment may do in the database, said a second time and apart from db/roles.sql: grants.test.ts holds the database to that file,
// and this holds the file to the design. A grant too many is a wall moved; it has to be said here as well.

type Right = { role: string; verb: string; columns: string[] | undefined; on: string }

/** Every right of the file, one a row. Throws where a statement is of another form. */
function rightsOf(sql: string): Right[] {
  const statements = sql
    .replaceAll(/--.*$/gm, '')
    .split(';')
    .map(statement => statement.replaceAll(/\s+/g, ' ').trim())
  return statements.filter(isGrant).flatMap(statement => {
    const [, rights, kind = '', objects, role] =
      /^grant (.+) on (function |schema )?(\S.*) to bulkhead_([a-z]+)$/.exec(statement) ?? assert.fail(statement)
    return split(objects!).flatMap(name =>
      split(rights!).map(right => {
        const [, verb, columns] = /^([a-z]+)(?: \((.+)\))?$/.exec(right) ?? assert.fail(right)
        return { role: role!, verb: verb!, columns: columns?.split(', '), on: `${kind}${name}` }
      }),
    )
  })
}
const isGrant = (statement: string) => statement.startsWith('grant ')
const split = (list: string) => list.split(/,(?![^(]*\))/).map(item => item.trim())

/** Sealed by intake to the vault's key; whoever stores them reads nothing, and whoever needs none gets none. */
const SEALED = ['sealed', 'sealed_answers', 'push', 'unlock_token', 'reason']

/** The most that each may have. `columns`: only where they are named, and never a sealed one; else the whole table. */
const most: Record<string, [verb: string, on: RegExp, columns?: RegExp][]> = {
  // It executes functions and reads no table: it cannot list.
  edge: [
    ['usage', /^schema edge$/],
    ['execute', /^function edge\./],
  ],
  // What members sign is written once and never changed. Of devices it sees what is clear.
  console: [
    ['usage', /^schema (console|edge|vault)$/],
    ['execute', /^function console\./],
    ['select', /^console\./],
    ['insert', /^console\./],
    ['delete', /^console\.(session|proposal|proposal_approval|record|assignment|member_key|unit_share)$/],
    ['update', /^console\.orders$/, /^(state|approved_at)$/],
    ['update', /^console\.record$/, /^tokens$/], // what an unlocked client makes later
    ['select', /^edge\.history$/],
    ['select', /^edge\.(device|pending|result|wake)$/, /./],
    ['select', /^vault\.certificate$/, /./],
  ],
  // It adds vouchers and changes none; orders and approvals are the console's to write.
  vault: [
    ['usage', /^schema (vault|edge|console)$/],
    ['select', /^vault\./],
    ['insert', /^vault\.certificate$/],
    ['update', /^vault\.bootstrap_token$/, /^serves$/],
    ['select', /^console\.invitation$/],
    ['select', /^console\.(orders|approval)$/, /./],
    ['select', /^edge\.(device|user_channel|pending)$/, /./],
    ['select', /^edge\.wake$/],
    ['update', /^edge\.wake$/],
    ['delete', /^edge\.wake$/],
  ],
  watch: [
    ['usage', /^schema watch$/],
    ['select', /^watch\.trace$/],
    ['insert', /^watch\.trace$/],
    ['execute', /^function watch\.forget_old\(\)$/],
  ],
}
/** What the vault opens itself: it wakes devices, and opens their unlock tokens for an approved order. */
const OPENED_BY_VAULT = ['push', 'unlock_token']
/** What the console takes to the vault for a release, and back to a client: two halves, of which it opens none. */
const RELAYED_BY_CONSOLE = ['sealed']

function tooMany({ role, verb, columns, on }: Right): boolean {
  const theirs = { vault: OPENED_BY_VAULT, console: on === 'edge.device' ? RELAYED_BY_CONSOLE : [] }[role] ?? []
  const sealed = SEALED.filter(name => !theirs.includes(name))
  const rows = most[role] ?? []
  const allows = (column: string | undefined) =>
    rows.some(
      ([right, where, which]) =>
        right === verb && where.test(on) && (which === undefined || (column !== undefined && which.test(column))),
    )
  if (columns === undefined) return !allows(undefined)
  return columns.some(column => !allows(column) || (!on.startsWith('console.') && sealed.includes(column)))
}

const sql = readFileSync(join(import.meta.dirname, '../db/roles.sql'), 'utf8')
const line = ({ role, verb, columns, on }: Right) =>
  `${role}: ${verb}${columns ? ` (${columns.join(', ')})` : ''} on ${on}`

test('no compartment has a grant that the design does not give it', () => {
  const rights = rightsOf(sql)
  assert.ok(rights.length > 50)
  assert.deepEqual(rights.filter(tooMany).map(line), [])
})

test('nothing is granted to everybody, nor with the right to pass it on', () => {
  assert.doesNotMatch(sql, /to public|with grant option|grant all/i)
})

const surplus = [
  'grant select on edge.device to bulkhead_edge',
  'grant select (push) on edge.device to bulkhead_console',
  'grant select (sealed) on edge.result to bulkhead_console',
  'grant update (sealed) on console.record to bulkhead_console',
  'grant update on console.orders to bulkhead_console',
  'grant update (statement) on console.orders to bulkhead_console',
  'grant insert on console.approval to bulkhead_vault',
  'grant select on console.orders to bulkhead_watch',
  'grant execute on function console.enqueue(uuid, boolean, timestamptz) to bulkhead_edge',
]
for (const one of surplus)
  test(`it turns red by: ${one}`, () => assert.equal(rightsOf(`${sql};${one};`).filter(tooMany).length, 1))
