import assert from 'node:assert/strict'
import { request } from 'node:http'
import { after, before, test } from 'node:test'
import { type TestConsole, testConsole } from '../../test/support/console.ts'
import { sessionDigest } from './sessions/challenge.ts'

let desk: TestConsole
before(async () => {
  desk = await testConsole()
})
after(() => desk.close())

async function signIn() {
  const { body } = await desk.post('/api/session/challenge')
  const digest = sessionDigest(body.challenge, desk.roster.trusted.genesisDigest)
  assert.equal(digest.toString('hex'), body.digest)
  return desk.post('/api/session', { challenge: body.challenge, approval: desk.roster.operator.approve(digest) })
}

/** As the command line asks: over its own socket. */
function local(method: string, path: string): Promise<number> {
  return new Promise((resolve, reject) =>
    request({ socketPath: desk.socket, method, path }, response => {
      response.resume()
      resolve(response.statusCode!)
    })
      .on('error', reject)
      .end(),
  )
}

test('without a session only the roster, the sign-in and the contract are there', async () => {
  for (const path of ['/api/devices', '/api/orders', '/api/groups', '/api/invitations', '/api/push', '/api/nothing'])
    assert.equal((await desk.get(path)).status, 401, path)
  assert.equal((await desk.post('/api/orders', {})).status, 401)
  assert.equal((await desk.get('/nothing')).status, 404)
  const roster = await desk.get('/api/roster')
  assert.equal(roster.body.genesis, desk.roster.genesis)
  assert.equal(roster.body.members.length, 4)
  const contract = await desk.get('/openapi.json')
  assert.equal(contract.body.openapi, '3.1.0')
  assert.ok(contract.body.paths['/api/orders/{id}/approvals'].post)
})

test('a member signs in with a passkey, is known for eight hours, and signs out', async () => {
  const signedIn = await signIn()
  assert.equal(signedIn.status, 200)
  assert.equal(signedIn.body.alias, desk.roster.operator.alias)
  desk.bearer.token = signedIn.body.token
  assert.equal((await desk.get('/api/devices')).status, 200)
  desk.time.shift = 8 * 3600_000 + 1000
  assert.equal((await desk.get('/api/devices')).status, 401)
  desk.time.shift = 0
  assert.equal((await desk.delete('/api/session')).status, 200)
  assert.equal((await desk.get('/api/devices')).status, 401)
  desk.bearer.token = ''
})

test('the token itself is nowhere in the database', async () => {
  const { body } = await signIn()
  const { rows } = await desk.owner.query(`select encode(token_sha256, 'hex') as hash from console.session`)
  assert.equal(rows.length, 1)
  assert.notEqual(rows[0].hash, Buffer.from(body.token, 'base64url').toString('hex'))
})

test('a sign-in counts once, and only for its own challenge', async () => {
  const { body } = await desk.post('/api/session/challenge')
  const approval = desk.roster.operator.approve(sessionDigest(body.challenge, desk.roster.trusted.genesisDigest))
  const other = await desk.post('/api/session/challenge')
  assert.equal((await desk.post('/api/session', { challenge: other.body.challenge, approval })).body.code, 'UNPROVEN')
  assert.equal((await desk.post('/api/session', { challenge: body.challenge, approval })).status, 200)
  assert.equal((await desk.post('/api/session', { challenge: body.challenge, approval })).body.code, 'EXPIRED')
})

test('what does not decode is refused with a small clear error', async () => {
  const response = await fetch(`${desk.url}/api/session`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"challenge":',
  })
  assert.equal(response.status, 400)
  assert.equal(((await response.json()) as { code: string }).code, 'BAD_REQUEST')
  const unknown = await desk.post('/api/session', { challenge: 'AAAA', approval: {}, more: 1 })
  assert.deepEqual([unknown.status, unknown.body.code], [400, 'BAD_REQUEST'])
})

test('the console answers to its own names only: a page of another name on this machine reads nothing', async () => {
  const asked = (host: string) =>
    new Promise<number>((resolve, reject) =>
      request(`${desk.url}/api/roster`, { headers: { host } }, response => {
        response.resume()
        resolve(response.statusCode!)
      })
        .on('error', reject)
        .end(),
    )
  const { port } = new URL(desk.url)
  for (const host of [`127.0.0.1:${port}`, `localhost:${port}`, `[::1]:${port}`, 'localhost', 'LOCALHOST:1'])
    assert.equal(await asked(host), 200, host)
  for (const host of [
    'evil.example',
    `evil.example:${port}`,
    'localhost.evil.example',
    'x@localhost',
    '127.0.0.1.evil.example',
  ])
    assert.ok([400, 403].includes(await asked(host)), host)
})

test('the command line has a socket of its own and needs no session there', async () => {
  assert.equal(await local('GET', '/api/devices'), 200)
  assert.equal(await local('GET', '/api/nothing'), 404)
})
