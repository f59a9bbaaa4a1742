import { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { BulkheadError, publicError } from '../base/errors.ts'
import { encodeFrame, type Frame, frameReader } from '../base/frame.ts'
import { batchedWriter } from '../base/rpc.ts'
import type { DeviceRequest, IntakeAsk } from './api.ts'
import { decodeDevice } from './device.ts'
import { decodeScep, decodeScepRequest } from './scep.ts'

// Rules of this process: it owns nothing but its standard streams; it keeps nothing between messages but decoded certificates,
// and after RECYCLE_AFTER messages it makes room for a fresh one, so whoever got in does not stay.

export const RECYCLE_AFTER = 250_000
const MAX_FRAME = 12 * 1024 * 1024
const MAX_ANSWER = 8 * 1024 * 1024 // the asker hangs up on 24: that would take everybody's messages with it

function decode({ method, params }: IntakeAsk, bytes: Buffer): unknown {
  if (method === 'device') return decodeDevice(params as DeviceRequest, bytes)
  if (method === 'scep') return decodeScep(bytes)
  if (method === 'request') return decodeScepRequest(bytes)
  throw new BulkheadError('BAD_REQUEST', 'Intake has no such method.')
}

export function answer(frame: Frame): Buffer {
  const ask = frame.header as IntakeAsk
  try {
    const said = encodeFrame({ id: ask.id, result: decode(ask, frame.bytes) })
    if (said.length > MAX_ANSWER) throw new BulkheadError('LIMIT', 'The message is too long once it is read.')
    return said
  } catch (error) {
    const { code, message } = publicError(error)
    return encodeFrame({ id: ask.id, error: { code, message } })
  }
}

/** Serves on descriptor 0, which is one end of a socket pair: what comes in is asked, what goes out is answered. */
export function startIntake(end: (code: number) => void, recycleAfter = RECYCLE_AFTER): void {
  serveIntake(new Socket({ fd: 0, readable: true, writable: true }), end, recycleAfter)
}

export function serveIntake(socket: Duplex, end: (code: number) => void, recycleAfter = RECYCLE_AFTER): void {
  const send = batchedWriter(socket)
  let served = 0
  const read = frameReader(frame => {
    send(answer(frame))
    // The asker sends nothing more once it reads this, and ends the stream; what is on its way is still answered.
    if (++served === recycleAfter) send(encodeFrame({ id: -1, result: 'retire' }))
  }, MAX_FRAME)
  socket.on('data', chunk => {
    try {
      read(chunk)
      if (socket.writableNeedDrain) socket.pause() // answers that nobody takes do not pile up here
    } catch {
      end(1) // the parent itself is out of step: a fresh start is the only way back
    }
  })
  socket.on('drain', () => socket.resume())
  socket.on('end', () => socket.end(() => end(0)))
  socket.on('error', () => end(1))
  socket.on('close', () => end(0))
}
