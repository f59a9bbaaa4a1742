import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { BulkheadError } from '../src/base/errors.ts'
import { silentLog } from '../src/base/log.ts'
import { rpcClient, serveRpc } from '../src/base/rpc.ts'
import { ledgerFor } from '../src/ledger/answer.ts'
import type { Caller, Outcome } from '../src/ledger/api.ts'
import { startLedger } from '../src/ledger/server.ts'
import { links } from '../src/supervisor/compartments.ts'
import { canonical } from '../src/trust/canonical.ts'
import { callers, methodsFor } from '../src/vault/callers.ts'
import { startWatch } from '../src/watch/server.ts'
import { type TestDatabase, testDatabase } from './support/database.ts'
import { type TestVault, testVault } from './support/vault.ts'

// Who may call what. These tables are written by hand: a wall that moves moves here too, or the test is red.

/** Callee → caller → methods. Whoever is not named has no socket. */
const TABLE: Record<string, Record<string, readonly string[]>> = {
  vault: {
    edge: [
      'bootstrapToken',
      'caCertificates',
      'enrolmentProfile',
      'invitationPage',
      'renewalProfile',
      'scep',
      'unlockToken',
      'wake',
    ],
    console: [
      'erase',
      'invite',
      'pushCsr',
      'pushImport',
      'pushShow',
      'recordStates',
      'release',
      'releaseKeys',
      'wake',
      'writeRecords',
    ],
  },
  ledger: Object.fromEntries(
    ['edge', 'console', 'vault', 'watch', 'supervisor'].map(caller => [
      caller,
      [
        ...['append', 'checkpoint', 'consistency', 'control', 'entry', 'find', 'proofs', 'prove'],
        ...(caller === 'edge' ? ['deliver'] : []),
      ].sort(),
    ]),
  ),
  watch: { edge: ['trace'], console: ['trace'], vault: ['trace'], ledger: ['trace'] },
}

/** What each may append to the ledger, and where. */
const APPENDS: Record<string, readonly string[]> = {
  vault: [
    'main certificate',
    'main consumed',
    'main erasure',
    'main grant',
    'main push',
    'main records',
    'main release',
    'main writer',
  ],
  console: [
    'control cancel',
    'control freeze',
    'control roster',
    'control thaw',
    'main approval',
    'main group',
    'main invitation',
    'main order',
  ],
  watch: ['control freeze', 'main finding'],
  supervisor: ['control freeze', 'main start'],
}

/** Every name that is asked for on every socket: the written ones, the live ones, and what nobody should have. */
const names = new Set([
  ...Object.values(TABLE).flatMap(row => Object.values(row).flat()),
  ...Object.keys(callers),
  ...Object.keys(ledgerFor('edge', {} as never, {} as never)),
  ...[
    'constructor',
    '__proto__',
    'toString',
    'hasOwnProperty',
    'then',
    '',
    ' ',
    'invite ',
    'INVITE',
    'close',
    'export',
    'release',
  ],
])

const place = mkdtempSync(join(tmpdir(), 'bhcall-'))
const socketsOf = (callee: string) =>
  Object.fromEntries(Object.keys(TABLE[callee]!).map(caller => [caller, join(place, `${callee}-${caller}`)]))
let vault: TestVault
let database: TestDatabase
const sockets: Record<string, Record<string, string>> = { ledger: socketsOf('ledger'), watch: socketsOf('watch') }
const closing: (() => Promise<unknown>)[] = []

before(async () => {
  vault = await testVault()
  sockets.vault = vault.sockets
  const ledger = await startLedger({
    dir: join(place, 'log'),
    name: 'example.test',
    keys: vault.roster.ledger,
    genesis: vault.roster.genesis,
    trusted: vault.roster.trusted,
    clock: Date.now,
    sockets: sockets.ledger!,
    http: { host: '127.0.0.1', port: 0 },
    log: silentLog,
  })
  database = await testDatabase()
  const watch = await startWatch({
    sockets: sockets.watch!,
    database: database.config('watch'),
    ledger: { append: async () => [] },
    log: silentLog,
  })
  closing.push(
    () => ledger.close(),
    () => watch.close(),
  )
})
after(async () => {
  for (const close of closing) await close()
  await database.drop()
  await vault.close()
  rmSync(place, { recursive: true, force: true })
})

/** The methods that exist on a socket. Parameters that no method takes keep every one of them from doing anything. */
async function methodsOn(path: string, caller: string): Promise<string[]> {
  const rpc = rpcClient({ path, name: 'callee' })
  const found: string[] = []
  for (const name of names) {
    const error: BulkheadError = await rpc.call(name, 'nonsense').then(
      () => assert.fail(`${name} took nonsense`),
      error => error,
    )
    if (error.code !== 'FORBIDDEN') found.push(name)
    else assert.deepEqual([error.message, error.remedy], [`${caller} may not call ${name} here.`, undefined])
  }
  rpc.close()
  return found.sort()
}

