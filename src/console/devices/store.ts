import { type RawBuilder, sql } from 'kysely'
import { BulkheadError } from '../../base/errors.ts'
import { deviceAlias } from '../../trust/alias.ts'
import type { DeviceLine } from '../api.ts'
import type { Database } from '../database.ts'

/** Devices as the edge last wrote them: facts for lists. Whoever changes these rows changes what is shown and nothing that is sent. */
const SILENT_DAYS = 30
const uuidForm = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

const shownState = (now: Date): RawBuilder<DeviceLine['state']> => sql`
  case when state <> 'enrolled' then state when lost_mode then 'lost'
    when last_seen < ${now}::timestamptz - make_interval(days => ${SILENT_DAYS}) then 'silent' else 'enrolled' end`

type Wanted = { state?: DeviceLine['state'] | undefined; cursor?: string | undefined; limit: number }

/** One page, by id. `next` is the cursor of the page after, or null. */
export async function listDevices(db: Database, now: Date, wanted: Wanted) {
  let query = db
    .selectFrom('edge.device')
    .select(['device_id', 'platform', 'tier', 'last_seen', shownState(now).as('shown')])
    .orderBy('device_id')
    .limit(wanted.limit + 1)
  if (wanted.cursor !== undefined) query = query.where('device_id', '>', wanted.cursor)
  if (wanted.state !== undefined) query = query.where(shownState(now), '=', wanted.state)
  const rows = await query.execute()
  const devices = rows.slice(0, wanted.limit).map(lineOf)
  return { devices, next: rows.length > wanted.limit ? devices.at(-1)!.device : null }
}

type Row = Pick<DeviceLine, 'platform' | 'tier'> & { device_id: string; last_seen: Date; shown: DeviceLine['state'] }
const lineOf = (row: Row): DeviceLine => ({
  device: row.device_id,
  alias: deviceAlias(row.device_id),
  platform: row.platform,
  tier: row.tier,
  state: row.shown,
  lastSeen: row.last_seen.toISOString(),
})

export async function findDevice(db: Database, now: Date, device: string) {
  const row = await db
    .selectFrom('edge.device')
    .select([
      'device_id',
      'platform',
      'tier',
      'last_seen',
      'enrolled_at',
      'facts',
      'facts_at',
      shownState(now).as('shown'),
    ])
    .where('device_id', '=', device)
    .executeTakeFirst()
  return row && { ...lineOf(row), enrolledAt: row.enrolled_at, facts: row.facts, factsAt: row.facts_at }
}

/** Ids behind ids or aliases, in the same order. Aliases are computed, so nobody can move one. Throws NOT_FOUND, AMBIGUOUS. */
export async function resolveDevices(db: Database, names: string[]): Promise<string[]> {
  const aliases = names.filter(name => !uuidForm.test(name))
  const byAlias = aliases.length === 0 ? new Map<string, string[]>() : await idsByAlias(db, new Set(aliases))
  const known = await knownIds(
    db,
    names.filter(name => uuidForm.test(name)),
  )
  return names.map(name => {
    const found = uuidForm.test(name) ? (known.has(name) ? [name] : []) : (byAlias.get(name) ?? [])
    if (found.length > 1)
      throw new BulkheadError('AMBIGUOUS', `${name} is ${found.length} devices.`, {
        remedy: `Use an id: ${found.join(', ')}`,
      })
    if (found.length === 1) return found[0]!
    throw new BulkheadError('NOT_FOUND', `There is no device ${name}.`, { remedy: 'See: bulkhead device list' })
  })
}

async function knownIds(db: Database, ids: string[]): Promise<Set<string>> {
  if (ids.length === 0) return new Set()
  const match = sql<boolean>`device_id = any (${ids}::uuid[])`
  const rows = await db.selectFrom('edge.device').select('device_id').where(match).execute()
  return new Set(rows.map(row => row.device_id))
}

async function idsByAlias(db: Database, wanted: Set<string>): Promise<Map<string, string[]>> {
  const found = new Map<string, string[]>()
  for (const { device_id } of await db.selectFrom('edge.device').select('device_id').execute()) {
    const alias = deviceAlias(device_id)
    if (wanted.has(alias)) found.set(alias, [...(found.get(alias) ?? []), device_id])
  }
  return found
}

/** Certificate rows in use, the newest of each device: of all enrolled devices, or of these. To be verified by the caller. */
export async function certificates(db: Database, of: { devices?: string[]; mentioning?: string }) {
  let query = db
    .selectFrom('vault.certificate as c')
    .innerJoin('edge.device as d', 'd.device_id', 'c.device_id')
    .distinctOn('c.device_id')
    .select(['c.sha256', 'c.device_id', 'c.voucher', 'c.signature', 'c.not_after'])
    .where('c.state', '=', 'valid')
    .where('d.state', '=', 'enrolled')
    .orderBy('c.device_id')
    .orderBy('c.issued_at', 'desc')
  if (of.devices !== undefined) query = query.where(sql<boolean>`c.device_id = any (${of.devices}::uuid[])`)
  if (of.mentioning !== undefined) query = query.where('c.voucher', 'like', `%${of.mentioning}%`)
  return query.execute()
}
