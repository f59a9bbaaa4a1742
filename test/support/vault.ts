import { type KeyObject, randomBytes, randomUUID } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Pool } from 'pg'
import { BulkheadError } from '../../src/base/errors.ts'
import { type Log, silentLog } from '../../src/base/log.ts'
import type { DeviceRequest, IntakeMethods } from '../../src/intake/api.ts'
import type { Intake } from '../../src/intake/client.ts'
import { decodeDevice } from '../../src/intake/device.ts'
import { decodeScep, decodeScepRequest } from '../../src/intake/scep.ts'
import type { NewEntry, Outcome } from '../../src/ledger/api.ts'
import { canonical } from '../../src/trust/canonical.ts'
import { createControl, type Freeze } from '../../src/trust/control.ts'
import { invitationDigest } from '../../src/trust/invitation.ts'
import { vaultForConsole, vaultForEdge } from '../../src/vault/client.ts'
import { generateVaultKeys, loadVaultKeys } from '../../src/vault/keys.ts'
import type { VaultLedger } from '../../src/vault/leaves.ts'
import { startVault } from '../../src/vault/server.ts'
import { leafHash } from '../../src/wire/tlog/merkle.ts'
import { encodePromise } from '../../src/wire/tlog/promise.ts'
import { testDatabase } from './database.ts'
import { type TestMember, testRoster } from './roster.ts'

/** A vault on real sockets and a real database, with intake's decoders in this process and a ledger in memory. */
export async function testVault(options: { apns?: { url: string; ca: string }; log?: Log } = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'bulkhead-vault-'))
  const publicParts = generateVaultKeys(join(folder, 'keys'), { name: 'Example', now: Date.now(), random: randomBytes })
  const keys = loadVaultKeys(join(folder, 'keys'))
  const roster = testRoster(publicParts)
  const database = await testDatabase()
  const ledger = memoryLedger(roster.ledger.main)
  const time = { shift: 0 }
  const traces: { code: string; reason?: string; count?: number }[] = []
  const clock = () => Math.floor(Date.now() / 1000) + time.shift
  const intake = decoders()
  /** What the control log says: to be set by tests. */
  const standing = { synced: true, fresh: true, frozen: undefined as Freeze | undefined }
  const control = {
    get time() {
      return standing.synced ? clock() : 0
    },
    trusted: () => roster.trusted,
    frozen: () => standing.frozen,
    isFresh: () => standing.synced && standing.fresh,
    control: createControl(roster.genesis, roster.trusted),
  }
  mkdirSync(join(folder, 'data'))
  const serves = { edge: join(folder, 'edge'), console: join(folder, 'console') }
  const config = {
    serves,
    dataDir: join(folder, 'data'),
    urls: { edge: 'https://mdm.example.test', console: '', app: '', ledger: '', edgeTls: '' },
    ...(options.apns ? { apns: options.apns } : {}),
  }
  const pg = database.connect('vault', 6)
  const start = () =>
    startVault({
      config,
      keys,
      pinned: roster.trusted,
      control,
      pg,
      ledger,
      intake,
      clock,
      random: randomBytes,
      log: options.log ?? silentLog,
      trace: (code, fields = {}) => void traces.push({ code, ...fields }),
    })
  let running = await start()
  const edge = vaultForEdge(serves.edge)
  const console = vaultForConsole(serves.console)
  const owner = database.connect('owner')
  return {
    edge,
    console,
    owner,
    database,
    ledger,
    intake,
    keys,
    roster,
    time,
    standing,
    traces,
    control,
    clock,
    dataDir: config.dataDir,
    sockets: serves,
    /** As after a crash: nothing in memory is kept. */
    async restart() {
      await running.close()
      running = await start()
      await console.pushShow().catch(() => console.pushShow()) // its clients notice with their first call
      await edge.caCertificates().catch(() => edge.caCertificates())
    },
    async close() {
      edge.close()
      console.close()
      await running.close()
      await database.drop()
      rmSync(folder, { recursive: true, force: true })
    },
    invite: (fields: InvitationFields = {}, by?: TestMember) => storeInvitation(owner, roster, clock(), fields, by),
  }
}
export type TestVault = Awaited<ReturnType<typeof testVault>>

