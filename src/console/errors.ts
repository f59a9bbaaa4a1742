import type { Context } from 'hono'
import { HTTPException } from 'hono/http-exception'
import { BulkheadError, type ErrorCode, publicError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'

/** The one translator from our errors to HTTP: status and `{code, message, remedy}`. */
const STATUS: Partial<Record<ErrorCode, 400 | 403 | 404 | 409 | 410 | 413 | 422 | 503>> = {
  AMBIGUOUS: 409,
  BAD_REQUEST: 400,
  CONFLICT: 409,
  EXPIRED: 410,
  FORBIDDEN: 403,
  LIMIT: 413,
  MALFORMED: 400,
  NOT_FOUND: 404,
  REFUSED: 403,
  RIGHT_MISSING: 422,
  UNAVAILABLE: 503,
  UNPROVEN: 403,
}

/** What proves nothing is a trace: no client of ours sends such an approval, and a stolen session has nothing better. */
export const errorResponder = (log: Log, trace: (code: string) => void) => (thrown: Error, context: Context) => {
  const error = known(thrown)
  if (error instanceof BulkheadError && error.code === 'UNPROVEN') trace('approval-unproven')
  if (!(error instanceof BulkheadError)) log.error('request.failed', { path: context.req.path.slice(0, 100) }, thrown)
  const shown = publicError(error)
  return context.json(shown, STATUS[shown.code] ?? 500)
}

export const unauthenticated = (context: Context) =>
  context.json({ code: 'FORBIDDEN', message: 'Nobody is signed in here.', remedy: 'Sign in with your passkey.' }, 401)

function known(error: Error): Error {
  if (error instanceof HTTPException)
    return new BulkheadError(error.status === 413 ? 'LIMIT' : 'BAD_REQUEST', 'The request does not decode.', {
      cause: error,
    })
  return isDatabaseAway(error) ? databaseAway(error) : error
}

const databaseAway = (cause: Error) =>
  new BulkheadError('UNAVAILABLE', 'The database does not answer.', { remedy: 'Try again in a moment.', cause })

/** SQLSTATE classes 08 (connection) and 57P (shutdown), too many connections, and what the socket says. */
function isDatabaseAway(error: Error): boolean {
  const code = String((error as { code?: unknown }).code ?? '')
  if (/^(08...|57P..|53300|ECONNREFUSED|ECONNRESET|ENOENT|EPIPE|ETIMEDOUT)$/.test(code)) return true
  return /^(Connection terminated|timeout exceeded when trying to connect)/.test(error.message)
}
