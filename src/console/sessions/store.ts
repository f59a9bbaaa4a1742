import { randomBytes } from 'node:crypto'
import { sha256 } from '../../trust/statement.ts'
import type { Database } from '../database.ts'

/** Sessions by the hash of their token. Whoever writes a row here sees lists of aliases, and approves nothing. */
const LIFE_MS = 8 * 3600_000

export async function openSession(db: Database, member: string, now: Date) {
  const token = randomBytes(32).toString('base64url')
  const expiresAt = new Date(now.getTime() + LIFE_MS)
  await db
    .insertInto('console.session')
    .values({ token_sha256: sha256(token), member_id: member, expires_at: expiresAt })
    .execute()
  return { token, expiresAt }
}

/** The member behind a token, or undefined. */
export async function findSession(db: Database, token: string, now: Date): Promise<string | undefined> {
  const row = await db
    .selectFrom('console.session')
    .select('member_id')
    .where('token_sha256', '=', sha256(token))
    .where('expires_at', '>', now)
    .executeTakeFirst()
  return row?.member_id
}

export async function closeSession(db: Database, token: string) {
  await db.deleteFrom('console.session').where('token_sha256', '=', sha256(token)).execute()
}

export async function sweepSessions(db: Database, now: Date) {
  await db.deleteFrom('console.session').where('expires_at', '<=', now).execute()
}
