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
    readBody(asked, response, most, 'a sender')
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

const LARGE = Buffer.alloc(70_000)

const turn = () => new Promise(resolve => setImmediate(resolve))

/** Bodies of a megabyte that are begun and not ended; `outcomes` in the order in which they came. */
async function unfinished(t: { after(run: () => void): void }) {
  const outcomes: string[] = []
  let received = 0
  const server = createServer((asked, response) => {
    readBody(asked, response, 1_000_000, asked.url!)
      .then(
        () => 'read',
        ({ code }: BulkheadError) => code,
      )
      .then(outcome => {
        outcomes.push(`${asked.url} ${outcome}`)
        response.end()
      })
    asked.on('data', chunk => {
      received += chunk.length
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.after(() => {
    server.close()
    server.closeAllConnections()
  })
  const { port } = server.address() as AddressInfo
  const settled = async (count: number) => {
    for (let turns = 0; turns < 100_000 && outcomes.length < count; turns++) await turn()
    return outcomes
  }
  return {
    outcomes,
    settled,
    /** Returns once the server has what was sent, or no longer wants it. */
    async begin(path: string, bytes = LARGE) {
      const before = { received, outcomes: outcomes.length }
      const asked = request({ port, path, method: 'PUT', headers: { 'Content-Length': 1_000_000 } })
      asked.on('error', () => {})
      asked.write(bytes)
      while (received - before.received < bytes.length && outcomes.length === before.outcomes) await turn()
      return asked
    },
  }
}

test('one sender has two large bodies under way, and a third one waits; small ones and others do not', async t => {
  const { begin, outcomes, settled } = await unfinished(t)
  const first = await begin('/a')
  await begin('/a')
  await begin('/a', LARGE.subarray(10_000))
  await begin('/b')
  assert.deepEqual(outcomes, [])
  await begin('/a')
  assert.deepEqual(await settled(1), ['/a UNAVAILABLE'])
  first.destroy()
  assert.deepEqual((await settled(2)).slice(1), ['/a BAD_REQUEST'])
  await begin('/a')
  assert.equal(outcomes.length, 2)
})

test('a large body of which nothing more comes for half a minute is given up', async t => {
  const { begin, outcomes, settled } = await unfinished(t)
  t.mock.timers.enable({ apis: ['setTimeout'] })
  await begin('/a')
  t.mock.timers.tick(29_999)
  await turn()
  assert.deepEqual(outcomes, [])
  t.mock.timers.tick(1)
  assert.deepEqual(await settled(1), ['/a BAD_REQUEST'])
})

test('a request that was given up before anybody listened is not waited for', async () => {
  const gone = { destroyed: true, headers: {} } as IncomingMessage
  await assert.rejects(readBody(gone, {} as ServerResponse, MOST, 'a sender'), { code: 'BAD_REQUEST' })
})
