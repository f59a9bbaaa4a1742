import { randomBytes } from 'node:crypto'
import { gzipSync } from 'node:zlib'
import { mdmSignature } from '../../../simulator/identity.ts'
import { encodeXmlPlist } from '../../../src/wire/plist/plist.ts'
import { CANARY, type Item, pathOf, raw, type World } from './world.ts'

// Requests that are none, and paths that nobody was given.

const idle = Buffer.from(encodeXmlPlist({ UDID: 'U', Status: 'Idle' }))
const own = ({ attacker }: World) => pathOf(attacker.state.enrolment!.serverUrl)
const flip = (text: string, at: number) => text.slice(0, at) + (text[at] === 'A' ? 'B' : 'A') + text.slice(at + 1)

/** A PUT at the attacker's own URL, with a signature that holds for nothing; `head` are its other header lines. */
const put = (name: string, answers: Item['answers'], head: string[], body: string | Buffer = ''): Item => ({
  name,
  answers,
  send: world => {
    const lines = [`PUT ${own(world)} HTTP/1.1`, 'Host: x', 'Mdm-Signature: c2ln', ...head]
    return raw(world.home.urls.edge, Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`), Buffer.from(body)]))
  },
})
const bytes = (name: string, sent: (world: World) => string | Buffer, answers: Item['answers'] = [0, 404]): Item => ({
  name,
  answers,
  send: world => raw(world.home.urls.edge, sent(world)),
})

/** Each is answered with the one 404. */
function strangePaths(world: World): string[] {
  const path = own(world)
  const token = path.split('/')[2]!
  const invitation = pathOf(world.profileUrl).split('/')[2]!
  return [
    ...['/', '//', '/d', '/d/', '/i/', '/favicon.ico', '/.git/config', '/api/devices', '/mifs/services', '*'],
    ...[`/d/${token}`, `/d/${token}/`, `${path}/`, `/${path}`, `/d//${token}/connect`, `/d/${token}/connect/x`],
    ...[`/D/${token}/connect`, `/d/${token}/CONNECT`, `/d/${token}/connect;x`, `/d/${token}/connect%00`],
    ...[`/d/${token}/%63onnect`, `/%64/${token}/connect`, `/d%2f${token}%2fconnect`, `/x/../d/${token}/connect`],
    ...[
      `/d/${token}/constructor`,
      `/d/${token}/__proto__`,
      `/d/${token}/profile`,
      `/i/${token}`,
      `/i/${token}/profile`,
    ],
    ...[`/d/${invitation}/connect`, `/d/${invitation}/scep?operation=GetCACaps`, `/i/${invitation}/connect`],
    ...[0, 21, 42].map(at => `/d/${flip(token, at)}/connect`),
    ...[`/d/${token.toLowerCase()}/connect`, `/d/${token}=/connect`, `/d/${token.slice(1)}/connect`],
    ...[`/d/${'A'.repeat(43)}/connect`, `/d/${randomBytes(32).toString('base64url')}/connect`],
    ...[`/d/${token}/connect${'x'.repeat(20_000)}`, `http://x${path}`, `/d/${encodeURIComponent(`${token}é`)}/connect`],
  ]
}

async function oneByOne<T, R>(items: readonly T[], run: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = []
  for (const item of items) results.push(await run(item))
  return results
}

export const requests: Item[] = [
  {
    name: 'paths that nobody was given',
    answers: 404,
    send: world =>
      oneByOne(strangePaths(world), path =>
        raw(world.home.urls.edge, `PUT ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n`, 50),
      ),
  },
  {
    name: 'methods that no route has',
    answers: 404,
    send: world =>
      oneByOne(['GET', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE', 'PROPFIND', 'CONNECT'], method =>
        raw(world.home.urls.edge, `${method} ${own(world)} HTTP/1.1\r\nHost: x\r\n\r\n`, 50),
      ),
  },
  put('no Content-Length', [400, 403], []),
  put('two Content-Lengths', 404, ['Content-Length: 1', 'Content-Length: 2'], 'ab'),
  put('a Content-Length and chunks', 404, ['Content-Length: 4', 'Transfer-Encoding: chunked'], '0\r\n\r\n'),
  put('a Content-Length below nothing', 404, ['Content-Length: -1']),
  put('a Content-Length in words', 404, ['Content-Length: 1e3']),
  put('a Content-Length beyond all numbers', [404, 413], ['Content-Length: 99999999999999999999999']),
  put('a Content-Length of a terabyte', 413, ['Content-Length: 1099511627776'], idle),
  put('a chunk of no number', [0, 400, 404], ['Transfer-Encoding: chunked'], 'zz\r\n'),
  put('a chunk beyond all numbers', [0, 400, 404], ['Transfer-Encoding: chunked'], 'ffffffffffffffffff\r\nab'),
  put('a chunk that is longer than it says', [0, 400, 404], ['Transfer-Encoding: chunked'], `1\r\n${CANARY}\r\n`),
  put('a chunk with an endless extension', [0, 400, 404], ['Transfer-Encoding: chunked'], `1;${'x'.repeat(200_000)}`),
  put(
    'five megabytes in chunks',
    413,
    ['Transfer-Encoding: chunked'],
    `500000\r\n${'x'.repeat(0x500000)}\r\n0\r\n\r\n`,
  ),
  put('an encoding of the transfer that nobody knows', [0, 400, 404], ['Transfer-Encoding: gzip'], idle),
  put('headers of 64 KB', 404, [`X-A: ${'a'.repeat(65_536)}`]),
  put('ten thousand headers', 404, Array<string>(10_000).fill('A: b')),
  put('a header with a NUL', 404, ['X-A: a\0b', 'Content-Length: 0']),
  put('a header over two lines', 404, ['X-A: a', ' b', 'Content-Length: 0']),
  put('a header with a space before its colon', 404, ['Content-Length : 0']),
  put('an expectation that nobody meets', 404, ['Expect: the unexpected', 'Content-Length: 0']),
  put('an upgrade to something else', [400, 404], ['Connection: Upgrade', 'Upgrade: websocket', 'Content-Length: 0']),
  bytes(
    '100-continue for a stranger',
    () => 'PUT /x HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n',
    404,
  ),
  bytes('HTTP/0.9', () => 'GET /\r\n\r\n'),
  bytes('HTTP/2', () => 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  bytes('HTTP/7.7', world => `PUT ${own(world)} HTTP/7.7\r\n\r\n`),
  bytes('TLS where there is none', () => Buffer.from('16030100a5010000a10303', 'hex')),
  bytes('random bytes', () => randomBytes(4096)),
  bytes('a method of a megabyte', () => 'A'.repeat(1_000_000)),
  {
    name: 'a thousand requests of a stranger in one piece',
    answers: 404,
    send: ({ home }) => raw(home.urls.edge, 'GET /x HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(1000)),
  },
  {
    name: 'a body that is compressed',
    answers: 400,
    send: ({ attacker }) => {
      const body = gzipSync(idle)
      return attacker.send('connect', body, { headers: { 'content-encoding': 'gzip' } })
    },
  },
  {
    name: 'a signature over the body before it was compressed',
    answers: [400, 403],
    send: ({ attacker }) =>
      attacker.send('connect', gzipSync(Buffer.alloc(3_000_000)), {
        headers: { 'content-encoding': 'gzip' },
        signature: mdmSignature(Buffer.alloc(3_000_000), attacker.state.identity!),
      }),
  },
]
