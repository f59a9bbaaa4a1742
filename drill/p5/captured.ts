// Run in the console's place, as its user: drill/p5/captured.ts HOME. Takes the socket that the command line asks, and does what it is told,
// a JSON line at a time: { lie } answers clients so from now on; { do } tells what came of it.
import { readFileSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import pg from 'pg'
import { loadConfig } from '../../src/base/config.ts'
import { BulkheadError } from '../../src/base/errors.ts'
import { ledgerClient } from '../../src/ledger/client.ts'
import { openGenesis } from '../../src/trust/roster.ts'
import { vaultForConsole } from '../../src/vault/client.ts'
import { columnsRead, filesReached } from '../reached.ts'
import { attacksOf, type Seen } from './attacks.ts'
import { type Answered, honest, liesOf } from './lies.ts'
import { type Lie, standIn } from './wire.ts'

const [home = '', program = ''] = process.argv.slice(2)
const config = loadConfig('console', ['--home', home])
const trusted = openGenesis(readFileSync(config.genesis, 'utf8'), config.genesisDigest)
const database = new pg.Pool({ ...config.database!, max: 2 })
const vault = vaultForConsole(config.calls.vault!)
const ledger = ledgerClient({ path: config.calls.ledger! })

const heard: string[] = []
const seen: Seen = { earlier: new Map() }
const lies = await liesOf(trusted, seen.earlier)
lies['two people’s sealed bytes exchanged before the vault opens them'] = { kind: 'show', lie: exchanged }
let lie: Lie = honest

async function sealedOf(id: string): Promise<Buffer> {
  const { rows } = await database.query('select sealed from console.record where record_id = $1', [id])
  return rows[0]?.sealed ?? Buffer.alloc(0)
}
async function exchanged(...[asked, pass]: Parameters<Lie>): ReturnType<Lie> {
  if (!asked.path.endsWith('/release')) return pass(asked)
  const body = asked.body as NonNullable<Seen['release']>
  const { records } = JSON.parse(body.request) as { records: { id: string; version: number }[] }
  const sealed = await Promise.all(records.map(({ id }) => sealedOf(id)))
  try {
    const { left, vault: word, records: states, inner } = await vault.release(body, sealed.reverse())
    const answers = records.map((record, at) => ({
      ...{ ...record, state: states[at], inner: inner[at]!.toString('base64') },
      ...seen.earlier.get(record.id),
    }))
    return { status: 200, body: { left, vault: word, records: answers } }
  } catch (error) {
    if (!(error instanceof BulkheadError)) throw error
    return { status: 409, body: { code: error.code, message: error.message } }
  }
}

/** Keeps what passes: the first answer about each person is the oldest there is. */
const keeping: Lie = async (asked, pass) => {
  if (asked.path === '/api/people/write') seen.write = asked.body as Seen['write']
  const answer = await lie(asked, pass)
  if (asked.path === '/api/people/release' && lie === honest && typeof answer !== 'string' && answer.status === 200) {
    seen.release = asked.body as Seen['release']
    const { records } = answer.body as { records: Answered[] }
    for (const record of records)
      if (record.state === 'ok' && !seen.earlier.has(record.id)) seen.earlier.set(record.id, record)
  }
  return answer
}

/** Where the command line finds the ledger, and everything that a client runs. */
function reached(): string[] {
  const others = [
    'ledger',
    'vault',
    'edge',
    'watch',
    'supervisor',
    'genesis.json',
    'config.json',
    'remembered.json',
    'pg',
  ]
  const sockets = ['run/ledger-cli', 'run/ledger-vault', 'run/vault-edge', 'run/ledger-edge', 'run/ledger-watch']
  const code = ['bin', 'src', 'web', 'node_modules/.bin', 'package.json']
  return [
    ...[...others, ...sockets].flatMap(name => filesReached(join(home, name), 'write')),
    ...code.flatMap(name => filesReached(join(program, name), 'write')),
  ]
}

const commands: Record<string, () => unknown> = {
  lies: () => Object.entries(lies).map(([name, { kind }]) => ({ name, kind })),
  heard: () => heard.splice(0),
  tables: () => columnsRead(database),
  reached,
  async attacks() {
    const got: string[] = []
    const attacks = await attacksOf({ seen, trusted, vault, ledger, sealedOf })
    for (const [name, attack] of Object.entries(attacks)) {
      const came = await attack().catch(error => {
        if (error instanceof BulkheadError) return false
        throw error
      })
      if (came) got.push(name)
    }
    return { tried: Object.keys(attacks), got }
  },
}

const { cli } = config.serves
renameSync(cli!, `${cli}.real`)
const close = await standIn(
  cli!,
  `${cli}.real`,
  () => keeping,
  text => void heard.push(text),
)
const answer = (value: unknown) => void process.stdout.write(`${JSON.stringify(value ?? null)}\n`)
answer('ready')
for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line) as { lie?: string; do?: string }
  if (command.do) answer(await commands[command.do]!())
  else {
    lie = command.lie === undefined ? honest : lies[command.lie]!.lie
    answer('so be it')
  }
}
close()
renameSync(`${cli}.real`, cli!)
vault.close()
ledger.close()
await database.end()
