import { BulkheadError } from './errors.ts'

/** How long an answer of PostgreSQL is waited for, in ms: its own limit first, and then ours, for one that hangs and cannot keep its own. */
export const PATIENCE = { connectionTimeoutMillis: 3_000, statement_timeout: 10_000, query_timeout: 12_000 } as const

/** A database that is away is UNAVAILABLE, so that callers say 503; anything else is our own fault and stays as it is. */
export function databaseError(cause: unknown): unknown {
  const code = (cause as { code?: string }).code ?? ''
  const away = code.startsWith('08') || code.startsWith('57') || code.startsWith('53') || /^E[A-Z]+$/.test(code)
  const lost =
    cause instanceof Error &&
    /Connection terminated|timeout|Client has encountered a connection error|starting up/.test(cause.message)
  if (!away && !lost) return cause
  return new BulkheadError('UNAVAILABLE', 'The database does not answer.', {
    remedy: 'It comes back by itself; try again in a moment.',
    cause,
  })
}
