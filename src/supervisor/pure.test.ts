import assert from 'node:assert/strict'
import { test } from 'node:test'
import { afterDeath, noDeaths } from './backoff.ts'
import { calleesOf, compartment, compartments, intakes, links, startOrder } from './compartments.ts'
import { configOf, type Plan } from './configure.ts'
import { compartmentFlags, intakeFlags } from './flags.ts'
import { pendingMigrations } from './migrate.ts'
import { urlOf } from './ports.ts'
import { databaseFromUrl } from './postgres.ts'
import { scramVerifier } from './scram.ts'
import { isOurs } from './strays.ts'
import { checkedWitnesses } from './witnesses.ts'

const coded = (code: string) => (error: unknown) => (error as { code?: string }).code === code

test('no two compartments share a user', () => {
  const users = [...Object.values(compartments), ...Object.values(intakes)].map(row => row.uid)
  assert.equal(new Set(users).size, users.length)
})

test('whoever is called starts before its callers and is stopped after them', () => {
  for (const { callee, caller } of links())
    if (caller in compartments && callee !== 'watch')
      assert.ok(
        startOrder.indexOf(callee) < startOrder.indexOf(caller as (typeof startOrder)[number]) || caller === 'watch',
        `${callee} ${caller}`,
      )
})

test('nothing but the edge and the console reaches the vault, and nobody calls the edge', () => {
  assert.deepEqual([...compartments.vault.callers], ['edge', 'console'])
  assert.deepEqual([...compartments.edge.callers], [])
  assert.deepEqual(calleesOf('app'), [])
})

