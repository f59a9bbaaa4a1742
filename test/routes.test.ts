import assert from 'node:assert/strict'
import { randomBytes, randomUUID } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { METHODS, type Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { ROUTES as APP_ROUTES, type App, startApp } from '../src/app/server.ts'
import { silentLog } from '../src/base/log.ts'
import { createConsole } from '../src/console/server.ts'
import { sessionDigest } from '../src/console/sessions/challenge.ts'
import type { Context } from '../src/edge/context.ts'
import { frameHttp, RAW_NOT_FOUND, sendNotFound } from '../src/edge/http.ts'
import { createEdgeServer, ROUTES as EDGE_ROUTES } from '../src/edge/server.ts'
import { ROUTES as LEDGER_ROUTES, serveTiles } from '../src/ledger/tiles.ts'
import { encodeToken } from '../src/trust/token.ts'
import { type TestConsole, testConsole } from './support/console.ts'
import { party, pem, rsaKeys } from './support/pkcs.ts'
import { ask, listening, type Place, raw, timeless } from './support/raw.ts'

// Every route there is, written by hand. A route that is added or lost turns this red, and so does anything else that answers.

const EDGE: Record<string, readonly string[]> = {
  'i/': ['GET'],
  'i/profile': ['GET'],
  'd/scep': ['GET', 'POST'],
  'd/checkin': ['PUT', 'POST'],
  'd/connect': ['PUT', 'POST'],
}
const APP: Record<string, readonly string[]> = {
  '/setup/options': ['GET'],
  '/setup': ['POST'],
  '/genesis': ['GET'],
  '/api/': [],
}
const LEDGER = ['checkpoint', 'checkpoint.cosigned', 'tile/']
/** What stands open to those who are not signed in, and what needs a session. */
const CONSOLE = {
  open: [
    'DELETE /api/session',
    'GET /api/control',
    'GET /api/main',
    'GET /api/roster',
    'GET /openapi.json',
    'POST /api/session',
    'POST /api/session/challenge',
  ],
  session: [
    'GET /api/devices',
    'GET /api/devices/:name',
    'GET /api/groups',
    'GET /api/groups/:name',
    'GET /api/invitations',
    'GET /api/orders',
    'GET /api/orders/:id',
    'GET /api/people',
    'GET /api/people/assignments',
    'GET /api/proposals',
    'GET /api/proposals/:proposal',
    'GET /api/push',
    'GET /api/roster/standing',
    'GET /api/units/member-keys',
    'GET /api/units/shares',
    'POST /api/freeze',
    'POST /api/groups',
    'POST /api/invitations',
    'POST /api/orders',
    'POST /api/orders/:id/approvals',
    'POST /api/orders/:id/discard',
    'POST /api/people/assign',
    'POST /api/people/erase',
    'POST /api/people/find',
    'POST /api/people/keys',
    'POST /api/people/release',
    'POST /api/people/tokens',
    'POST /api/people/write',
    'POST /api/proposals',
    'POST /api/proposals/:proposal/approvals',
    'POST /api/push',
    'POST /api/push/csr',
    'POST /api/standing',
    'POST /api/units/member-keys',
    'POST /api/units/shares',
  ],
}

const methodsOf = (routes: Record<string, { methods: readonly string[] }>) =>
  Object.fromEntries(Object.entries(routes).map(([name, { methods }]) => [name, methods]))
const appTable = () => Object.fromEntries(APP_ROUTES.map(({ path, methods }) => [path, methods]))
/** A route that validates its input stands in the table of Hono twice. */
const consoleTable = ({ routes }: ReturnType<typeof createConsole>) =>
  [...new Set(routes.filter(({ method }) => method !== 'ALL').map(({ method, path }) => `${method} ${path}`))].sort()

const folder = mkdtempSync(join(tmpdir(), 'bhroutes-'))
const servers: Server[] = []
let desk: TestConsole
let app: App
let setupApp: App
let ledger: Place
before(async () => {
  mkdirSync(join(folder, 'web'))
  writeFileSync(join(folder, 'web/index.html'), '<!doctype html><title>app</title>')
  writeFileSync(join(folder, 'secret'), 'a secret\n')
  desk = await testConsole()
  const http = { host: '127.0.0.1', port: 0 }
  const urls = { edge: '', console: desk.url, app: '', ledger: '', edgeTls: '' }
  const config = { listen: { http }, urls, webDir: join(folder, 'web'), genesisDigest: 'ab'.repeat(32) }
  app = await startApp({ config, log: silentLog })
  setupApp = await startApp({ config: { ...config, setup: { code: 'abcd2345' } }, log: silentLog })
  const shown = { head: { note: 'a checkpoint\n' }, cosigned: undefined, tile: () => null }
  const tiles = await serveTiles({ dir: folder, logs: { main: shown, control: shown }, ...http, log: silentLog })
  servers.push(tiles)
  ledger = { port: await listening(tiles) }
  await startEdge()
})
after(async () => {
  for (const server of servers) {
    server.close()
    server.closeAllConnections()
  }
  await Promise.all([app.close(), setupApp.close()])
  await desk.close()
  rmSync(folder, { recursive: true, force: true })
})

// The edge -----------------------------------------------------------------------------------------------------------

const key = randomBytes(32)
const device = encodeToken('device', randomUUID(), key)
const invitation = encodeToken('invitation', randomUUID(), key)
const pathOf = (route: string) => {
  const [kind, name] = route.split('/')
  return `/${kind}/${kind === 'i' ? invitation : device}${name === '' ? '' : `/${name}`}`
}

/** What a request reached behind the routes: nothing, for a stranger. */
const reached: string[] = []
const wire = (name: string) =>
  new Proxy(
    {},
    {
      get: (_, method) => () => {
        reached.push(`${name}.${String(method)}`)
        throw new Error('a wire')
      },
    },
  )
const wires = Object.fromEntries(
  ['store', 'intake', 'vault', 'identities', 'orders', 'writeback'].map(name => [name, wire(name)]),
)
const context = {
  ...wires,
  pathKey: key,
  clock: () => 0,
  log: silentLog,
  trace: () => reached.push('trace'),
} as unknown as Context

const edges: Record<string, Place> = {}
async function startEdge() {
  const edge = {
    context: { ...context, writeback: { missed: () => {} }, gate: { isOpen: () => true } } as unknown as Context,
    publicUrl: 'http://x',
    trustedProxy: undefined,
  }
  const { certificate, privateKey } = party(rsaKeys(), {})
  const tls = {
    cert: pem('CERTIFICATE', certificate),
    key: String(privateKey.export({ format: 'pem', type: 'pkcs8' })),
  }
  servers.push(createEdgeServer(edge), createEdgeServer(edge, tls))
  const [plain, secure] = servers.slice(-2)
  edges.plain = { port: await listening(plain!) }
  edges.tls = { port: await listening(secure!), tls: true }
}

const NOT_FOUND = RAW_NOT_FOUND.toString()
const HEAD_ONLY = NOT_FOUND.slice(0, NOT_FOUND.indexOf('\r\n\r\n') + 4)
type Stranger = { name: string; send(to: Place): Promise<Buffer> }
const request = (target: string, method = 'GET', headers: string[] = []): Stranger => ({
  name: `${method} ${target.slice(0, 120)} ${headers.join(', ')}`,
  send: to => ask(to, method, target, headers),
})

/** Those that got anything but the one 404, or reached anything. */
async function strangersHeard(to: Place, strangers: readonly Stranger[]): Promise<string[]> {
  const heard: string[] = []
  for (const { name, send } of strangers) {
    reached.length = 0
    const answer = (await send(to)).toString('latin1')
    if (answer !== (name.startsWith('HEAD ') ? HEAD_ONLY : NOT_FOUND) || reached.length > 0)
      heard.push(`${name}: ${answer.split('\r\n')[0]} ${reached}`)
  }
  return heard
}

/** Each other method on each route, with a token that holds. */
const otherMethods = Object.entries(EDGE).flatMap(([route, methods]) =>
  METHODS.filter(method => !methods.includes(method)).map(method => request(pathOf(route), method)),
)

const changed = (token: string, bit: number) => {
  const bytes = Buffer.from(token, 'base64url')
  bytes[bit >> 3]! ^= 1 << (bit & 7)
  return bytes.toString('base64url')
}
const spelled = (token: string) => token.slice(0, -1) + String.fromCharCode(token.charCodeAt(42) + 1) // the two spare bits
const wrongTokens = [
  ...Array.from({ length: 256 }, (_, bit) => request(`/d/${changed(device, bit)}/connect`, 'PUT')),
  ...Array.from({ length: 256 }, (_, bit) => request(`/i/${changed(invitation, bit)}`)),
  request(`/d/${encodeToken('device', randomUUID(), randomBytes(32))}/connect`, 'PUT'),
  request(`/d/${invitation}/connect`, 'PUT'),
  request(`/d/${invitation}/scep?operation=GetCACaps`),
  request(`/i/${device}`),
  request(`/i/${device}/profile`),
  request(`/d/${spelled(device)}/connect`, 'PUT'),
  request(`/d/${randomUUID()}/connect`, 'PUT'),
  request(`/d/${device.slice(0, 42)}/connect`, 'PUT'),
  request(`/d/${device}A/connect`, 'PUT'),
  request(`/d/${device}=/connect`, 'PUT'),
  request(`/d/${device.replaceAll('-', '+').replaceAll('_', '/')}+/connect`, 'PUT'),
]

const connect = pathOf('d/connect')
const otherSpellings = [
  ...[
    '/',
    '//',
    '/i',
    '/i/',
    '/d',
    '/d/',
    '/?',
    '*',
    '/favicon.ico',
    '/robots.txt',
    '/.well-known/com.apple.remotemanagement',
    '/api/devices',
    '/openapi.json',
    '/index.html',
  ],
  ...[
    `/d/${device}`,
    `/d/${device}/`,
    `/d/${device}/scep/`,
    `/d/${device}/profile`,
    `/d/${device}/connects`,
    `/d/${device}/connect/x`,
    `/i/${invitation}/`,
    `/i/${invitation}/connect`,
    `/i/${invitation}/scep`,
  ],
  ...[`/d/${device}/constructor`, `/d/${device}/__proto__`, `/d/${device}/toString`, `/d/${device}/hasown`],
  ...[
    `/%69/${invitation}`,
    `/i%2f${invitation}`,
    `/i%2F${invitation}`,
    `/i/${invitation}%00`,
    `/i/${invitation}%2e`,
    `/i/%2e/${invitation}`,
    `/i/${invitation}/%70rofile`,
    `/i/%${invitation}`,
    `/i/${invitation}%`,
    `/i/${invitation}%zz`,
    `/%`,
  ],
  ...[
    `/I/${invitation}`,
    `/i/${invitation}/PROFILE`,
    `/i/${invitation}/Profile`,
    `/i/${invitation.toUpperCase()}`,
    `/i/${invitation.toLowerCase()}`,
  ],
  ...[
    `//i/${invitation}`,
    `/i//${invitation}`,
    `/./i/${invitation}`,
    `/x/../i/${invitation}`,
    `/i/${invitation}/../${invitation}`,
    `/i/${invitation}/./profile`,
    `/i/${invitation}//profile`,
    `\\i\\${invitation}`,
    `/i/${invitation};x`,
    `/i/${invitation}/profile;x=1`,
  ],
  ...[
    `/?/i/${invitation}`,
    `?/i/${invitation}`,
    `/i?/${invitation}`,
    `/i/?${invitation}`,
    `/i/${invitation}#x`,
    `/i/${invitation}/profile#?`,
    `/d/${device}/scep`,
    `/d/${device}/scep?`,
    `/d/${device}/scep?operation=`,
    `/d/${device}/scep?operation=getcacaps`,
    `/d/${device}/scep?Operation=GetCACaps`,
    `/d/${device}/scep?operation=constructor`,
    `/d/${device}/scep?operation=GetCACaps%00`,
  ],
  ...[
    `http://localhost/i/${invitation}`,
    `http://localhost${connect}`,
    `https://x/i/${invitation}`,
    `//localhost/i/${invitation}`,
    `file:///i/${invitation}`,
  ],
  ...[
    `/i/${invitation}/profile${'x'.repeat(30_000)}`,
    `/i/${invitation}?${'x'.repeat(24_000)}`,
    `/d/${'A'.repeat(43)}/scep?operation=GetCACaps`,
  ],
  ...[`/i/${invitation}é`, `/i/\u0080${invitation}`],
].map(target => request(target))

const said = (name: string, bytes: string | Buffer, end = false): Stranger => ({
  name,
  send: to => raw(to, bytes, end),
})
const head = (first: string, ...headers: string[]) => `${[first, ...headers].join('\r\n')}\r\n\r\n`
const get = `GET /i/${invitation} HTTP/1.1`
const put = `PUT ${connect} HTTP/1.1`
/** No HTTP, or HTTP that two readers could read in two ways: even with a token that holds, nothing of it is asked. */
const malformed = [
  said('noise', randomBytes(512).fill(0x80, 0, 8), true),
  said('a TLS greeting', Buffer.from('160301020001000001fc0303', 'hex'), true),
  said('HTTP/0.9', 'GET /\r\n\r\n'),
  said('HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  said('a method that nobody knows', head(`BREW /i/${invitation} HTTP/1.1`)),
  said('a method in lower case', head(`get /i/${invitation} HTTP/1.1`)),
  said('a version that is none', head(`GET /i/${invitation} HTTP/9.9`)),
  said('no version', head(`GET /i/${invitation}`)),
  said('two spaces in the path', head(`GET /i/${invitation} x HTTP/1.1`)),
  said('a NUL in the path', head(`GET /i/${invitation}\0 HTTP/1.1`)),
  said('a NUL in a header', head(get, 'X: a\0b')),
  said('a header without a colon', head(get, 'nonsense')),
  said('a header with a space before its colon', head(get, 'Host : x')),
  said('a header that goes on in the next line', `${get}\r\nX: a\r\n b\r\n: c\r\n\r\n`),
  said('a bare line feed', `${get}\nHost: x\n\n`),
  said('a bare carriage return', `${get}\rHost: x\r\r`, true),
  said('headers beyond all bounds', head(get, `X: ${'x'.repeat(60_000)}`)),
  said('two lengths', head(put, 'Content-Length: 1', 'Content-Length: 2')),
  said('a length that is no number', head(put, 'Content-Length: 1x')),
  said('a length below nothing', head(put, 'Content-Length: -1')),
  said('a length and chunks', `${head(put, 'Content-Length: 4', 'Transfer-Encoding: chunked')}0\r\n\r\n`),
  said('a coding that is not chunked at last', head(put, 'Transfer-Encoding: chunked, gzip')),
  said('a tunnel', head(`CONNECT ${connect} HTTP/1.1`)),
  said('a tunnel elsewhere', head('CONNECT localhost:1 HTTP/1.1')),
  said('an expectation that nobody meets', head(put, 'Expect: 200-maybe', 'Content-Length: 1')),
]

/** Well framed, and still nobody's. */
const polite = [
  said(
    'an expectation to go on, of a stranger',
    head('PUT /d/x/connect HTTP/1.1', 'Expect: 100-continue', 'Content-Length: 1'),
  ),
  said('another protocol, of a stranger', head('GET / HTTP/1.1', 'Connection: Upgrade', 'Upgrade: websocket')),
  said('a body of a stranger', `${head('POST / HTTP/1.1', 'Content-Length: 4')}abcd`),
  said(
    'a body that never ends, of a stranger',
    `${head('POST / HTTP/1.1', 'Transfer-Encoding: chunked')}5\r\nabcde\r\n`,
  ),
  said('a body with a bad chunk, of a stranger', `${head('POST / HTTP/1.1', 'Transfer-Encoding: chunked')}zz\r\n`),
  said('HTTP/1.0 without a host', 'GET / HTTP/1.0\r\n\r\n'),
  said('a connection to be kept', head('GET / HTTP/1.1', 'Connection: keep-alive')),
  said('a second request behind the first', head('GET / HTTP/1.1') + head('GET /x HTTP/1.1')),
  said('junk behind the first', `${head('GET / HTTP/1.1')}\0\0\0`),
]

test('the routes of the edge are those that are written here', () => {
  assert.deepEqual(methodsOf(EDGE_ROUTES), EDGE)
})

test('each route of the edge answers whoever holds its token', async () => {
  for (const [route, methods] of Object.entries(EDGE))
    for (const method of methods) {
      const query = route === 'd/scep' ? '?operation=GetCACaps' : ''
      const answer = await ask(edges.plain!, method, pathOf(route) + query)
      assert.notEqual(answer.toString(), NOT_FOUND, `${method} ${route}`)
    }
})

const strangers: [name: string, strangers: readonly Stranger[]][] = [
  ['a method that a route does not have', otherMethods],
  ['a token that is not ours, not of this kind or not spelled as it was given', wrongTokens],
  ['a path in any other spelling, and one that does not exist', otherSpellings],
  ['what is no HTTP, or two HTTPs at once', malformed],
  ['a stranger’s body, expectation or second request', polite],
]
for (const [name, list] of strangers)
  for (const listener of ['plain', 'tls'] as const)
    test(`${name} gets the one 404, byte for byte, and reaches nothing (${listener})`, async () => {
      assert.ok(list.length > 8)
      assert.deepEqual(await strangersHeard(edges[listener]!, list), [])
    })

test('whoever says nothing, or only an empty line, hears nothing', async () => {
  for (const bytes of ['', '\r\n', '\r\n\r\n']) assert.equal((await raw(edges.plain!, bytes, true)).length, 0)
})

test('the one 404 says nothing of us', () => {
  assert.equal(
    NOT_FOUND,
    'HTTP/1.1 404 Not Found\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 10\r\nConnection: close\r\n\r\nNot found\n',
  )
})

test('the check turns red when a route is planted', async () => {
  EDGE_ROUTES['d/planted'] = { ...EDGE_ROUTES['d/connect']!, methods: ['GET'], handle: async () => null }
  try {
    assert.notDeepEqual(methodsOf(EDGE_ROUTES), EDGE)
    const heard = await strangersHeard(edges.plain!, [request(`/d/${device}/planted`), request(`/d/${device}/plante`)])
    assert.deepEqual(heard, [`GET /d/${device}/planted : HTTP/1.1 200 OK `])
  } finally {
    delete EDGE_ROUTES['d/planted']
  }
})

test('the check turns red when a route is lost, or takes one method more', () => {
  const { 'd/scep': _, ...fewer } = EDGE_ROUTES
  assert.notDeepEqual(methodsOf(fewer), EDGE)
  const more = { ...EDGE_ROUTES['i/profile']!, methods: ['GET', 'HEAD'] }
  assert.notDeepEqual(methodsOf({ ...EDGE_ROUTES, 'i/profile': more }), EDGE)
})

test('the check turns red when one refusal differs from the others by a header, a reason or a letter', async () => {
  const breaks: Parameters<typeof frameHttp>[0][] = [
    (asked, answer) => {
      if (asked.url?.startsWith('/d/')) answer.setHeader('X-Reason', 'token')
      sendNotFound(answer)
    },
    (asked, answer) => {
      answer.sendDate = asked.url?.startsWith('/d/') ?? false
      sendNotFound(answer)
    },
    (asked, answer) => {
      if (!asked.url?.startsWith('/d/')) return sendNotFound(answer)
      answer.writeHead(404, {
        'Content-Type': 'text/plain; charset=utf-8',
        'Content-Length': '10',
        Connection: 'close',
      })
      answer.end('Not found.')
    },
  ]
  for (const broken of breaks) {
    const server = frameHttp(broken)
    servers.push(server)
    const heard = await strangersHeard({ port: await listening(server) }, [request('/'), request('/d/x')])
    assert.equal(heard.length, 1)
  }
})

test('the check turns red when a refusal asks anything behind the routes', async () => {
  const server = frameHttp((_asked, answer) => {
    reached.push('store.find')
    sendNotFound(answer)
  })
  servers.push(server)
  assert.equal((await strangersHeard({ port: await listening(server) }, [request('/')])).length, 1)
})

// The console --------------------------------------------------------------------------------------------------------

const place = (url: string): Place => ({ port: Number(new URL(url).port) })
const concrete = (route: string) => route.replace(':id', randomUUID()).replace(':name', 'nobody')

/** `METHOD path` → its answer without the date. */
async function answersOf(to: Place, routes: readonly string[], headers: string[] = []) {
  const answers = new Map<string, string>()
  for (const route of routes) {
    const [method, target] = route.split(' ') as [string, string]
    answers.set(route, timeless(await ask(to, method, target, headers)))
  }
  return answers
}
const same = (answers: Map<string, string>) =>
  assert.equal(new Set(answers.values()).size, 1, [...answers].map(String).join('\n'))

/** With a session or without: nothing of the console's is at these. */
const nowhere = [
  '/api',
  '/api/',
  '/api/x',
  '/api/devices/a/b',
  '/api/orders/',
  '/api/constructor',
  '/api/__proto__',
  '/api/devices/',
  '//api/devices',
  '/API/devices',
  '/api/Devices',
  '/api//devices',
  '/api/devices;x',
  '/api/devices%2f',
]
const outside = [
  '/',
  '/x',
  '/index.html',
  '/openapi.json/',
  '/OPENAPI.JSON',
  '/apis',
  '/api.json',
  '/metrics',
  '/i/x',
  '//',
]
const OTHERS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND']

async function session() {
  const { body } = await desk.post('/api/session/challenge')
  const approval = desk.roster.operator.approve(sessionDigest(body.challenge, desk.roster.trusted.genesisDigest))
  return (await desk.post('/api/session', { challenge: body.challenge, approval })).body.token as string
}

test('the routes of the console are those that are written here, over HTTP and over the owner’s socket', () => {
  for (const caller of ['member', 'local'] as const)
    assert.deepEqual(consoleTable(createConsole(desk.desk, caller)), [...CONSOLE.open, ...CONSOLE.session].sort())
})

test('without a session everything under /api but the sign-in is one refusal, whether it exists or not', async () => {
  const to = place(desk.url)
  const inside = nowhere.filter(path => path.startsWith('/api/'))
  const asked = [
    ...CONSOLE.session.map(concrete),
    ...inside.map(path => `GET ${path}`),
    'GET /%61pi/devices',
    'GET /api/%64evices',
    'GET /api/../api/devices',
    'GET http://localhost/api/devices',
    ...OTHERS.map(method => `${method} /api/devices`),
  ]
  const answers = await answersOf(to, asked)
  same(answers)
  assert.match(answers.get('GET /api/devices')!, /^HTTP\/1.1 401 /)
  const outer = await answersOf(
    to,
    outside.map(path => `GET ${path}`),
  )
  same(outer)
  assert.match(outer.get('GET /')!, /^HTTP\/1.1 404 /)
})

test('with a session every route is there, and every other path and method is one 404', async () => {
  const bearer = [`Authorization: Bearer ${await session()}`]
  const to = place(desk.url)
  const live = new Set([...CONSOLE.open, ...CONSOLE.session])
  for (const [route, answer] of await answersOf(to, CONSOLE.session.map(concrete), [...bearer, 'Content-Length: 0']))
    assert.doesNotMatch(answer, /There is nothing here|^HTTP\/1.1 (401|500)/, route)
  const others = [...live]
    .flatMap(route => OTHERS.map(method => `${method} ${route.split(' ')[1]}`))
    .filter(route => !live.has(route))
    .map(concrete)
  const missing = await answersOf(
    to,
    [...others, ...nowhere.map(path => `GET ${path}`), ...outside.map(path => `GET ${path}`)],
    bearer,
  )
  same(missing)
  assert.match([...missing.values()][0]!, /^HTTP\/1.1 404 [\s\S]*There is nothing here/)
})

test('the console’s check turns red when a route is planted', () => {
  const api = createConsole(desk.desk, 'member')
  api.get('/api/planted', context => context.text('here'))
  assert.notDeepEqual(consoleTable(api), [...CONSOLE.open, ...CONSOLE.session].sort())
})

// The app and the ledger ---------------------------------------------------------------------------------------------

test('the routes of the app are those that are written here, and its files', async () => {
  assert.deepEqual(appTable(), APP)
  const to = { port: setupApp.port }
  const host = [`Host: localhost:${to.port}`]
  const at = async (method: string, target: string) =>
    timeless(await raw(to, head(`${method} ${target} HTTP/1.1`, ...host, 'Connection: close')))
  assert.match(await at('GET', '/setup/options'), /^HTTP\/1.1 200 [\s\S]*"challenge"/)
  assert.match(await at('POST', '/setup'), /^HTTP\/1.1 4(00|03) /)
  assert.match(await at('GET', '/api/devices'), /^HTTP\/1.1 503 [\s\S]*NOT_INITIALISED/)
  const refused = new Set<string>()
  const paths = [
    '/setup/options',
    '/setup/',
    '/setup/x',
    '/setupx',
    '/setup/options/',
    '/',
    '/index.html',
    '/x.html',
    '/api',
    '//api/',
    '/../secret',
    '/%2e%2e/secret',
    '/..%2fsecret',
    '/assets/../../secret',
  ]
  for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE', 'PROPFIND'])
    for (const path of paths) refused.add(await at(method, path))
  for (const path of ['/x.html', '/secret.txt', '/../secret', '/%2e%2e/secret', '/..%2fsecret', '/%', '/\\secret'])
    refused.add(await at('GET', path))
  assert.equal(refused.size, 1, [...refused].join('\n'))
  assert.match([...refused][0]!, /^HTTP\/1.1 404 [\s\S]*NOT_FOUND/)
})

test('once the installation has an owner the set-up is nowhere', async () => {
  const to = { port: app.port }
  const at = async (method: string, target: string) =>
    timeless(await raw(to, head(`${method} ${target} HTTP/1.1`, `Host: localhost:${to.port}`, 'Connection: close')))
  assert.match(await at('GET', '/setup/options'), /<!doctype html>/)
  assert.equal(await at('POST', '/setup'), await at('POST', '/x'))
  assert.match(await at('GET', '/api/devices'), /^HTTP\/1.1 401 /)
})

test('the routes of the ledger are those that are written here, and anything else is one 404', async () => {
  assert.deepEqual(Object.keys(LEDGER_ROUTES), LEDGER)
  assert.match(timeless(await ask(ledger, 'GET', '/main/checkpoint')), /^HTTP\/1.1 200 [\s\S]*a checkpoint/)
  const paths = [
    ...[
      '/',
      '/main',
      '/main/',
      '/main/checkpoint/',
      '/main/checkpointx',
      '/main/checkpoint?x',
      '/main/secret',
      '/other/checkpoint',
      '/secret',
    ],
    ...[
      '/main/../secret',
      '/main/%2e%2e/secret',
      '/main/..%2fsecret',
      '/main//checkpoint',
      '/Main/checkpoint',
      '/main/CHECKPOINT',
      '/main/./checkpoint',
    ],
    ...[
      '/main/tile',
      '/main/tile/',
      '/main/tile/0',
      '/main/tile/../checkpoint',
      '/main/tile/0/000/../../../checkpoint',
      '/main/tile/8/000',
      '/main/tile/0/x000/000',
      '/main/tile/0/000.p/256',
      '/main/tile/0/000.p/0',
      '/main/tile/entries/1',
    ],
    ...[
      '/main/constructor',
      '/main/tostring',
      '/main/constructor/',
      'http://localhost/main/checkpoint',
      '*',
      `/main/tile/${'0'.repeat(4000)}`,
    ],
  ]
  const asked = [...paths.map(path => `GET ${path}`), ...OTHERS.slice(1).map(method => `${method} /main/checkpoint`)]
  const answers = await answersOf(ledger, asked)
  same(answers)
  assert.match(answers.get('GET /')!, /^HTTP\/1.1 404 [\s\S]*Not found\n$/)
})

test('the ledger’s and the app’s checks turn red when a route is planted', () => {
  LEDGER_ROUTES.planted = async () => null
  assert.notDeepEqual(Object.keys(LEDGER_ROUTES), LEDGER)
  delete LEDGER_ROUTES.planted
  const planted = { path: '/planted', methods: ['GET'], handle: () => {} }
  ;(APP_ROUTES as unknown as (typeof planted)[]).push(planted)
  assert.notDeepEqual(appTable(), APP)
  ;(APP_ROUTES as unknown as (typeof planted)[]).pop()
})
