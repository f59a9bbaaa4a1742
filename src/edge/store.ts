import pg from 'pg'
import { batcher } from '../base/batch.ts'
import type { DatabaseConfig } from '../base/config.ts'
import { databaseError, PATIENCE } from '../base/database.ts'
import type { Log } from '../base/log.ts'
import type { Approval } from '../trust/approval.ts'
import type { LoadedOrder } from './turnstile.ts'

// The edge's role may execute the functions of db/migrations/0002_edge_functions.sql and nothing else. Who changes the tables behind
// them can hide devices, delay or lose work and invent facts; orders, vouchers and invitations are checked after they were read.

export type FoundVoucher = { path: string; certificate: string; state: string; voucher: string; signature: string }
export type Authenticated = {
  device: string
  platform: string
  tier: string
  unit: string
  notAfter: number
  facts: object
  sealed: Buffer | null
}
export type TokenUpdated = {
  device: string
  channel: string
  notAfter: number
  push: Buffer | null
  ours: boolean
  unlock: Buffer | null
  sealed: Buffer | null
}
export type Connected = {
  device: string
  channel: string
  status: number // 0 Idle, 1 Acknowledged, 2 Error, 3 CommandFormatError, 4 NotNow
  command: string | null
  code: number | null
  domain: string | null
  facts: object | null
  sealed: Buffer | null
}
export type NextCommand = { order: string | null; serial: number; answered: string | null }
export type StoredOrder = LoadedOrder & { secret: boolean; state: string }
export type EdgeStore = ReturnType<typeof createEdgeStore>

const MOST = 200
const PARALLEL = 2

export function createEdgeStore(database: DatabaseConfig, log: Log) {
  const pool = new pg.Pool({
    ...connection(database),
    max: 4,
    ...PATIENCE,
    application_name: 'bulkhead-edge',
  })
  pool.on('error', error => log.error('database.lost', {}, error))

  async function run<Row>(name: string, text: string, values: unknown[]): Promise<Row[]> {
    try {
      return (await pool.query({ name, text, values })).rows as Row[]
    } catch (cause) {
      throw databaseError(cause)
    }
  }

  const findVouchers = batcher<string, FoundVoucher[]>({
    most: MOST,
    parallel: PARALLEL,
    async run(paths) {
      type Row = { path_id: string; sha256: Buffer; state: string; voucher: string; signature: string }
      const rows = await run<Row>('find_vouchers', 'select * from edge.find_vouchers($1::uuid[])', [
        [...new Set(paths)],
      ])
      const byPath = Map.groupBy(rows, row => row.path_id)
      return paths.map(path =>
        (byPath.get(path) ?? []).map(row => ({
          path,
          certificate: row.sha256.toString('hex'),
          state: row.state,
          voucher: row.voucher,
          signature: row.signature,
        })),
      )
    },
  })

  const authenticate = batcher<Authenticated, undefined>({
    most: MOST,
    parallel: PARALLEL,
    async run(items) {
      const values = columns(items, item => [
        item.device,
        item.platform,
        item.tier,
        item.unit,
        new Date(item.notAfter * 1000),
        JSON.stringify(item.facts),
        item.sealed,
      ])
      await run(
        'authenticate',
        'select edge.authenticate($1::uuid[], $2::text[], $3::text[], $4::uuid[], $5::timestamptz[], $6::jsonb[], $7::bytea[])',
        values,
      )
      return items.map(() => undefined)
    },
  })

  const tokenUpdate = batcher<TokenUpdated, undefined>({
    most: MOST,
    parallel: PARALLEL,
    async run(items) {
      const values = columns(items, item => [
        item.device,
        item.channel,
        new Date(item.notAfter * 1000),
        item.push,
        item.ours,
        item.unlock,
        item.sealed,
      ])
      await run(
        'token_update',
        'select edge.token_update($1::uuid[], $2::text[], $3::timestamptz[], $4::bytea[], $5::boolean[], $6::bytea[], $7::bytea[])',
        values,
      )
      return items.map(() => undefined)
    },
  })

  const connect = batcher<Connected, NextCommand>({
    most: MOST,
    parallel: PARALLEL,
    async run(items) {
      type Row = { at: number; order_id: string | null; serial: number | null; answered_order: string | null }
      const values = columns(items, item => [
        item.device,
        item.channel,
        item.status,
        item.command,
        item.code,
        item.domain,
        item.facts === null ? null : JSON.stringify(item.facts),
        item.sealed,
      ])
      const rows = await run<Row>(
        'connect',
        'select * from edge.connect($1::uuid[], $2::text[], $3::smallint[], $4::uuid[], $5::int[], $6::text[], $7::jsonb[], $8::bytea[])',
        values,
      )
      const results: NextCommand[] = new Array(items.length)
      for (const row of rows)
        results[row.at - 1] = { order: row.order_id, serial: row.serial ?? 0, answered: row.answered_order }
      return results
    },
  })

  async function findOrder(order: string): Promise<StoredOrder | undefined> {
    type Row = {
      kind: 'order' | 'standing'
      statement: string
      body: Buffer
      secret: boolean
      targets: string[]
      state: string
      approvals: Approval[]
    }
    const [row] = await run<Row>('find_orders', 'select * from edge.find_orders($1::uuid[])', [[order]])
    return row
  }

  return {
    findVouchers,
    authenticate,
    tokenUpdate,
    connect,
    findOrder,
    checkOut: (device: string) => run('check_out', 'select edge.check_out($1::uuid[])', [[device]]),
    supersede: (certificate: string, device: string) =>
      run('supersede', 'select edge.supersede($1, $2)', [Buffer.from(certificate, 'hex'), device]),
    markSent: (commands: string[]) => run('mark_sent', 'select edge.mark_sent($1::uuid[])', [commands]),
    fail: (device: string, channel: string, order: string | null, code: string) =>
      run('fail', 'select edge.fail($1, $2, $3, $4)', [device, channel, order, code]),
    touch: (devices: string[], at: number) =>
      run('touch', 'select edge.touch($1::uuid[], $2)', [devices, new Date(at * 1000)]),
    enqueueRenewal: (device: string, order: string, serial: number) =>
      run('renewal', 'select edge.enqueue_renewal($1, $2, $3)', [device, order, serial]),
    wakePaths: (paths: string[]) => run('wake_paths', 'select edge.wake_paths($1::uuid[])', [paths]),
    setBootstrapToken: (device: string, sealed: Buffer) =>
      run('bootstrap', 'select edge.set_bootstrap_token($1, $2)', [device, sealed]),
    close: () => pool.end(),
  }
}

/** Rows to columns: one array a parameter. */
function columns<T>(items: T[], row: (item: T) => unknown[]): unknown[][] {
  const rows = items.map(row)
  return rows[0]!.map((_, at) => rows.map(values => values[at]))
}

function connection({ host, port, user, password, database, ssl }: DatabaseConfig) {
  return { host, port, user, password, database, ssl }
}