export type InvitationFields = {
  uses?: number
  tier?: string
  signed?: boolean
  identityDays?: number
  notBefore?: number
  expiresAt?: number
}

/** An approved invitation in its table; returns its id. */
async function storeInvitation(
  owner: Pool,
  { trusted, unit, operator }: ReturnType<typeof testRoster>,
  now: number,
  fields: InvitationFields,
  by: TestMember = operator,
) {
  const id = randomUUID()
  const statement = canonical({
    type: 'bulkhead-invitation/v1',
    id,
    platform: 'apple',
    tier: 'private',
    unit,
    groups: [],
    uses: 10,
    signed: true,
    identityDays: 397,
    notBefore: now - 60,
    expiresAt: now + 86_400,
    nonce: randomBytes(16).toString('hex'),
    ...fields,
  })
  const approval = by.approve(invitationDigest(statement, trusted))
  await owner.query('insert into console.invitation (invitation_id, statement, approval) values ($1, $2, $3)', [
    id,
    statement,
    approval,
  ])
  return { id, statement, approval }
}

/** Intake's decoders in this process. */
export function decoders(): Pick<Intake, 'ask'> {
  return {
    async ask<M extends keyof IntakeMethods>(method: M, params: IntakeMethods[M]['ask'], bytes: Uint8Array) {
      const buffer = Buffer.from(bytes)
      const answer =
        method === 'scep'
          ? decodeScep(buffer)
          : method === 'request'
            ? decodeScepRequest(buffer)
            : decodeDevice(params as DeviceRequest, buffer)
      return JSON.parse(JSON.stringify(answer)) as IntakeMethods[M]['answer']
    },
  }
}

/** Append and find as the ledger does them. `away` makes it fail, `full` lets nobody enrol; `entries` are what it holds; `signer` is the log's key. */
export function memoryLedger(signer: KeyObject) {
  const entries: Record<string, unknown>[] = []
  const unique = new Map<string, { index: number; entry: string }>()
  const appendOne = ({ entry }: NewEntry): Outcome => {
    const value = JSON.parse(entry) as Record<string, unknown>
    const key = value.unique as string | undefined
    const before = key === undefined ? undefined : unique.get(key)
    if (before && before.entry !== entry) return { code: 'CONFLICT', index: before.index }
    if (!before && value.type === 'consumed' && ledger.full) return { code: 'LIMIT', message: 'Enough have enrolled.' }
    if (!before) entries.push(value)
    const index = before?.index ?? entries.length - 1
    if (key !== undefined) unique.set(key, { index, entry })
    const hash = leafHash(Buffer.from(entry)).toString('base64')
    const statement = { origin: ledger.origin, leafHash: hash, maxIndex: index, time: Date.now() }
    return { index, leafHash: hash, promise: encodePromise(statement, signer).toString('base64') }
  }
  const ledger = {
    entries,
    away: false,
    origin: 'example.test/main',
    /** No more may enrol now. */
    full: false,
    async append({ entries: news }: { entries: NewEntry[] }): Promise<Outcome[]> {
      await new Promise(resolve => setImmediate(resolve))
      if (ledger.away) throw new BulkheadError('UNAVAILABLE', 'The ledger does not answer.')
      return news.map(appendOne)
    },
    async find({ unique: key }: { unique: string }) {
      if (ledger.away) throw new BulkheadError('UNAVAILABLE', 'The ledger does not answer.')
      const found = unique.get(key)
      return found ? { index: found.index, entry: found.entry, leafHash: '' } : null
    },
    ofType: (type: string) => entries.filter(entry => entry.type === type),
  }
  return ledger satisfies VaultLedger
}
