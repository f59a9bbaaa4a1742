import { mkdirSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { BulkheadError } from '../base/errors.ts'
import { lockFolder } from '../base/lock.ts'
import type { Log } from '../base/log.ts'
import type { Vkey } from '../wire/tlog/note.ts'
import { openIdentity, openState } from './store.ts'
import { createWitness, MAX_REQUEST, type Witness } from './witness.ts'

/**
 * The witness over HTTP. Rules: one route, POST; a body of at most 64 KiB within 10 s; the answers of C2SP tlog-witness and no other,
 * but 500 where the disk fails. Anybody may ask: what the log did not sign changes nothing here.
 */
export type WitnessOptions = {
  dir: string
  name?: string | undefined
  /** Verifier keys of logs, algorithm 1. */
  logs: Vkey[]
  host: string
  port: number
  /** Milliseconds since 1970. */
  clock: () => number
  log: Log
}
export type RunningWitness = { url: string; name: string; vkey: string; close(): Promise<void> }
type Answer = { status: number; type?: string; body: string }

/** Every route there is, for POST. */
export const ROUTE = '/add-checkpoint'
const NOT_FOUND: Answer = { status: 404, body: 'Not found\n' }
const FAILED: Answer = { status: 500, body: 'The witness cannot write.\n' }

/** Throws CONFLICT where another process uses the folder, PORT_BUSY. */
export async function startWitness(options: WitnessOptions): Promise<RunningWitness> {
  const { dir, logs, clock, host, log } = options
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  const lock = lockFolder(dir, 'Another witness')
  try {
    const { name, key, vkey } = openIdentity(dir, options.name)
    const state = openState(dir, logs)
    const witness = createWitness({ name, key, logs, state, clock: () => Math.floor(clock() / 1000) })
    const server = await listen(options, witness)
    const close = () =>
      new Promise<void>(done => {
        server.close(() => {
          lock.release()
          done()
        })
        server.closeAllConnections()
      })
    log.info('witness.started', { logs: logs.length })
    const where = host.includes(':') ? `[${host}]` : host
    return { url: `http://${where}:${(server.address() as AddressInfo).port}`, name, vkey, close }
  } catch (error) {
    lock.release()
    throw error
  }
}

function listen({ host, port, log }: WitnessOptions, witness: Witness): Promise<Server> {
  const limits = { maxHeaderSize: 8192, requestTimeout: 10_000, headersTimeout: 5000, keepAliveTimeout: 30_000 }
  const server = createServer(limits, (request, response) => {
    handle(request, witness)
      .catch((error): Answer => {
        log.error('witness.failed', {}, error)
        return FAILED
      })
      .then(answer => {
        if (answer.status !== 200) log.info('witness.refused', { status: answer.status })
        reply(request, response, answer)
      })
  })
  server.maxConnections = 200
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      const code = cause.code === 'EADDRINUSE' ? 'PORT_BUSY' : 'UNAVAILABLE'
      const remedy = 'Choose another port with --port N (0 picks one).'
      reject(new BulkheadError(code, `The witness cannot listen on ${host}:${port}.`, { remedy, cause }))
    })
    server.listen(port, host, () => resolve(server))
  })
}

async function handle(request: IncomingMessage, witness: Witness): Promise<Answer> {
  if (request.method !== 'POST' || request.url !== ROUTE) return NOT_FOUND
  const body = await read(request)
  if (body === undefined) return { status: 400, body: 'The request is too long, not whole or not UTF-8.\n' }
  return witness.addCheckpoint(body)
}

/** Undefined where it is too long, cut off or no text. Not by iteration: leaving that early would hang up before the answer. */
function read(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = []
  let size = 0
  return new Promise(resolve => {
    request.on('data', (chunk: Buffer) => {
      size += chunk.length
      if (size > MAX_REQUEST) resolve(undefined)
      else chunks.push(chunk)
    })
    request.on('end', () => resolve(textOf(Buffer.concat(chunks))))
    request.on('close', () => resolve(undefined))
    request.on('error', () => resolve(undefined))
  })
}

function textOf(bytes: Buffer): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return undefined
  }
}

function reply(request: IncomingMessage, response: ServerResponse, { status, type, body }: Answer) {
  const bytes = Buffer.from(body)
  response.writeHead(status, {
    'content-type': type ?? 'text/plain; charset=utf-8',
    'content-length': bytes.length,
    'x-content-type-options': 'nosniff',
    ...(!request.complete && { connection: 'close' }), // what is still coming is not read
  })
  response.end(request.method === 'HEAD' ? undefined : bytes)
}
