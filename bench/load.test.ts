import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { run, runAtRate, type Step, windows } from './load.ts'
import { cutAnswer, requestBytes } from './wire.ts'

test('an answer is cut where its length says, and not before it is whole', () => {
  const whole = Buffer.from('HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nabc')
  for (let at = 0; at < whole.length; at++) assert.equal(cutAnswer(whole.subarray(0, at)), undefined)
  assert.deepEqual(cutAnswer(whole), { status: 200, body: Buffer.from('abc') })
})

test('every chain runs to its end, and what is not 200 is counted', async () => {
  let served = 0
  const server = createServer((request, response) => {
    request.resume()
    response.writeHead(++served % 10 === 0 ? 503 : 200, { 'Content-Length': 2 }).end('ok')
  }).listen(0, '127.0.0.1')
  await new Promise(settle => server.once('listening', settle))
  const { port } = server.address() as AddressInfo
  const request = requestBytes({ method: 'PUT', url: `http://127.0.0.1:${port}/x` }, Buffer.from('body'))
  let left = 50
  const next = (): Step | undefined => {
    let asked = 0
    return left-- > 0 ? () => (asked++ < 2 ? request : undefined) : undefined
  }
  const measured = await run({ host: '127.0.0.1', port, connections: 4, next, until: 5000 })
  server.close()
  assert.equal(measured.requests, 100)
  assert.deepEqual(measured.failures, { 503: 10 })
})

test('the rate of each thousand shows a slowdown', () => {
  const ends = Array.from({ length: 2000 }, (_, at) => (at < 1000 ? at + 1 : 1000 + (at - 999) * 2))
  assert.deepEqual(windows(ends), [1000, 500])
})

test('at a fixed rate, what waits for a connection is measured from when it was due', async () => {
  const served = 50 // ms each, one after the other: the twentieth has waited for nineteen
  const server = createServer((request, response) => {
    request.resume()
    setTimeout(() => response.writeHead(200, { 'Content-Length': 2 }).end('ok'), served)
  }).listen(0, '127.0.0.1')
  await new Promise(settle => server.once('listening', settle))
  const { port } = server.address() as AddressInfo
  const request = requestBytes({ method: 'PUT', url: `http://127.0.0.1:${port}/x` })
  const next = (): Step => answer => (answer ? undefined : request)
  const measured = await runAtRate({ host: '127.0.0.1', port, connections: 1, next, until: 200 }, 100)
  server.close()
  assert.equal(measured.requests, 20)
  assert.ok(measured.p99 > 20 * served - 200 - served, `p99 ${measured.p99} ms`)
})
