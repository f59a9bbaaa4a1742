import assert from 'node:assert/strict'
import { randomBytes, randomUUID } from 'node:crypto'
import { request as ask, type ClientRequest, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { after, before, beforeEach, test } from 'node:test'
import { BulkheadError } from '../base/errors.ts'
import { silentLog } from '../base/log.ts'
import { encodeToken } from '../trust/token.ts'
import type { Context } from './context.ts'
import { createEdgeServer } from './server.ts'

// What stands before a device's message is read, and what is noted when it fails. What is said to the real parts is in the scenarios.

const pathKey = randomBytes(32)
const path = randomUUID()
const url = `/d/${encodeToken('device', path, pathKey)}/connect`
let enrolled: number
let failure: Error
let missed: string[]
const context = {
  pathKey,
  log: silentLog,
  trace: () => {},
  identities: { ofPath: async () => new Map(Array.from({ length: enrolled }, (_, n) => [String(n), { voucher: {} }])) },
  trusted: { roster: { keys: { seal: '' }, units: [] } },
  writeback: { missed: (id: string) => missed.push(id) },
  intake: { ask: async () => Promise.reject(failure) },
} as unknown as Context
const server = createEdgeServer({ context, publicUrl: 'http://x', trustedProxy: undefined })

before(() => new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve)))
after(() => {
  server.close()
  server.closeAllConnections()
})
beforeEach(() => {
  enrolled = 1
  failure = new BulkheadError('UNAVAILABLE', 'Away.')
  missed = []
})

/** The status; what `send` leaves unsent is never sent. */
function put(headers: Record<string, string>, send: (asked: ClientRequest) => void): Promise<number> {
  const { port } = server.address() as AddressInfo
  return new Promise((resolve, reject) => {
    const asked = ask({ port, path: url, method: 'PUT', headers }, (answer: IncomingMessage) => {
      resolve(answer.statusCode!)
      asked.destroy()
    })
    asked.on('error', reject)
    send(asked)
  })
}
const signed = { 'Mdm-Signature': 'c2lnbmVk' }
const unfinished = (headers: Record<string, string>) =>
  put({ ...headers, 'Content-Length': '4000000' }, asked => asked.write('a beginning'))
const whole = () => put(signed, asked => asked.end('a message'))

test('a message that proves nobody is refused before it is read, and so is one at URLs where nobody is enrolled', async () => {
  assert.equal(await unfinished({}), 403)
  enrolled = 0
  assert.equal(await unfinished(signed), 403)
  assert.deepEqual(missed, [])
})

test('a device that is told to come back is woken later; one whose message failed for another reason is not', async () => {
  assert.equal(await whole(), 503)
  assert.deepEqual(missed, [path])
  failure = new Error('a fault of ours')
  assert.equal(await whole(), 500)
  failure = new BulkheadError('MALFORMED', 'Not a message.')
  assert.equal(await whole(), 400)
  enrolled = 0
  failure = new BulkheadError('UNAVAILABLE', 'Away.')
  assert.equal(await whole(), 403)
  assert.deepEqual(missed, [path])
})
