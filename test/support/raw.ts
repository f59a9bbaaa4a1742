import { once } from 'node:events'
import type { Server } from 'node:http'
import { type AddressInfo, connect as connectPlain } from 'node:net'
import { connect as connectTls } from 'node:tls'

const GUARD_MS = 20_000

export type Place = { port: number; tls?: boolean }

/** Everything that comes back for these bytes until the other end hangs up. `end`: whether the sender says that it is done. */
export async function raw({ port, tls = false }: Place, bytes: string | Buffer, end = false): Promise<Buffer> {
  const to = { port, host: '127.0.0.1' }
  const socket = tls ? connectTls({ ...to, rejectUnauthorized: false }) : connectPlain(to)
  const chunks: Buffer[] = []
  socket.on('data', (chunk: Buffer) => chunks.push(chunk))
  socket.on('error', () => {}) // hung up on while it was still talking: what came before counts
  socket.setTimeout(GUARD_MS, () => socket.destroy(new Error('silence')))
  const closed = new Promise<void>(resolve => socket.once('close', () => resolve()))
  await Promise.race([once(socket, tls ? 'secureConnect' : 'connect'), closed])
  if (end) socket.end(bytes)
  else socket.write(bytes)
  await closed
  return Buffer.concat(chunks)
}

/** One request by its target exactly as written; the connection is closed after it. */
export const ask = (place: Place, method: string, target: string, headers: readonly string[] = []): Promise<Buffer> =>
  raw(
    place,
    `${[`${method} ${target} HTTP/1.1`, 'Host: localhost', 'Connection: close', ...headers].join('\r\n')}\r\n\r\n`,
  )

/** The answer without the one line that time changes. */
export const timeless = (answer: Buffer): string => answer.toString('latin1').replace(/\r\ndate: [^\r]*/i, '')

export async function listening(server: Server): Promise<number> {
  if (!server.listening) await once(server.listen(0, '127.0.0.1'), 'listening')
  return (server.address() as AddressInfo).port
}
