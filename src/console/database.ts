import { type ColumnType, type Generated, Kysely, PostgresDialect } from 'kysely'
import { Pool, type PoolConfig } from 'pg'
import type { DatabaseConfig } from '../base/config.ts'
import type { Log } from '../base/log.ts'
import type { Approval } from '../trust/approval.ts'
import type { OrderClass } from '../trust/class.ts'
import type { Kind } from '../trust/directory.ts'
import type { Tier } from '../trust/invitation.ts'

/**
 * What the console's role may see, and no more: its own tables, and the clear columns of devices and their work.
 * Whoever changes its rows hides, delays or invents what is shown; orders, groups and invitations prove themselves.
 */
export type Tables = {
  'console.orders': {
    order_id: string
    kind: 'order' | 'standing'
    statement: string
    body: Buffer
    secret: boolean
    targets: string[]
    action: string
    class: OrderClass
    trigger: 'enrolment' | 'daily' | null
    expires_at: Date | null
    state: Generated<'draft' | 'approved' | 'cancelled'>
    reason_salt: string
    reason: Buffer
    created_by: string
    created_at: Generated<Date>
    approved_at: Date | null
  }
  'console.approval': { order_id: string; member_id: string; approval: Json<Approval>; at: Generated<Date> }
  'console.invitation': {
    invitation_id: string
    statement: string
    approval: Json<Approval>
    created_at: Generated<Date>
  }
  'console.group_version': {
    group_id: string
    version: number
    alias: string
    statement: string
    approval: Json<Approval>
    at: Generated<Date>
  }
  'console.proposal': {
    proposal_id: string
    kind: 'roster' | 'thaw' | 'cancel'
    statement: string
    created_by: string
    created_at: Generated<Date>
  }
  'console.proposal_approval': { proposal_id: string; member_id: string; approval: Json<Approval>; at: Generated<Date> }
  'console.writer': { writer_id: string; statement: string; approval: Json<Approval>; at: Generated<Date> }
  'console.record': {
    kind: Kind
    record_id: string
    version: number
    outer_digest: Buffer
    unit_id: string
    alias: string
    writer_id: string
    statement: string
    signature: string
    sealed: Buffer
    tokens: number[] | null
    written_at: Generated<Date>
  }
  'console.member_key': { credential_id: string; statement: string; approval: Json<Approval> }
  'console.unit_share': { unit_id: string; public_key: string; credential_id: string; sealed: Buffer }
  'console.assignment': {
    device_id: string
    version: number
    person_id: string | null
    unit_id: string
    writer_id: string
    statement: string
    signature: string
  }
  'console.session': { token_sha256: Buffer; member_id: string; expires_at: Date }
  'edge.device': {
    device_id: string
    platform: 'apple'
    tier: Tier
    unit_id: string
    state: 'authenticating' | 'enrolled' | 'left'
    enrolled_at: Date
    last_seen: Date
    not_after: Date
    facts: Record<string, string | number | boolean>
    facts_at: Date | null
    sealed: Buffer | null // in two halves; nothing of the console's opens one
    lost_mode: boolean
    push_topic_ours: boolean
  }
  'edge.pending': {
    device_id: string
    channel: string
    seq: string
    order_id: string
    serial: number
    state: 'pending' | 'sent' | 'not-now'
    attempts: number
    expires_at: Date
    changed_at: Date
  }
  'edge.result': {
    order_id: string
    device_id: string
    channel: string
    serial: number
    state: 'acknowledged' | 'error' | 'expired' | 'cancelled'
    code: number | null
    domain: string | null
    at: Date
  }
  'vault.certificate': {
    sha256: Buffer
    device_id: string
    state: 'valid' | 'superseded' | 'revoked'
    voucher: string
    signature: string
    not_after: Date
    issued_at: Date
  }
}

/** jsonb: parsed when read, text when written. */
type Json<T> = ColumnType<T, string, string>

export type Database = Kysely<Tables>

/** Connects when first used and again after a loss. */
export function openDatabase(config: DatabaseConfig, log: Log): Database {
  const { ssl, ...rest } = config
  const options: PoolConfig = {
    ...rest,
    ssl,
    max: 6,
    connectionTimeoutMillis: 5000,
    statement_timeout: 30_000,
    query_timeout: 32_000,
  }
  const pool = new Pool(options)
  pool.on('error', error => log.error('database.lost', {}, error)) // an idle connection broke: the next query makes another
  return new Kysely<Tables>({ dialect: new PostgresDialect({ pool }) })
}
