import assert from 'node:assert/strict'
import { createHash, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, request, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { isoCBOR } from '@simplewebauthn/server/helpers'
import { silentLog } from '../base/log.ts'
import { type App, startApp } from './server.ts'
import type { Owner } from './setup.ts'

const folder = mkdtempSync(join(tmpdir(), 'bulkhead-app-'))
const urls = (consoleUrl: string) => ({ edge: '', console: consoleUrl, app: '', ledger: '', edgeTls: '' })
const genesisDigest = 'ab'.repeat(32)
const http = { host: '127.0.0.1', port: 0 }
let backend: Server
let app: App
let setupApp: App
const owners: Owner[] = []

before(async () => {
  mkdirSync(join(folder, 'assets'))
  writeFileSync(join(folder, 'index.html'), '<!doctype html><title>app</title>')
  writeFileSync(join(folder, 'assets/index-abc.js'), 'export {}')
  backend = createServer((asked, answer) => {
    const chunks: Buffer[] = []
    asked.on('data', chunk => chunks.push(chunk))
    asked.on('end', () => {
      const { headers, method, url } = asked
      answer.writeHead(201, {
        'content-type': 'application/json',
        'set-cookie': 'a=b',
        'access-control-allow-origin': '*',
      })
      answer.end(JSON.stringify({ method, url, headers, body: Buffer.concat(chunks).toString() }))
    })
  })
  await new Promise<void>(resolve => backend.listen(0, '127.0.0.1', resolve))
  const console = `http://127.0.0.1:${(backend.address() as AddressInfo).port}`
  const common = { log: silentLog, onSetup: (owner: Owner) => void owners.push(owner) }
  app = await startApp({ ...common, config: { listen: { http }, urls: urls(console), webDir: folder, genesisDigest } })
  const config = { listen: { http }, urls: urls(console), webDir: folder, genesisDigest, setup: { code: 'abcd2345' } }
  setupApp = await startApp({ ...common, config })
})
after(async () => {
  await Promise.all([app.close(), setupApp.close()])
  backend.close()
  backend.closeAllConnections()
  rmSync(folder, { recursive: true })
})

type Options = { method?: string; headers?: Record<string, string>; body?: string; on?: App }
type Answer = { status: number; headers: Record<string, unknown>; text: string }

function ask(path: string, { method = 'GET', headers = {}, body, on = app }: Options = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const host = `localhost:${on.port}`
    const asked = request({ port: on.port, host: '127.0.0.1', path, method, headers: { host, ...headers } }, answer => {
      const chunks: Buffer[] = []
      answer.on('data', chunk => chunks.push(chunk))
      answer.on('end', () =>
        resolve({ status: answer.statusCode!, headers: answer.headers, text: Buffer.concat(chunks).toString() }),
      )
    })
    asked.on('error', reject)
    asked.end(body)
  })
}

test('every answer forbids what is not the app’s own', async () => {
  for (const path of ['/', '/devices', '/nothing.png', '/api/devices']) {
    const { headers } = await ask(path)
    const policy = String(headers['content-security-policy'])
    assert.match(policy, /script-src 'self';.*require-trusted-types-for 'script'/, path)
    assert.doesNotMatch(policy, /unsafe|\*/)
    assert.equal(headers['x-content-type-options'], 'nosniff')
    assert.equal(headers['access-control-allow-origin'], undefined)
    assert.equal(headers['set-cookie'], undefined)
  }
})

test('the app’s routes are its one page, its files are themselves, and anything else is not there', async () => {
  assert.match((await ask('/')).text, /doctype/)
  assert.match((await ask('/orders/3f2a-x')).text, /doctype/)
  const script = await ask('/assets/index-abc.js')
  assert.deepEqual([script.text, script.headers['content-type']], ['export {}', 'text/javascript; charset=utf-8'])
  const etag = String(script.headers.etag)
  assert.equal((await ask('/assets/index-abc.js', { headers: { 'if-none-match': etag } })).status, 304)
  for (const path of [
    '/assets/none.js',
    '/../package.json',
    '/%2e%2e/package.json',
    '/..%2fpackage.json',
    '//etc/passwd.txt',
  ])
    assert.equal((await ask(path)).status, 404, path)
  assert.equal((await ask('/', { method: 'POST' })).status, 404)
})

