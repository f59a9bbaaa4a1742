/** One JSON line an event on stderr. Fields are ids, counts, codes and times: never a name, a secret or a body. */
export type Log = {
  info(event: string, fields?: Record<string, unknown>): void
  error(event: string, fields?: Record<string, unknown>, cause?: unknown): void
}

export function createLog(part: string, write: (line: string) => void = line => void process.stderr.write(line)): Log {
  const line = (level: string, event: string, fields: Record<string, unknown>) =>
    write(`${JSON.stringify({ at: new Date().toISOString(), level, part, event, ...fields })}\n`)
  return {
    info: (event, fields = {}) => line('info', event, fields),
    error: (event, fields = {}, cause) =>
      line('error', event, { ...fields, ...(cause === undefined ? {} : { cause: describe(cause) }) }),
  }
}

function describe(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause).slice(0, 500)
  const inner = cause.cause === undefined ? '' : `; because: ${describe(cause.cause)}`
  return `${(cause.stack ?? cause.message).slice(0, 1500)}${inner}`
}

export const silentLog: Log = { info: () => {}, error: () => {} }