test('a parser gets neither network, nor a folder of the home, nor write access', () => {
  for (const name of ['intake-edge', 'intake-vault'] as const) {
    const flags = intakeFlags(name, '/program')
    assert.ok(flags.includes('--permission'))
    assert.ok(
      !flags.some(
        flag =>
          flag.startsWith('--allow-net') || flag.startsWith('--allow-fs-write') || flag.startsWith('--allow-child'),
      ),
    )
    for (const flag of flags.filter(flag => flag.startsWith('--allow-fs-read=')))
      assert.match(flag, /^--allow-fs-read=\/program\//)
  }
})

test('a compartment reads no folder of another, and writes only its data and the sockets it serves', () => {
  for (const name of startOrder) {
    const flags = compartmentFlags(name, '/home', '/program')
    const others = startOrder.filter(other => other !== name)
    for (const other of others) assert.ok(!flags.some(flag => flag.includes(`=/home/${other}`)), `${name} ${other}`)
    const writes = flags.filter(flag => flag.startsWith('--allow-fs-write='))
    assert.deepEqual(writes, [
      `--allow-fs-write=/home/${name}/data`,
      ...compartment(name).callers.map(caller => `--allow-fs-write=/home/run/${name}-${caller}`),
    ])
    assert.ok(flags.includes('--disable-sigusr1') && flags.includes('--disallow-code-generation-from-strings'))
  }
})

test('a compartment is told its own database password, and the app and the ledger none', () => {
  const database = (user: string) => ({
    host: '/s',
    port: 5432,
    user,
    password: `${user} secret`,
    database: 'bulkhead',
    ssl: false,
  })
  const at = { host: '127.0.0.1', port: 1 }
  const plan: Plan = {
    home: '/home',
    program: '/program',
    genesisDigest: 'ab',
    listen: { edge: at, edgeTls: at, console: at, app: at, ledger: at },
    urls: { edge: '', console: '', app: '', ledger: '', edgeTls: '' },
    databases: { edge: database('e'), console: database('c'), vault: database('v'), watch: database('w') },
    tls: { cert: '/c', key: '/k' },
    witnesses: ['https://w'],
  }
  const config = configOf(plan, 'edge')
  assert.equal(config.database?.user, 'e')
  assert.ok(!JSON.stringify(config).includes('v secret'))
  assert.deepEqual(config.calls, {
    ledger: '/home/run/ledger-edge/s',
    vault: '/home/run/vault-edge/s',
    watch: '/home/run/watch-edge/s',
  })
  assert.equal(config.tls?.key, '/home/edge/tls-key.pem')
  assert.equal(configOf(plan, 'ledger').database, undefined)
  assert.equal(configOf(plan, 'vault').tls, undefined)
  assert.deepEqual(configOf(plan, 'ledger').witnesses, ['https://w'])
  assert.equal(config.witnesses, undefined)
})

test('a witness is named by the URL that checkpoints are submitted below, with or without its key', () => {
  const key = 'witness.example/w1+24b5d9fe+BP0XJDhaoMdbZPt4zWAvodmR/ev3axPFjtcC6sg16fYY'
  const logKey = 'mdm.example/audit+a492df3b+AepKbGPinFIKvvVQexMuxfmVR3auvr57kkIe6mkURtIs'
  assert.deepEqual(checkedWitnesses(['https://w.example/', 'http://127.0.0.1:1/a/', 'https://w.example']), [
    'https://w.example',
    'http://127.0.0.1:1/a',
  ])
  assert.deepEqual(checkedWitnesses([`https://w.example#${key}`]), [`https://w.example#${key}`])
  assert.deepEqual(checkedWitnesses(['none']), [])
  const wrong = ['w.example', 'ftp://w.example', 'https://me@w.example', 'https://w.example?x', 'none']
  for (const text of [...wrong, 'https://w.example#', `https://w.example#${logKey}`])
    assert.throws(() => checkedWitnesses([text, 'https://v.example']), coded('USAGE'), text)
  assert.throws(() => checkedWitnesses(Array(17).fill('https://w.example')), coded('USAGE'))
})

test('what dies young comes back later each time, up to five seconds; a long life is forgiven', () => {
  let deaths = noDeaths
  const delays = Array.from({ length: 8 }, () => {
    deaths = afterDeath(deaths, 50)
    return deaths.delayMs
  })
  assert.deepEqual(delays, [100, 200, 400, 800, 1600, 3200, 5000, 5000])
  assert.deepEqual(afterDeath(deaths, 60_000), { fast: 0, delayMs: 100 })
})

const migration = (number: number, sha256: string) => ({ number, name: 'x', sql: '', sha256 })
const applied = (number: number, sha256: string) => ({ number, name: 'x', sha256 })

test('only new migrations are run', () => {
  const pending = pendingMigrations([migration(1, 'a'), migration(2, 'b'), migration(3, 'c')], [applied(1, 'a')])
  assert.deepEqual(
    pending.map(({ number }) => number),
    [2, 3],
  )
})

test('a migration that was changed, removed or slipped in after the fact is refused', () => {
  assert.throws(() => pendingMigrations([migration(1, 'other')], [applied(1, 'a')]), coded('CONFLICT'))
  assert.throws(() => pendingMigrations([], [applied(1, 'a')]), coded('CONFLICT'))
  assert.throws(() => pendingMigrations([migration(1, 'a'), migration(2, 'b')], [applied(2, 'b')]), coded('CONFLICT'))
})

test("a password's verifier is the one of RFC 7677", () => {
  assert.equal(
    scramVerifier('pencil', Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64')),
    'SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=',
  )
})

test('DATABASE_URL gives host, user, password and database, sockets included', () => {
  assert.deepEqual(databaseFromUrl('postgres://me:p%40ss@db.example:6543/mdm?sslmode=require'), {
    host: 'db.example',
    port: 6543,
    user: 'me',
    password: 'p@ss',
    database: 'mdm',
    ssl: true,
  })
  assert.equal(databaseFromUrl('postgresql:///mdm?host=/run/postgresql').host, '/run/postgresql')
  assert.throws(() => databaseFromUrl('mysql://x/y'), coded('BAD_REQUEST'))
  assert.throws(() => databaseFromUrl('nonsense'), coded('BAD_REQUEST'))
})

test('only processes of this very home are taken for ours', () => {
  const entries = ['bin/edge.ts']
  assert.ok(isOurs(['/n', '/p/bin/edge.ts', '--home', '/a'], '/a', entries))
  assert.ok(!isOurs(['/n', '/p/bin/edge.ts', '--home', '/ab'], '/a', entries))
  assert.ok(!isOurs(['/n', '/p/bin/other.ts', '--home', '/a'], '/a', entries))
  assert.ok(!isOurs(['vi', '/p/bin/edge.ts'], '/a', entries))
})

test('a URL for an address that means "all" is written as loopback', () => {
  assert.equal(urlOf('http', '0.0.0.0', 80), 'http://127.0.0.1:80')
  assert.equal(urlOf('https', '::', 1), 'https://[::1]:1')
  assert.equal(urlOf('https', 'fd00::1', 1), 'https://[fd00::1]:1')
})
