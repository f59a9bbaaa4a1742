import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import type { DatabaseConfig } from '../base/config.ts'
import type { Log } from '../base/log.ts'
import { type RpcServer, serveRpc } from '../base/rpc.ts'
import type { Ledger } from '../ledger/api.ts'
import { alias, object, text, uuid, whole } from '../trust/shape.ts'
import { createFindings } from './findings.ts'

// Watch, in its first form: it keeps the traces that the others send, and puts into the ledger what nobody sees in ordinary work. Who
// changes its table can hide what is not in the ledger.

const shape = object(
  { code: text(/^[a-z0-9-]{1,64}$/, 'a trace code') },
  { device: uuid, order: uuid, reason: text(/^[a-z0-9-]{1,64}$/, 'a reason'), count: whole(1, 1_000_000) },
)
type Row = {
  source: string
  code: string
  device: string | null
  order: string | null
  reason: string | null
  count: number
}
const FLUSH_MS = 1_000 // what happens ten thousand times in it is one row
const MOST_ROWS = 1_000
const MOST_CODES = 200 // beyond MOST_ROWS a trace is counted without its device and order
const MOST_COUNT = 1_000_000_000
const FORGET_MS = 3_600_000
const PAUSE_MS = 50 // between two batches of old rows, so that others get their turn

export async function startWatch(options: {
  sockets: Record<string, string>
  database: DatabaseConfig
  ledger: Pick<Ledger, 'append'>
  log: Log
}) {
  const { log, ledger } = options
  const findings = createFindings({ ledger, log, clock: Date.now })
  const { host, port, user, password, database, ssl } = options.database
  const pool = new pg.Pool({ host, port, user, password, database, ssl, max: 2, connectionTimeoutMillis: 3_000 })
  pool.on('error', error => log.error('database.lost', {}, error))
  let waiting = new Map<string, Row>()

  function add({ count, ...of }: Row) {
    let key = JSON.stringify(of)
    if (!waiting.has(key) && waiting.size >= MOST_ROWS) {
      Object.assign(of, { device: null, order: null, reason: null })
      key = JSON.stringify(of)
    }
    const row = waiting.get(key)
    if (row) row.count = Math.min(MOST_COUNT, row.count + count)
    else if (waiting.size < MOST_ROWS + MOST_CODES) waiting.set(key, { ...of, count })
  }

  async function flush() {
    const rows = [...waiting.values()]
    waiting = new Map()
    if (rows.length === 0) return
    const columns = (['source', 'code', 'device', 'order', 'reason', 'count'] as const).map(name =>
      rows.map(row => row[name]),
    )
    try {
      await pool.query({
        name: 'traces',
        text: 'insert into watch.trace (source, code, device_id, order_id, reason, count) select * from unnest($1::text[], $2::text[], $3::uuid[], $4::uuid[], $5::text[], $6::int[])',
        values: columns,
      })
    } catch (error) {
      log.error('traces.unwritten', { count: rows.length }, error)
      for (const row of rows) add(row)
    }
  }

  const servers: RpcServer[] = []
  for (const [caller, path] of Object.entries(options.sockets)) {
    const source = alias(caller, 'caller')
    const trace = async (params: unknown) => {
      const { code, device, order, reason, count } = shape(params, 'trace')
      add({ source, code, device: device ?? null, order: order ?? null, reason: reason ?? null, count: count ?? 1 })
      findings.see({ source, code, reason: reason ?? null, count: count ?? 1 })
      return null
    }
    servers.push(await serveRpc({ path, caller, methods: { trace }, log }))
  }
  const stopping = new AbortController()
  const timer = setInterval(() => void flush(), FLUSH_MS)
  const forgetting = forgetEvery(pool, stopping.signal, log)
  return {
    async close() {
      stopping.abort()
      clearInterval(timer)
      await forgetting
      await Promise.all(servers.map(server => server.close()))
      await flush()
      await findings.close()
      await pool.end()
    },
  }
}

/** Now and once an hour: what is older than 90 days goes, a bounded number at a time. */
async function forgetEvery(pool: pg.Pool, stopping: AbortSignal, log: Log) {
  while (!stopping.aborted) {
    const some = await forgetSome(pool).catch(error => void log.error('traces.kept', {}, error))
    await sleep(some ? PAUSE_MS : FORGET_MS, undefined, { signal: stopping }).catch(() => {})
  }
}

async function forgetSome(pool: pg.Pool): Promise<boolean> {
  const { rows } = await pool.query<{ gone: number }>('select watch.forget_old() as gone')
  return rows[0]!.gone > 0
}
