import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { BulkheadError } from './errors.ts'
import { encodeFrame } from './frame.ts'
import { type Log, silentLog } from './log.ts'
import { type Method, RpcReply, rpcClient, serveRpc } from './rpc.ts'

const place = mkdtempSync(join(tmpdir(), 'bhrpc-'))
after(() => rmSync(place, { recursive: true, force: true }))
let sockets = 0

async function world(
  methods: Record<string, Method>,
  { log = silentLog, timeoutMs }: { log?: Log; timeoutMs?: number } = {},
) {
  const path = join(place, String(sockets++))
  const start = () => serveRpc({ path, caller: 'edge', methods, log })
  let server = await start()
  const client = rpcClient({ path, name: 'vault', ...(timeoutMs === undefined ? {} : { timeoutMs }) })
  return {
    path,
    client,
    stop: () => server.close(),
    start: async () => {
      server = await start()
    },
    close: async () => {
      client.close()
      await server.close()
    },
  }
}

test('a call carries parameters and bytes, and so does its answer', async () => {
  const { client, close } = await world({
    echo: async (params, bytes) => new RpcReply({ params }, Buffer.from(bytes).reverse()),
    nothing: async () => undefined,
  })
  const answer = await client.callBytes('echo', { a: [1, 'ü'] }, Buffer.from([1, 2, 3]))
  assert.deepEqual(answer, { result: { params: { a: [1, 'ü'] } }, bytes: Buffer.from([3, 2, 1]) })
  assert.equal(await client.call('nothing', {}), null)
  await close()
})

test('answers find their calls, in whatever order they come', async () => {
  const open: (() => void)[] = []
  const { client, close } = await world({
    wait: params => new Promise(resolve => open.push(() => resolve(params))),
    now: async params => params,
  })
  const slow = [client.call('wait', 1), client.call('wait', 2)]
  assert.equal(await client.call('now', 3), 3)
  for (const end of open.reverse()) end()
  assert.deepEqual(await Promise.all(slow), [1, 2])
  await close()
})

test('a method that is not in the table does not exist, whatever Object calls its own', async () => {
  const { client, close } = await world({ known: async () => 1 })
  for (const method of ['unknown', 'constructor', '__proto__', 'toString', 'hasOwnProperty', '', 'KNOWN', 'known '])
    await assert.rejects(client.call(method, {}), { code: 'FORBIDDEN', message: `edge may not call ${method} here.` })
  await close()
})

test('an error of ours keeps its code and remedy; any other is generic text outside and whole in the log', async () => {
  const logged: unknown[] = []
  const log: Log = { info: () => {}, error: (event, fields, cause) => logged.push([event, fields, cause]) }
  const secret = new Error('the password is swordfish')
  const { client, close } = await world(
    {
      ours: async () => {
        throw new BulkheadError('LIMIT', 'Too many.', { remedy: 'Wait.' })
      },
      theirs: async () => {
        throw secret
      },
    },
    { log },
  )
  await assert.rejects(client.call('ours', {}), { code: 'LIMIT', message: 'Too many.', remedy: 'Wait.' })
  await assert.rejects(client.call('theirs', {}), (error: BulkheadError) => {
    assert.equal(error.code, 'INTERNAL')
    assert.doesNotMatch(`${error.message}${error.remedy}`, /swordfish/)
    return true
  })
  assert.deepEqual(logged, [['rpc.failed', { caller: 'edge', method: 'theirs' }, secret]])
  await close()
})

test('where nobody listens the call fails at once, and the next one connects anew', async () => {
  const { client, stop, start, close } = await world({ now: async () => 1 })
  assert.equal(await client.call('now', {}), 1)
  await stop()
  await assert.rejects(client.call('now', {}), { code: 'UNAVAILABLE' })
  await assert.rejects(client.call('now', {}), { code: 'UNAVAILABLE', message: 'The vault does not answer.' })
  await start()
  assert.equal(await client.call('now', {}), 1)
  await close()
})

test('what was under way when the connection broke fails and does not hang', async () => {
  const begun = Promise.withResolvers<void>()
  const { client, stop, close } = await world({
    never: () => {
      begun.resolve()
      return new Promise(() => {})
    },
  })
  const call = assert.rejects(client.call('never', {}), { code: 'UNAVAILABLE' })
  await begun.promise
  await stop()
  await call
  await close()
})

test('a call that is not answered in time fails, and its late answer is nobody’s', async () => {
  const ends: (() => void)[] = []
  const { client, close } = await world(
    { late: params => new Promise(resolve => ends.push(() => resolve(params))), now: async params => params },
    { timeoutMs: 20 },
  )
  await assert.rejects(client.call('late', 1), { code: 'UNAVAILABLE' })
  ends[0]!()
  assert.equal(await client.call('now', 2), 2)
  await close()
})

/** Sends bytes as a captured caller would; resolves when the other end hangs up. */
async function hangsUpOn(path: string, bytes: Buffer) {
  const socket = createConnection(path)
  socket.on('error', () => {})
  socket.write(bytes)
  socket.resume()
  await once(socket, 'close')
}

test('whoever does not speak our frames is hung up on, and nobody else notices', async () => {
  const { client, path, close } = await world({ now: async () => 1 })
  assert.equal(await client.call('now', {}), 1)
  for (const bytes of [
    Buffer.from('GET / HTTP/1.1\r\n\r\n'),
    Buffer.from('ffffffff', 'hex'),
    Buffer.from('00000000', 'hex'),
    Buffer.from('0000000400000000', 'hex'),
  ])
    await hangsUpOn(path, bytes)
  assert.equal(await client.call('now', {}), 1)
  await close()
})

test('a header that is no call is hung up on as well, and the process lives', async () => {
  const { client, path, close } = await world({ now: async () => 1 })
  for (const header of [null, 1, 'now', [], true]) await hangsUpOn(path, encodeFrame(header))
  assert.equal(await client.call('now', {}), 1)
  await close()
})

test('the socket is open to its owner and group alone', async () => {
  const { path, close } = await world({})
  assert.equal(statSync(path).mode & 0o777, 0o660)
  await close()
})
