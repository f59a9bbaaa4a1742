import pg from 'pg'
import type { DatabaseConfig } from '../base/config.ts'
import type { Log } from '../base/log.ts'
import { type RpcServer, serveRpc } from '../base/rpc.ts'
import { alias, object, text, uuid, whole } from '../trust/shape.ts'

// Watch, in its first form: it keeps the traces that the others send. Who changes its table can hide traces that are not in the ledger yet.

const shape = object(
  { code: text(/^[a-z0-9-]{1,64}$/, 'a trace code') },
  { device: uuid, order: uuid, count: whole(1, 1_000_000) },
)
const MOST_WAITING = 10_000

export async function startWatch(options: { sockets: Record<string, string>; database: DatabaseConfig; log: Log }) {
  const { log } = options
  const { host, port, user, password, database, ssl } = options.database
  const pool = new pg.Pool({ host, port, user, password, database, ssl, max: 2, connectionTimeoutMillis: 3_000 })
  pool.on('error', error => log.error('database.lost', {}, error))
  let waiting: unknown[][] = []

  async function flush() {
    const batch = waiting
    waiting = []
    if (batch.length === 0) return
    const columns = [0, 1, 2, 3, 4].map(at => batch.map(row => row[at]))
    try {
      await pool.query({
        name: 'traces',
        text: 'insert into watch.trace (source, code, device_id, order_id, count) select * from unnest($1::text[], $2::text[], $3::uuid[], $4::uuid[], $5::int[])',
        values: columns,
      })
    } catch (error) {
      log.error('traces.unwritten', { count: batch.length }, error)
      waiting = [...batch, ...waiting].slice(0, MOST_WAITING)
    }
  }

  const servers: RpcServer[] = []
  for (const [caller, path] of Object.entries(options.sockets)) {
    const source = alias(caller, 'caller')
    const trace = async (params: unknown) => {
      const { code, device, order, count } = shape(params, 'trace')
      if (waiting.length < MOST_WAITING) waiting.push([source, code, device ?? null, order ?? null, count ?? 1])
      return null
    }
    servers.push(await serveRpc({ path, caller, methods: { trace }, log }))
  }
  const timer = setInterval(() => void flush(), 200)
  return {
    async close() {
      clearInterval(timer)
      await Promise.all(servers.map(server => server.close()))
      await flush()
      await pool.end()
    },
  }
}
