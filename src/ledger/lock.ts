import { rmSync } from 'node:fs'
import { createConnection, createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { BulkheadError } from '../base/errors.ts'

/**
 * One process a store: two would sign two pasts. A socket, not a file with a number in it: the system itself tells whether its owner lives,
 * also after a kill and after a restart of the machine.
 */
export async function lockStore(dir: string): Promise<{ release(): Promise<void> }> {
  const path = join(dir, 'lock')
  if (Buffer.byteLength(path) > 100)
    throw new BulkheadError('HOME_UNUSABLE', 'The path of the ledger is too long for a socket.')
  if (await answers(path))
    throw new BulkheadError('UNAVAILABLE', 'Another ledger runs on this store.', { remedy: 'Stop it first.' })
  rmSync(path, { force: true })
  const server = await listen(path)
  return { release: () => new Promise(done => server.close(() => done())) }
}

function answers(path: string): Promise<boolean> {
  return new Promise(resolve => {
    const socket = createConnection(path)
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}

function listen(path: string): Promise<Server> {
  const server = createServer(socket => socket.destroy())
  return new Promise((resolve, reject) => {
    server.once('error', cause =>
      reject(new BulkheadError('UNAVAILABLE', 'The store of the ledger cannot be locked.', { cause })),
    )
    server.listen(path, () => resolve(server))
  })
}
