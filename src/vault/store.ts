// Who changes these tables: vault.certificate: deleting a row locks a device out, changing one makes its voucher worthless; nobody gains an
// identity, since vouchers are signed. console.invitation, console.orders, console.approval: only what members signed counts. edge.device: a
// sealed token opens only for its own device and place. edge.wake: devices are woken too often or not at all. vault.bootstrap_token: a Mac
// gets no token. Rules: fixed statements, no text is ever put together.
import type { Pool } from 'pg'
import { batcher } from '../base/batch.ts'
import { databaseError } from '../base/database.ts'
import type { Approval } from '../trust/approval.ts'

export type CertificateRow = {
  sha256: string // hex
  device: string
  path: string
  serial: string // hex
  state: 'valid' | 'superseded' | 'revoked'
  voucher: string
  signature: string
}
export type NewCertificate = Omit<CertificateRow, 'state'> & { notAfter: number /* seconds */ }
/** What is known of a path: how many devices have it, whether one has its id, and the certificates for one public key. */
export type PathFound = { devices: number; first: boolean; sameKey: CertificateRow[] }
export type OrderRow = { statement: string; targets: string[]; state: string; approvals: Approval[] }
/** `due` and `at` are PostgreSQL's own spelling, whose microseconds a Date would lose. */
export type DueRow = {
  device: string
  channel: string
  due: string
  at: string
  attempts: number
  push: Buffer | null
  came: boolean
  waiting: boolean
}
export type Settled = {
  device: string
  channel: string
  due: string
  /** Undefined: the row goes away. */
  next?: { afterSeconds: number; pushedAt: string | null; gone: boolean }
}

const columns = `encode(c.sha256, 'hex') as sha256, c.device_id as device, c.path_id as path, c.serial, c.state, c.voucher, c.signature`

const SQL = {
  certificates: `select ${columns} from vault.certificate c where c.sha256 = any ($1::bytea[])`,
  path: `select ${columns} from vault.certificate c where c.path_id = $1 and c.device_id = $2 and c.state = 'valid' order by c.issued_at desc limit 100`,
  renewals: `
    select count(*)::int as n from vault.certificate c
    where c.device_id = $1 and c.issued_at > now() - interval '7 days' and position('"previous":""' in c.voucher) = 0`,
  paths: `
    select u.n::int as at, p.devices, p.first, k.*
    from unnest($1::uuid[], $2::text[]) with ordinality as u (path, key, n)
    cross join lateral (
      select count(distinct c.device_id)::int as devices, coalesce(bool_or(c.device_id = c.path_id), false) as first
      from vault.certificate c where c.path_id = u.path
    ) p
    left join lateral (
      select ${columns} from vault.certificate c where c.path_id = u.path and position(u.key in c.voucher) > 0
    ) k on true`,
  insert: `
    insert into vault.certificate (sha256, device_id, path_id, serial, voucher, signature, not_after)
    select decode(u.sha, 'hex'), u.device, u.path, u.serial, u.voucher, u.signature, to_timestamp(u.not_after)
    from unnest($1::text[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::bigint[])
      as u (sha, device, path, serial, voucher, signature, not_after)`,
  invitation: `select statement, approval from console.invitation where invitation_id = $1`,
  order: `
    select o.statement, o.targets, o.state,
      coalesce((select jsonb_agg(a.approval) from console.approval a where a.order_id = o.order_id), '[]') as approvals
    from console.orders o where o.order_id = $1 and o.kind = 'order'`,
  unlock: `select unlock_token as sealed from edge.device where device_id = $1`,
  bootstrap: `update vault.bootstrap_token set serves = serves + 1 where device_id = $1 returning sealed`,
  topic: `select 1 as found from vault.certificate where state = 'valid' and not_after > now() and position($1 in voucher) > 0 limit 1`,
  due: `
    select w.device_id as device, w.channel, w.due::text as due, now()::text as at, w.attempts,
      case when w.channel = '' then d.push else u.push end as push,
      coalesce(d.last_seen >= date_trunc('second', w.pushed_at), false) as came, -- the edge's clock ticks in seconds
      exists (select 1 from edge.pending p where p.device_id = w.device_id and p.channel = w.channel and p.expires_at > now()) as waiting
    from edge.wake w
    left join edge.device d on d.device_id = w.device_id
    left join edge.user_channel u on u.device_id = w.device_id and u.channel = w.channel
    where w.due <= now() and not w.gone order by w.due limit $1`,
  waiting: `
    update edge.wake w set due = now(), attempts = 0 from edge.pending p
    where p.device_id = w.device_id and p.channel = w.channel and p.expires_at > now() and not w.gone`,
  // A row that was made due again meanwhile has another time, and stays due; so does one that somebody is making due at this moment, since
  // waiting for many rows while others do the same could be waiting in a circle.
  forget: `
    delete from edge.wake w using (
      select x.device_id, x.channel from unnest($1::uuid[], $2::text[], $3::timestamptz[]) as u (device, channel, due)
      join edge.wake x on x.device_id = u.device and x.channel = u.channel and x.due = u.due for update of x skip locked
    ) as free
    where w.device_id = free.device_id and w.channel = free.channel`,
  settle: `
    update edge.wake w set due = now() + make_interval(secs => free.after), gone = free.gone,
      attempts = w.attempts + (free.pushed is not null)::int, pushed_at = coalesce(free.pushed, w.pushed_at)
    from (
      select u.* from unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::float8[], $5::timestamptz[], $6::boolean[])
        as u (device, channel, due, after, pushed, gone)
      join edge.wake x on x.device_id = u.device and x.channel = u.channel and x.due = u.due for update of x skip locked
    ) as free
    where w.device_id = free.device and w.channel = free.channel`,
} as const

