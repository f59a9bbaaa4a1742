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

type Link = { socket: Socket; send(id: number, frame: Buffer): void; answers: number; silences: number }
type Waiting = {
  frame: Buffer
  /** Where it was sent, and how many answers had come from there by then. */
  link?: Link
  after?: number
  resolve(value: unknown): void
  reject(error: unknown): void
  timer: NodeJS.Timeout
}

const MAX_FRAME = 24 * 1024 * 1024
const MAX_WAITING = 5_000
const MAX_BYTES = 64 * 1024 * 1024
const SMALL = 64 * 1024 // never refused for the large ones that wait before it
const TIMEOUT = 5_000
const MOST_SILENCES = 3
const REPLACED_WITHIN = 15_000

/**
 * The asker's side. Only what was under way in an intake that died fails; what had not been sent waits for the next one.
 * An intake that lets three messages time out and answers none meanwhile is hung up on, so that a fresh one takes its place.
 * `abandoned`: none came, since the one that was sent away hangs, or stays against its word.
 */
export function createIntakeClient(abandoned: () => void = () => {}): Intake {
  const sent = new Map<number, Waiting>()
  const unsent = new Map<number, Waiting>()
  let next = 1
  let asked = 0
  let bytesWaiting = 0
  let current: Link | undefined
  let replaced: NodeJS.Timeout | undefined

  function settle(frame: Frame, from: Link) {
    const { id, result, error } = frame.header as IntakeAnswer
    if (id === -1) {
      from.socket.end()
      return awaitNext(from)
    }
    from.answers++
    from.silences = 0
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
    const link: Link = {
      socket,
      answers: 0,
      silences: 0,
      send(id: number, frame: Buffer) {
        mine.add(id)
        write(frame)
      },
    }
    const read = frameReader(frame => {
      mine.delete((frame.header as IntakeAnswer).id)
      settle(frame, link)
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
    clearTimeout(replaced)
    current = link
    for (const [id, waiting] of unsent) {
      unsent.delete(id)
      give(id, waiting, link)
    }
  }

  function give(id: number, waiting: Waiting, link: Link) {
    sent.set(id, Object.assign(waiting, { link, after: link.answers }))
    link.send(id, waiting.frame)
  }

  function timedOut(id: number) {
    const { link, after } = sent.get(id) ?? {}
    fail(id)
    // One that is only slow has answered others meanwhile.
    if (!link || link.answers !== after || ++link.silences < MOST_SILENCES || link.socket.destroyed) return
    link.socket.destroy()
    awaitNext(link)
  }

  function awaitNext(after: Link) {
    if (current !== after) return
    current = undefined
    replaced = setTimeout(abandoned, REPLACED_WITHIN)
    replaced.unref()
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
        const timer = setTimeout(() => timedOut(id), TIMEOUT)
        const waiting: Waiting = { frame, resolve: resolve as (value: unknown) => void, reject, timer }
        if (current) give(id, waiting, current)
        else unsent.set(id, waiting)
      })
    },
  }
}