for (const [callee, row] of Object.entries(TABLE))
  for (const [caller, methods] of Object.entries(row))
    test(`${caller} calls of ${callee} what the table says, and every other name gets the same refusal`, async () => {
      assert.deepEqual(await methodsOn(sockets[callee]![caller]!, caller), methods)
    })

test('the sockets of a running installation are those of the table, and the command line’s', () => {
  const live = links().map(({ callee, caller }) => `${callee} ← ${caller}`)
  const written = Object.entries(TABLE).flatMap(([callee, row]) =>
    Object.keys(row).map(caller => `${callee} ← ${caller === 'supervisor' ? 'cli' : caller}`),
  )
  assert.deepEqual(live.sort(), [...written, 'console ← cli'].sort())
})

const contents = (caller: string): Record<string, object> => ({
  approval: { count: 0, credential: 'c' },
  freeze: caller === 'watch' ? { watch: 'a-rule' } : {},
})

for (const caller of Object.keys(TABLE.ledger!))
  test(`${caller} appends to the ledger what the table says and nothing else`, async () => {
    const rpc = rpcClient({ path: sockets.ledger![caller]!, name: 'ledger' })
    const types = [...Object.values(APPENDS).flat(), 'main unheard-of', 'main '].map(line => line.split(' ')[1]!)
    const allowed: string[] = []
    for (const log of ['main', 'control']) {
      const entries = types.map(type => ({
        entry: canonical({ by: caller, type, ...contents(caller)[type] }),
      }))
      const outcomes = (await rpc.call('append', { log, entries })) as Outcome[]
      outcomes.forEach((outcome, at) => {
        // The control log judges what is inside as well: that comes after, and is another refusal.
        if (!('code' in outcome) || (outcome.code !== 'FORBIDDEN' && types[at] !== ''))
          allowed.push(`${log} ${types[at]}`)
      })
    }
    rpc.close()
    assert.deepEqual([...new Set(allowed)].sort(), APPENDS[caller as Caller] ?? [])
  })

test('the console appends no roster to the control log that its readers would pass over', async () => {
  const rpc = rpcClient({ path: sockets.ledger!.console!, name: 'ledger' })
  const entries = ['roster:1', 'roster:00', undefined].map(unique => ({
    entry: JSON.stringify({ type: 'roster', ...(unique && { unique }) }),
  }))
  const outcomes = (await rpc.call('append', { log: 'control', entries })) as Outcome[]
  rpc.close()
  assert.deepEqual(
    outcomes.map(outcome => 'code' in outcome && outcome.code),
    ['BAD_REQUEST', 'BAD_REQUEST', 'BAD_REQUEST'],
  )
})

test('a trace is its socket’s: nobody traces in another’s name', async () => {
  const rpc = rpcClient({ path: sockets.watch!.console!, name: 'watch' })
  await rpc.call('trace', { code: 'a-console-trace' })
  for (const claim of [{ source: 'edge' }, { caller: 'edge' }])
    await assert.rejects(rpc.call('trace', { code: 'a-false-trace', ...claim }), { code: 'MALFORMED' })
  rpc.close()
  const owner = database.connect('owner')
  let rows: unknown[] = []
  while (rows.length === 0)
    rows = (await owner.query("select source, code from watch.trace where code like 'a-%'")).rows
  assert.deepEqual(rows, [{ source: 'console', code: 'a-console-trace' }])
})

// Broken on purpose.

const handlers = Object.fromEntries(Object.keys(callers).map(name => [name, name]))

test('a method that nobody decided about stops the vault’s start, and so does a row without a method', () => {
  assert.throws(() => methodsFor('edge', { ...handlers, export: 'export' }), { code: 'INTERNAL', message: /export/ })
  const { scep: _, ...fewer } = handlers
  assert.throws(() => methodsFor('edge', fewer), { code: 'INTERNAL', message: /scep/ })
})

test('the comparison turns red when a row of the vault’s table lets the edge invite', async () => {
  const path = join(place, 'planted')
  const table = { ...callers, invite: ['edge', 'console'] as const }
  const refuses = async () => assert.fail('a planted method')
  const methods = methodsFor('edge', Object.fromEntries(Object.keys(callers).map(name => [name, refuses])), table)
  const server = await serveRpc({ path, caller: 'edge', methods, log: silentLog })
  const live = await methodsOn(path, 'edge')
  await server.close()
  assert.deepEqual(
    live.filter(name => !TABLE.vault!.edge!.includes(name)),
    ['invite'],
  )
})

test('the comparison turns red when a callee tells one unknown method from another', async () => {
  const path = join(place, 'telling')
  const telling = async () => {
    throw new BulkheadError('FORBIDDEN', 'invite is for the console.')
  }
  const server = await serveRpc({ path, caller: 'edge', methods: { invite: telling }, log: silentLog })
  await assert.rejects(methodsOn(path, 'edge'), { code: 'ERR_ASSERTION' })
  await server.close()
})
