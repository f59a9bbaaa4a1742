import { readFileSync } from 'node:fs'
import { type IncomingMessage, request } from 'node:http'
import { BulkheadError, type ErrorCode } from '../base/errors.ts'
import { runningSupervisor } from '../supervisor/lock.ts'
import { openGenesis, type Trusted } from '../trust/roster.ts'
import { demoHome, genesisPath, isInitialised, readHomeConfig, socketPath } from './home.ts'

/** The console over the owner's own socket: it may list, show and draft; what changes something carries a passkey's signature. */
export type ConsoleClient = {
  get<T>(path: string): Promise<T>
  post<T>(path: string, body?: unknown): Promise<T>
}

const TIMEOUT_MS = 60_000
const MAX_ANSWER = 64 * 1024 * 1024

export function consoleClient(home: string): ConsoleClient {
  const socket = socketPath(home, 'console', 'cli')
  return {
    get: <T>(path: string) => send(home, socket, 'GET', path) as Promise<T>,
    post: <T>(path: string, body?: unknown) => send(home, socket, 'POST', path, body) as Promise<T>,
  }
}

/** The roster that this home was made with: its name, app and keys never change. Who is in it now, `follow` knows. Throws NOT_INITIALISED, or UNPROVEN where the genesis is another. */
export function openHome(home: string): Trusted {
  if (!isInitialised(home)) throw noInstallation(home)
  return openGenesis(readFileSync(genesisPath(home), 'utf8'), readHomeConfig(home).genesisDigest!)
}

/** A mistyped --home, none where one was needed, or the demo's, which has a home of its own. */
const noInstallation = (home: string) =>
  new BulkheadError('NOT_INITIALISED', `There is no installation in ${home}.`, {
    remedy: `${demoHint(home)}Name the right home with --home DIR, or make one there: bulkhead up --home ${home}`,
  })

function demoHint(home: string): string {
  const demo = demoHome()
  return demo !== home && runningSupervisor(demo) ? `The demo is open: for it, add --home ${demo}. ` : ''
}

async function send(home: string, socketPath: string, method: string, path: string, body?: unknown): Promise<unknown> {
  const payload = body === undefined ? undefined : Buffer.from(JSON.stringify(body))
  const { status, text } = await exchange(home, { socketPath, method, path }, payload)
  const answer = parse(text)
  if (status >= 200 && status < 300) return answer
  const { code = 'INTERNAL', message = `The console answered ${status}.`, remedy } = answer as Partial<Shown>
  throw new BulkheadError(code, message, remedy === undefined ? {} : { remedy })
}
type Shown = { code: ErrorCode; message: string; remedy: string }
type Where = { socketPath: string; method: string; path: string }

function exchange(home: string, where: Where, payload: Buffer | undefined): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const headers = payload ? { 'content-type': 'application/json', 'content-length': payload.length } : {}
    const asked = request({ ...where, headers, timeout: TIMEOUT_MS }, response =>
      read(response).then(text => resolve({ status: response.statusCode ?? 500, text }), reject),
    )
    asked.on('timeout', () => asked.destroy(new Error('timeout')))
    asked.on('error', cause => reject(failure(home, cause)))
    asked.end(payload)
  })
}

async function read(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of response) {
    size += chunk.length
    if (size > MAX_ANSWER) throw new BulkheadError('LIMIT', 'The console’s answer is too long.')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new BulkheadError('MALFORMED', 'The console’s answer does not decode.', { cause })
  }
}

const stopped = (home: string, cause: unknown) =>
  isInitialised(home)
    ? new BulkheadError('NOT_RUNNING', `The installation in ${home} is not running.`, {
        remedy: `${demoHint(home)}Start it with: bulkhead up --home ${home}`,
        cause,
      })
    : noInstallation(home)

/** NOT_RUNNING instead of UNAVAILABLE, where nothing of this home runs. */
export const orNotRunning = (home: string, error: unknown): unknown =>
  error instanceof BulkheadError && error.code === 'UNAVAILABLE' && !runningSupervisor(home)
    ? stopped(home, error)
    : error

function failure(home: string, cause: NodeJS.ErrnoException): BulkheadError {
  if (cause.code === 'ENOENT' || cause.code === 'ECONNREFUSED') return stopped(home, cause)
  if (cause.code === 'EACCES')
    return new BulkheadError('FORBIDDEN', 'The home belongs to another user.', {
      remedy: 'Run this as its owner.',
      cause,
    })
  return new BulkheadError('UNAVAILABLE', 'The console does not answer.', { remedy: 'Try again in a moment.', cause })
}
