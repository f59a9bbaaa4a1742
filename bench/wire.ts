import { connect, type Socket } from 'node:net'

/** An answer. `body` is a view into the receiving buffer: use it before you return. */
export type Answer = { status: number; body: Buffer }
export type Connection = { ask(request: Buffer, onAnswer: (answer: Answer) => void): void; close(): void }

const HEAD_END = Buffer.from('\r\n\r\n')
const LENGTH = /\r\ncontent-length: *(\d+)/i

/**
 * As little HTTP as will do: a socket that is kept, requests that are ready, answers cut by Content-Length. The generator
 * shares two cores with what it measures. One request at a time; a broken connection is answered with status 0.
 */
export function openConnection(host: string, port: number): Promise<Connection> {
  const socket = connect({ host, port, noDelay: true })
  let waiting: ((answer: Answer) => void) | undefined
  let held: Buffer | undefined
  const answer = (result: Answer) => {
    const settle = waiting
    waiting = undefined
    settle?.(result)
  }
  socket.on('data', (chunk: Buffer) => {
    const data = held ? Buffer.concat([held, chunk]) : chunk
    const cut = cutAnswer(data)
    held = cut ? undefined : data
    if (cut) answer(cut)
  })
  socket.on('close', () => answer({ status: 0, body: Buffer.alloc(0) }))
  return opened(socket).then(() => ({
    ask(request, onAnswer) {
      waiting = onAnswer
      if (socket.destroyed) setImmediate(() => answer({ status: 0, body: Buffer.alloc(0) }))
      else socket.write(request)
    },
    close: () => socket.destroy(),
  }))
}

function opened(socket: Socket): Promise<void> {
  return new Promise((settle, reject) => {
    socket.once('connect', () => {
      socket.off('error', reject)
      socket.on('error', () => socket.destroy())
      settle()
    })
    socket.once('error', reject)
  })
}

/** Undefined while the answer is not whole. An answer without Content-Length is taken for one without a body. */
export function cutAnswer(data: Buffer): Answer | undefined {
  const end = data.indexOf(HEAD_END)
  if (end < 0) return undefined
  const length = Number(LENGTH.exec(data.toString('latin1', 0, end))?.[1] ?? 0)
  const start = end + HEAD_END.length
  if (data.length < start + length) return undefined
  return { status: Number(data.toString('latin1', 9, 12)), body: data.subarray(start, start + length) }
}

export type Head = { method: string; url: string; headers?: Record<string, string> }

/** The bytes of a whole request. */
export function requestBytes({ method, url, headers = {} }: Head, body: Uint8Array = Buffer.alloc(0)): Buffer {
  const { pathname, search, host } = new URL(url)
  const lines = Object.entries({ Host: host, 'Content-Length': String(body.length), ...headers }).map(
    ([name, value]) => `${name}: ${value}`,
  )
  return Buffer.concat([
    Buffer.from(`${method} ${pathname}${search} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`, 'latin1'),
    body,
  ])
}
