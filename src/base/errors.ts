/** Every code an error of ours can carry. Outside a process, a code and its text are all that is shown; the cause goes to the log. */
export type ErrorCode =
  | 'AMBIGUOUS' // a name fits more than one thing
  | 'BAD_REQUEST' // what was asked is malformed
  | 'CONFLICT' // it exists already, or was used up
  | 'EXPIRED'
  | 'FORBIDDEN' // the caller may not do this
  | 'HOME_UNUSABLE' // the home folder cannot serve: path too long, closed parents, wrong owner
  | 'INTERNAL'
  | 'LIMIT' // too large, too deep, too many
  | 'MALFORMED' // bytes that do not decode
  | 'MISSING_PART' // a program or package this machine lacks
  | 'NOT_FOUND'
  | 'NOT_INITIALISED'
  | 'NOT_RUNNING'
  | 'PORT_BUSY'
  | 'REFUSED' // a rule of the roster or the turnstile says no
  | 'RIGHT_MISSING' // the enrolment's AccessRights do not allow the command
  | 'UNAVAILABLE' // a part that is needed is away; try again
  | 'UNPROVEN' // a signature, digest or approval does not hold
  | 'USAGE'

/** The one error of the project. `remedy` says what the reader can do next. */
export class BulkheadError extends Error {
  readonly code: ErrorCode
  readonly remedy: string | undefined
  constructor(code: ErrorCode, message: string, options: { remedy?: string; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'BulkheadError'
    this.code = code
    this.remedy = options.remedy
  }
}

/** What may be shown of any error: a code, a sentence, a remedy. Unknown errors become generic text. */
export function publicError(error: unknown): { code: ErrorCode; message: string; remedy?: string } {
  if (!(error instanceof BulkheadError))
    return {
      code: 'INTERNAL',
      message: 'Something went wrong inside the server.',
      remedy: 'Look at the log of the compartment.',
    }
  return error.remedy === undefined
    ? { code: error.code, message: error.message }
    : { code: error.code, message: error.message, remedy: error.remedy }
}
