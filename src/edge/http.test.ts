import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type ClientRequest, createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { BulkheadError } from '../base/errors.ts'
import { readBody } from './http.ts'

const MOST = 1000

/** What readBody made of one request; a client that hangs up gets no answer. */
async function read(
  t: { after(run: () => void): void },
  send: (asked: ClientRequest, seen: Promise<unknown>) => void,
  most = MOST,
) {
  const settled = Promise.withResolvers<string>()
  const server = createServer((asked: IncomingMessage, response: ServerResponse) => {
    readBody(asked, response, most)
      .then(body => body.toString())
      .catch((error: unknown) => (error instanceof BulkheadError ? error.code : 'INTERNAL'))
      .then(outcome => {
        settled.resolve(outcome)
        response.writeHead(200, { Connection: 'close' }).end(outcome)
      })
  }).listen(0, '127.0.0.1')
  t.after(() => void server.close())
  await new Promise(listening => server.once('listening', listening))
  const asked = request({ port: (server.address() as AddressInfo).port, method: 'PUT' })
  asked.on('error', () => {})
  send(asked, once(server, 'request'))
  return settled.promise
}

test('a body that comes in pieces is read whole', async t => {
  const body = await read(t, asked => {
    asked.write('one ')
    setImmediate(() => asked.end('two'))
  })
  assert.equal(body, 'one two')
})

test('no body is an empty body', async t => {
  assert.equal(await read(t, asked => asked.end()), '')
})

test('a body that says it is too long, and one that turns out to be, are not read', async t => {
  const long = 'x'.repeat(MOST + 1)
  assert.equal(await read(t, asked => asked.setHeader('Content-Length', long.length).end(long)), 'LIMIT')
  assert.equal(await read(t, asked => void [asked.write(long.slice(1)), asked.end('xx')]), 'LIMIT')
})

test('whoever hangs up in the middle is waited for no longer', async t => {
  const outcome = await read(t, (asked, seen) => {
    asked.setHeader('Content-Length', 10).write('five!')
    void seen.then(() => asked.destroy())
  })
  assert.equal(outcome, 'BAD_REQUEST')
})

test('what was refused is forgotten: it holds no memory against the next message', async t => {
  const mebibyte = 1024 * 1024
  const long = Buffer.alloc(mebibyte + 64 * 1024)
  for (let times = 0; times < 70; times++)
    assert.equal(await read(t, asked => void [asked.write(long), asked.end()], mebibyte), 'LIMIT')
  const allowed = 'x'.repeat(mebibyte)
  assert.equal(await read(t, asked => asked.end(allowed), mebibyte), allowed)
})
