import type { Socket } from 'node:net'
import { BulkheadError } from '../base/errors.ts'
import { encodeFrame, type Frame, frameReader } from '../base/frame.ts'
import { batchedWriter } from '../base/rpc.ts'
import type { IntakeAnswer, IntakeMethods } from './api.ts'

type Method = keyof IntakeMethods
export type Intake = {
  /** Takes the other end of an intake's standard input; what waits goes there at once. */
  attach(socket: Socket): void
  /** Throws the decoder's error, or UNAVAILABLE when intake died over it or none came in time. */
  ask<M extends Method>(
    method: M,
    params: IntakeMethods[M]['ask'],
    bytes: Uint8Array,
  ): Promise<IntakeMethods[M]['answer']>
  readonly asked: number
}

type Waiting = { frame: Buffer; resolve(value: unknown): void; reject(error: unknown): void; timer: NodeJS.Timeout }

const MAX_FRAME = 24 * 1024 * 1024
const MAX_WAITING = 5_000
const MAX_BYTES = 64 * 1024 * 1024
const SMALL = 64 * 1024 // never refused for the large ones that wait before it
const TIMEOUT = 5_000

/** The asker's side. Only what was under way in an intake that died fails; what had not been sent waits for the next one. */
export function createIntakeClient(): Intake {
  const sent = new Map<number, Waiting>()
  const unsent = new Map<number, Waiting>()
  let next = 1
  let asked = 0
  let bytesWaiting = 0
  let current: { socket: Socket; send(id: number, frame: Buffer): void } | undefined

  function settle(frame: Frame, from: Socket) {
    const { id, result, error } = frame.header as IntakeAnswer
    if (id === -1) {
      if (current?.socket === from) current = undefined
      from.end()
      return
    }
    const waiting = sent.get(id)
    if (!waiting) return
    sent.delete(id)
    bytesWaiting -= waiting.frame.length
    clearTimeout(waiting.timer)
    if (error) waiting.reject(new BulkheadError(error.code, error.message))
    else waiting.resolve(result)
  }

  function attach(socket: Socket) {
    const mine = new Set<number>()
    const write = batchedWriter(socket)
    const link = {
      socket,
      send(id: number, frame: Buffer) {
        mine.add(id)
        write(frame)
      },
    }
    const read = frameReader(frame => {
      mine.delete((frame.header as IntakeAnswer).id)
      settle(frame, socket)
    }, MAX_FRAME)
    socket.on('data', chunk => {
      try {
        read(chunk)
      } catch (cause) {
        socket.destroy(cause as Error) // it does not speak our frames any more: treat it as dead
      }
    })
    socket.on('error', () => {})
    socket.on('close', () => {
      if (current === link) current = undefined
      for (const id of mine) fail(id)
    })
    current = link
    for (const [id, waiting] of unsent) {
      unsent.delete(id)
      sent.set(id, waiting)
      link.send(id, waiting.frame)
    }
  }

  function fail(id: number) {
    const waiting = sent.get(id) ?? unsent.get(id)
    if (!waiting) return
    sent.delete(id)
    unsent.delete(id)
    bytesWaiting -= waiting.frame.length
    clearTimeout(waiting.timer)
    waiting.reject(
      new BulkheadError('UNAVAILABLE', 'The message could not be read.', { remedy: 'Send it again in a moment.' }),
    )
  }

  return {
    attach,
    get asked() {
      return asked
    },
    ask(method, params, bytes) {
      const full = bytes.length > SMALL && bytesWaiting + bytes.length > MAX_BYTES
      if (full || sent.size + unsent.size >= MAX_WAITING)
        return Promise.reject(new BulkheadError('UNAVAILABLE', 'Too many messages wait to be read.'))
      const id = next++
      asked++
      const frame = encodeFrame({ id, method, params }, bytes)
      bytesWaiting += frame.length
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => fail(id), TIMEOUT)
        const waiting: Waiting = { frame, resolve: resolve as (value: unknown) => void, reject, timer }
        if (current) {
          sent.set(id, waiting)
          current.send(id, frame)
        } else unsent.set(id, waiting)
      })
    },
  }
}
