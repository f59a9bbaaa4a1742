import { chmodSync, chownSync, rmSync } from 'node:fs'
import { createConnection, createServer, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { BulkheadError, type ErrorCode, publicError } from './errors.ts'
import { encodeFrame, type Frame, frameReader } from './frame.ts'
import type { Log } from './log.ts'

/** Calls between compartments: one unix socket for each caller, so who calls is known from the socket and never from what is said. */
export type Method = (params: unknown, bytes: Buffer) => Promise<unknown | RpcReply>
export type RpcServer = { close(): Promise<void> }
export type RpcClient = {
  /** Throws BulkheadError: the callee's own code, or UNAVAILABLE where it is away or silent. */
  call(method: string, params: unknown, bytes?: Uint8Array): Promise<unknown>
  /** The same, with the bytes that came behind the answer. */
  callBytes(method: string, params: unknown, bytes?: Uint8Array): Promise<{ result: unknown; bytes: Buffer }>
  close(): void
}

/** An answer that carries bytes beside its JSON. */
export class RpcReply {
  readonly result: unknown
  readonly bytes: Uint8Array
  constructor(result: unknown, bytes: Uint8Array) {
    this.result = result
    this.bytes = bytes
  }
}

const MAX_FRAME = 16 * 1024 * 1024
const CALL_TIMEOUT = 10_000
const MAX_WAITING = 20_000

/** Listens for one caller. `mode` of the socket is 0660: the folder around it decides who reaches it. */
export function serveRpc(options: {
  path: string
  caller: string
  methods: Record<string, Method>
  log: Log
  gid?: number
}): Promise<RpcServer> {
  const { path, caller, methods, log } = options
  const sockets = new Set<Socket>()
  const table = new Map(Object.entries(methods)) // a Map: a method named like a property of Object does not exist
  rmSync(path, { force: true })
  const server = createServer(socket => {
    sockets.add(socket)
    const send = batchedWriter(socket)
    const read = frameReader(frame => void answer(callOf(frame), frame.bytes, table, send, caller, log), MAX_FRAME)
    socket.on('data', chunk => {
      try {
        read(chunk)
      } catch (error) {
        log.error('rpc.frame', { caller }, error)
        socket.destroy()
      }
    })
    socket.on('error', () => socket.destroy())
    socket.on('close', () => sockets.delete(socket))
  })
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, () => {
      if (options.gid !== undefined) chownSync(path, -1, options.gid)
      chmodSync(path, 0o660)
      resolve({
        close: () =>
          new Promise(done => {
            server.close(() => done())
            for (const socket of sockets) socket.destroy()
          }),
      })
    })
  })
}

type Call = { id: number; method: string; params: unknown }

/** Throws MALFORMED: whoever sends anything else is hung up on, before it can surprise a handler. */
function callOf({ header }: Frame): Call {
  const { id, method, params } = (header ?? {}) as Partial<Call>
  if (!Number.isSafeInteger(id) || typeof method !== 'string')
    throw new BulkheadError('MALFORMED', 'A frame that is not a call.')
  return { id: id!, method, params }
}

async function answer(
  { id, method, params }: Call,
  bytes: Buffer,
  table: Map<string, Method>,
  send: (data: Buffer) => void,
  caller: string,
  log: Log,
) {
  try {
    const run = table.get(method)
    if (!run) throw new BulkheadError('FORBIDDEN', `${caller} may not call ${method.slice(0, 40)} here.`)
    const result = await run(params, bytes)
    if (result instanceof RpcReply) send(encodeFrame({ id, result: result.result }, result.bytes))
    else send(encodeFrame({ id, result: result ?? null }))
  } catch (error) {
    if (!(error instanceof BulkheadError)) log.error('rpc.failed', { caller, method: method.slice(0, 40) }, error)
    send(encodeFrame({ id, error: publicError(error) }))
  }
}

const LONGEST_WAIT = 2 // ms

/** Joins what is written in one turn of the loop into one system call; where a turn is long, what is ready does not wait for the rest of it. */
export function batchedWriter(socket: Duplex): (data: Buffer) => void {
  let since: number | undefined
  return data => {
    if (socket.destroyed) return
    const now = performance.now()
    if (since === undefined) {
      since = now
      socket.cork()
      setImmediate(() => {
        since = undefined
        socket.uncork()
      })
    }
    socket.write(data)
    if (now - since < LONGEST_WAIT) return
    since = now
    socket.uncork()
    socket.cork()
  }
}

type Waiting = {
  resolve(value: { result: unknown; bytes: Buffer }): void
  reject(error: unknown): void
  timer: NodeJS.Timeout
}

/** Connects when first called and again after a loss; what was under way when the connection broke fails with UNAVAILABLE. */
export function rpcClient(options: { path: string; name: string; timeoutMs?: number }): RpcClient {
  const { path, name, timeoutMs = CALL_TIMEOUT } = options
  const waiting = new Map<number, Waiting>()
  let next = 0
  let link: { socket: Socket; send: (data: Buffer) => void } | undefined
  const away = (cause?: unknown) =>
    new BulkheadError('UNAVAILABLE', `The ${name} does not answer.`, {
      remedy: 'It restarts by itself; try again in a moment.',
      cause,
    })

  function connect() {
    const socket = createConnection(path)
    const settle = (frame: Frame) => {
      const { id, result, error } = frame.header as {
        id: number
        result?: unknown
        error?: { code: ErrorCode; message: string; remedy?: string }
      }
      const call = waiting.get(id)
      if (!call) return
      waiting.delete(id)
      clearTimeout(call.timer)
      if (error)
        call.reject(
          new BulkheadError(error.code, error.message, error.remedy === undefined ? {} : { remedy: error.remedy }),
        )
      else call.resolve({ result, bytes: frame.bytes })
    }
    const read = frameReader(settle, MAX_FRAME)
    socket.on('data', chunk => {
      try {
        read(chunk)
      } catch (cause) {
        socket.destroy(cause as Error)
      }
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      if (link?.socket === socket) link = undefined
      for (const [id, call] of waiting) {
        waiting.delete(id)
        clearTimeout(call.timer)
        call.reject(away())
      }
    })
    return { socket, send: batchedWriter(socket) }
  }

  function callBytes(method: string, params: unknown, bytes?: Uint8Array) {
    if (waiting.size >= MAX_WAITING) return Promise.reject(away())
    link ??= connect()
    const id = next++
    return new Promise<{ result: unknown; bytes: Buffer }>((resolve, reject) => {
      const timer = setTimeout(() => {
        waiting.delete(id)
        reject(away())
      }, timeoutMs)
      waiting.set(id, { resolve, reject, timer })
      link!.send(encodeFrame({ id, method, params }, bytes))
    })
  }
  return {
    callBytes,
    call: async (method, params, bytes) => (await callBytes(method, params, bytes)).result,
    close: () => link?.socket.destroy(),
  }
}