test('what goes to the console is the request without cookies, and nothing else adds to it', async () => {
  const answer = await ask('/api/orders?kind=order', {
    method: 'POST',
    headers: {
      authorization: 'Bearer x',
      cookie: 'a=b',
      'x-forwarded-for': '1.2.3.4',
      'content-type': 'application/json',
      origin: `http://localhost:${app.port}`,
    },
    body: '{"a":1}',
  })
  assert.equal(answer.status, 201)
  const seen = JSON.parse(answer.text)
  assert.deepEqual([seen.method, seen.url, seen.body], ['POST', '/api/orders?kind=order', '{"a":1}'])
  assert.equal(seen.headers.authorization, 'Bearer x')
  for (const name of ['cookie', 'x-forwarded-for', 'origin']) assert.equal(seen.headers[name], undefined, name)
})

test('another name for this machine, and another page, get nothing', async () => {
  assert.equal((await ask('/api/devices', { headers: { host: `evil.example:${app.port}` } })).status, 403)
  const foreign = { method: 'POST', headers: { origin: 'https://evil.example' } }
  assert.equal((await ask('/api/session/challenge', foreign)).status, 403)
  assert.equal((await ask('/setup', { ...foreign, on: setupApp })).status, 403)
})

test('a request too large for the console is refused here', async () => {
  const headers = { 'content-length': String(25 * 1024 * 1024) }
  assert.equal((await ask('/api/orders', { method: 'POST', headers })).status, 413)
})

test('with the console away the app says so and stays', async () => {
  const lonely = await startApp({
    config: { listen: { http }, urls: urls('http://127.0.0.1:1'), webDir: folder, genesisDigest },
    log: silentLog,
  })
  const answer = await ask('/api/devices', { on: lonely })
  assert.deepEqual([answer.status, JSON.parse(answer.text).code], [503, 'UNAVAILABLE'])
  assert.equal((await ask('/', { on: lonely })).status, 200)
  await lonely.close()
})

test('localhost is ours on both loopback addresses, and where one is taken the app does not start', async t => {
  const other = createServer().listen(0, '::1')
  const bound = await new Promise(done => other.once('listening', () => done(true)).once('error', () => done(false)))
  if (!bound) return t.skip('this machine has no IPv6')
  const { port } = other.address() as AddressInfo
  const config = { listen: { http: { host: '127.0.0.1', port } }, urls: urls(''), webDir: folder, genesisDigest }
  await assert.rejects(startApp({ config, log: silentLog }), { code: 'PORT_BUSY' })
  await new Promise(resolve => other.close(resolve))
  const both = await startApp({ config, log: silentLog })
  for (const host of ['127.0.0.1', '[::1]'])
    assert.match(await (await fetch(`http://${host}:${port}/`)).text(), /doctype/, host)
  await both.close()
})

test('an app that is not built does not start', async () => {
  const config = { listen: { http }, urls: urls(''), webDir: join(folder, 'none'), genesisDigest }
  await assert.rejects(startApp({ config, log: silentLog }), { code: 'MISSING_PART' })
})

test('the page learns what to pin from this machine’s own configuration, and not from the console', async () => {
  const { text, headers } = await ask('/genesis')
  assert.deepEqual(JSON.parse(text), { genesisDigest })
  assert.equal(headers['cache-control'], 'no-store')
  assert.equal(JSON.parse((await ask('/genesis', { on: setupApp })).text).code, 'NOT_INITIALISED')
})

test('set-up is there only while nobody owns the installation, and the console is not', async () => {
  assert.match((await ask('/setup/options')).text, /doctype/) // one of the app's routes, and nothing more
  assert.equal((await ask('/setup', { method: 'POST' })).status, 404)
  const answer = await ask('/api/roster', { on: setupApp })
  assert.deepEqual([answer.status, JSON.parse(answer.text).code], [503, 'NOT_INITIALISED'])
})

