import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Log, silentLog } from '../../src/base/log.ts'
import { openDatabase } from '../../src/console/database.ts'
import { openDesk } from '../../src/console/desk.ts'
import { startConsole } from '../../src/console/server.ts'
import { followFrom, ledgerClient } from '../../src/ledger/client.ts'
import { startLedger } from '../../src/ledger/server.ts'
import { type EnrolFields, enrolDevice } from './enrol.ts'
import { testVault } from './vault.ts'

// biome-ignore lint/suspicious/noExplicitAny: tests look into answers field by field
type Answer = { status: number; body: any }

/** A console on a real database, with a real ledger and a real vault behind their sockets. */
export async function testConsole(options: { log?: Log } = {}) {
  const vault = await testVault()
  const { unit, trusted, genesis } = vault.roster
  const time = { shift: 0 }
  const traces: string[] = []
  const folder = mkdtempSync(join(tmpdir(), 'bulkhead-console-'))
  const ledgerSocket = join(folder, 'ledger')
  let latest = 0
  /** The ledger's clock is shifted with the others', and never back: a ledger refuses to start before its own last word. */
  const forward = () => {
    latest = Math.max(latest, Date.now() + time.shift)
    return latest
  }
  const openLedger = () =>
    startLedger({
      dir: join(folder, 'log'),
      name: 'example.test',
      genesis,
      trusted,
      keys: vault.roster.ledger,
      clock: forward,
      sockets: { console: ledgerSocket },
      http: { host: '127.0.0.1', port: 0 },
      log: silentLog,
    })
  let ledger: Awaited<ReturnType<typeof openLedger>> | undefined = await openLedger()
  const client = ledgerClient({ path: ledgerSocket })
  const log = options.log ?? silentLog
  const file = join(folder, 'control.json')
  const following = followFrom({ ledger: client, genesis, pinned: trusted, file, log, trace: () => {} })
  const desk = openDesk({
    db: openDatabase(vault.database.config('console'), silentLog),
    genesis,
    pinned: trusted,
    control: following.view,
    vault: vault.console,
    ledger: client,
    urls: { edge: 'https://mdm.example.test', console: '', app: '', ledger: ledger.url, edgeTls: '' },
    deviceUrl: 'https://mdm.example.test',
    log,
    trace: code => void traces.push(code),
    now: () => new Date(Date.now() + time.shift),
  })
  const socket = join(folder, 'cli')
  const running = await startConsole(desk, { http: { host: '127.0.0.1', port: 0 }, socket })
  const url = `http://127.0.0.1:${running.port}`
  const bearer = { token: '' }
  while (following.view.head.size === 0) await sleep(20) // the genesis is logged, and read

  async function ask(method: string, path: string, body?: unknown): Promise<Answer> {
    const response = await fetch(`${url}${path}`, {
      method,
      headers: {
        ...(bearer.token === '' ? {} : { authorization: `Bearer ${bearer.token}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    return { status: response.status, body: await response.json() }
  }

  const place = { owner: vault.owner, genesisDigest: trusted.genesisDigest, voucherKey: vault.keys.voucher, unit }

  return {
    desk,
    vault,
    roster: vault.roster,
    owner: vault.owner,
    socket,
    url,
    /** Codes that watch was told. */
    traces,
    bearer,
    time,
    enrol: (fields: EnrolFields = {}) => enrolDevice(place, fields),
    get: (path: string) => ask('GET', path),
    post: (path: string, body: unknown = {}) => ask('POST', path, body),
    delete: (path: string) => ask('DELETE', path),
    ledger: {
      async stop() {
        await ledger?.close()
        ledger = undefined
      },
      async start() {
        ledger = await openLedger()
      },
      find: async (log: 'main' | 'control', unique: string) => {
        const found = await client.find({ log, unique })
        return found && (JSON.parse(found.entry) as Record<string, unknown>)
      },
    },
    async close() {
      await running.close()
      await following.close()
      client.close()
      await ledger?.close()
      await vault.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
export type TestConsole = Awaited<ReturnType<typeof testConsole>>