export type Store = ReturnType<typeof createStore>

export function createStore(pg: Pool) {
  /** Prepared once for each connection, under its name. Throws UNAVAILABLE where the database is away. */
  async function query<Row extends object>(name: keyof typeof SQL, values: unknown[]) {
    try {
      return (await pg.query<Row>({ name, text: SQL[name], values })).rows
    } catch (cause) {
      throw databaseError(cause)
    }
  }

  const insert = batcher<NewCertificate, true>({
    most: 500,
    parallel: 2,
    async run(rows) {
      const list = <K extends keyof NewCertificate>(key: K) => rows.map(row => row[key])
      const values = [list('sha256'), list('device'), list('path'), list('serial'), list('voucher'), list('signature')]
      await query('insert', [...values, list('notAfter')])
      return rows.map(() => true as const)
    },
  })

  const findPath = batcher<{ path: string; spki: string }, PathFound>({
    most: 500,
    parallel: 2,
    async run(items) {
      type Row = CertificateRow & { at: number; devices: number; first: boolean }
      const keys = items.map(({ spki }) => `"publicKey":"${spki}"`)
      const rows = await query<Row>('paths', [items.map(({ path }) => path), keys])
      const found: PathFound[] = items.map(() => ({ devices: 0, first: false, sameKey: [] }))
      for (const { at, devices, first, ...row } of rows) {
        const one = found[at - 1]!
        one.devices = devices
        one.first = first
        if (row.sha256 !== null) one.sameKey.push(row)
      }
      return found
    },
  })

  const findCertificate = batcher<string, CertificateRow | undefined>({
    most: 500,
    parallel: 2,
    async run(shas) {
      const rows = await query<CertificateRow>('certificates', [[...new Set(shas)].map(sha => Buffer.from(sha, 'hex'))])
      const bySha = new Map(rows.map(row => [row.sha256, row]))
      return shas.map(sha => bySha.get(sha))
    },
  })

  return {
    storeCertificate: insert,
    findPath,
    findCertificate,
    findOnPath: (path: string, device: string) => query<CertificateRow>('path', [path, device]),
    /** New identities that a device got within seven days. */
    countRenewals: async (device: string) => (await query<{ n: number }>('renewals', [device]))[0]!.n,
    findInvitation: async (id: string) =>
      (await query<{ statement: string; approval: Approval }>('invitation', [id]))[0],
    findOrder: async (id: string) => (await query<OrderRow>('order', [id]))[0],
    findUnlockToken: async (device: string) => (await query<{ sealed: Buffer | null }>('unlock', [device]))[0]?.sealed,
    takeBootstrapToken: async (device: string) => (await query<{ sealed: Buffer }>('bootstrap', [device]))[0]?.sealed,
    /** Whether a device is enrolled under this push topic. */
    topicInUse: async (topic: string) => (await query('topic', [`"topic":"${topic}"`])).length > 0,
    /** Whoever something waits for is due at once. */
    wakeWaiting: () => query('waiting', []),
    findDue: (most: number) => query<DueRow>('due', [most]),
    async settle(all: Settled[]) {
      const over = all.filter(({ next }) => next === undefined)
      const on = all.filter(({ next }) => next !== undefined)
      const keys = (rows: Settled[]) => [
        rows.map(row => row.device),
        rows.map(row => row.channel),
        rows.map(row => row.due),
      ]
      if (over.length > 0) await query('forget', keys(over))
      if (on.length === 0) return
      const nexts = on.map(({ next }) => next!)
      const values = [
        nexts.map(next => next.afterSeconds),
        nexts.map(next => next.pushedAt),
        nexts.map(next => next.gone),
      ]
      await query('settle', [...keys(on), ...values])
    },
  }
}