// A registration as an authenticator makes it (Web Authentication Level 3, section 6.5), attestation "none".
type Made = { origin?: string; flags?: number; key?: KeyObject; kind?: 'ES256' | 'EdDSA' }
function register(
  challenge: string,
  { origin = `http://localhost:${setupApp.port}`, flags = 0x45, kind = 'ES256' }: Made = {},
) {
  const { publicKey } =
    kind === 'ES256' ? generateKeyPairSync('ec', { namedCurve: 'P-256' }) : generateKeyPairSync('ed25519')
  const { x, y } = publicKey.export({ format: 'jwk' })
  const bytes = (text: string | undefined) => new Uint8Array(Buffer.from(text ?? '', 'base64url'))
  const cose: Map<number, number | Uint8Array> =
    kind === 'ES256'
      ? new Map<number, number | Uint8Array>([
          [1, 2],
          [3, -7],
          [-1, 1],
          [-2, bytes(x)],
          [-3, bytes(y)],
        ])
      : new Map<number, number | Uint8Array>([
          [1, 1],
          [3, -8],
          [-1, 6],
          [-2, bytes(x)],
        ])
  const id = randomBytes(16)
  const authenticator = Buffer.concat([
    createHash('sha256').update('localhost').digest(),
    Buffer.from([flags, 0, 0, 0, 0]),
    Buffer.alloc(16),
    Buffer.from([0, id.length]),
    id,
    isoCBOR.encode(cose as never),
  ])
  const attestation = isoCBOR.encode(
    new Map<string, unknown>([
      ['fmt', 'none'],
      ['attStmt', new Map()],
      ['authData', new Uint8Array(authenticator)],
    ]) as never,
  )
  const client = JSON.stringify({ type: 'webauthn.create', challenge, origin, crossOrigin: false })
  const credential = {
    id: id.toString('base64url'),
    rawId: id.toString('base64url'),
    type: 'public-key',
    response: {
      clientDataJSON: Buffer.from(client).toString('base64url'),
      attestationObject: Buffer.from(attestation).toString('base64url'),
    },
    clientExtensionResults: {},
  }
  return { credential, spki: publicKey.export({ format: 'der', type: 'spki' }).toString('base64') }
}

const challenge = async () => JSON.parse((await ask('/setup/options', { on: setupApp })).text).challenge as string
const setUp = async (body: unknown) => {
  const answer = await ask('/setup', { method: 'POST', body: JSON.stringify(body), on: setupApp })
  return { status: answer.status, ...JSON.parse(answer.text) } as { status: number; code?: string; done?: boolean }
}

test('a registration counts with the right code, verified, at the right origin, for our challenge, once', async () => {
  const unitKey = randomBytes(32).toString('base64')
  const asked = { code: 'abcd2345', alias: 'brisk-heron', unitKey }
  const good = register(await challenge())
  assert.equal((await setUp({ ...asked, code: 'wrong', credential: good.credential })).code, 'FORBIDDEN')
  assert.equal((await setUp({ ...asked, alias: 'Not An Alias', credential: good.credential })).code, 'MALFORMED')
  const elsewhere = register(await challenge(), { origin: 'http://localhost:1' })
  assert.equal((await setUp({ ...asked, credential: elsewhere.credential })).code, 'UNPROVEN')
  const unverified = register(await challenge(), { flags: 0x41 })
  assert.equal((await setUp({ ...asked, credential: unverified.credential })).code, 'UNPROVEN')
  const invented = register(randomBytes(32).toString('base64url'))
  assert.equal((await setUp({ ...asked, credential: invented.credential })).code, 'UNPROVEN')
  assert.equal((await setUp({ ...asked, credential: 'nonsense' })).code, 'UNPROVEN')
  for (const unitKey of [undefined, '', randomBytes(31).toString('base64')])
    assert.equal((await setUp({ ...asked, unitKey, credential: good.credential })).code, 'MALFORMED')
  assert.equal((await setUp(null)).code, 'FORBIDDEN')
  assert.equal(owners.length, 0)

  assert.equal((await setUp({ ...asked, credential: good.credential })).done, true)
  assert.equal(owners.length, 1)
  const [owner] = owners
  assert.deepEqual([owner?.alias, owner?.unitKey], ['brisk-heron', unitKey])
  assert.deepEqual(
    [owner?.passkey.id, owner?.passkey.publicKey, owner?.passkey.algorithm, owner?.passkey.software],
    [good.credential.id, good.spki, 'ES256', false],
  )
  assert.deepEqual(owner?.passkey.origins, [`http://localhost:${setupApp.port}`])
  const second = register(await challenge(), { kind: 'EdDSA' })
  assert.equal((await setUp({ ...asked, credential: second.credential })).code, 'CONFLICT')
})
