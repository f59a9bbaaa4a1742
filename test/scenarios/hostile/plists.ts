import { encodeBinaryPlist as binaryOf, encodeXmlPlist } from '../../../src/wire/plist/plist.ts'
import { CANARY, type Item } from './world.ts'

// Property lists that are none, or too much, each signed as it should be by an enrolled device and sent to its own URLs.

const HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
const xml = (inside: string, head = HEAD) => Buffer.from(`${head}<plist version="1.0">${inside}</plist>\n`)
const key = (name: string, value: string) => `<key>${name}</key>${value}`
const text = (value: string) => `<string>${value}</string>`
const start = key('UDID', text(CANARY)) + key('Status', text('Idle'))
const idle = (more = '') => xml(`<dict>${start}${more}</dict>`)
const bomb = (levels: number) =>
  Array.from({ length: levels }, (_, n) => `<!ENTITY e${n + 1} "${`&e${n};`.repeat(10)}">`).join('')

const inXml: Record<string, Buffer> = {
  'an empty body': Buffer.alloc(0),
  'a body of one NUL': Buffer.of(0),
  'a body of JSON': Buffer.from('{"Status":"Idle"}'),
  'XML cut in the middle': idle().subarray(0, 120),
  'XML without its last byte': idle().subarray(0, -12),
  'XML with something behind it': Buffer.concat([idle(), idle()]),
  'a string that never ends': xml(`<dict>${start}<key>A</key><string>`),
  'a comment that never ends': xml(`<dict>${start}<!-- `),
  'CDATA that never ends': xml(`<dict>${start}<key>A</key><string><![CDATA[`),
  'ten thousand arrays in each other': xml('<array>'.repeat(10_000) + '</array>'.repeat(10_000)),
  'ten thousand arrays that never end': xml('<array>'.repeat(10_000)),
  'a hundred dictionaries in each other': idle(
    `<key>A</key><dict>${'<key>A</key><dict>'.repeat(100)}${'</dict>'.repeat(101)}`,
  ),
  'a million values': idle(key('A', `<array>${'<true/>'.repeat(500_000)}</array>`)),
  'a million tag openings': xml('<'.repeat(1_000_000)),
  'an attribute of a megabyte': xml(`<dict a="${'x'.repeat(1_000_000)}">${start}</dict>`),
  'an integer of a megabyte': idle(key('A', `<integer>${'9'.repeat(1_000_000)}</integer>`)),
  'an integer beyond 64 bits': idle(key('A', '<integer>18446744073709551616</integer>')),
  'a date that is none': idle(key('A', '<date>yesterday</date>')),
  'data that is not base64': idle(key('A', '<data>!!!!</data>')),
  'a key twice': idle(key('Status', text('Acknowledged'))),
  'a key twice in a dictionary further down': idle(
    key('A', `<dict>${key('B', '<true/>')}${key('B', '<false/>')}</dict>`),
  ),
  'a key without a value': xml(`<dict>${start}<key>A</key></dict>`),
  'a value without a key': xml(`<dict>${start}<true/></dict>`),
  'a NUL in a string': idle(key('A', text('a\0b'))),
  'a reference to NUL': idle(key('A', text('a&#0;b'))),
  'a reference to half a character': idle(key('A', text('&#xD800;'))),
  'an unknown entity': idle(key('A', text('&nbsp;'))),
  'bytes that are not UTF-8': Buffer.concat([idle().subarray(0, 80), Buffer.of(0xff, 0xfe), idle().subarray(80)]),
  'UTF-16': Buffer.from(idle().toString().replace('UTF-8', 'UTF-16'), 'utf16le'),
  'an entity bomb': xml(
    `<dict>${start}${key('A', text('&e9;'))}</dict>`,
    `${HEAD}<!DOCTYPE plist [<!ENTITY e0 "${'x'.repeat(100)}">${bomb(9)}]>`,
  ),
  'an entity that reads a file': xml(
    `<dict>${start}${key('A', text('&f;'))}</dict>`,
    `${HEAD}<!DOCTYPE plist [<!ENTITY f SYSTEM "file:///etc/passwd">]>`,
  ),
  'a parameter entity': xml(
    `<dict>${start}</dict>`,
    `${HEAD}<!DOCTYPE plist [<!ENTITY % p SYSTEM "http://127.0.0.1:9/${CANARY}"> %p;]>`,
  ),
  'a list where a dictionary should be': xml(`<array>${text('Idle')}</array>`),
  'a string where a dictionary should be': xml(text('Idle')),
  'no Status': xml(`<dict>${key('UDID', text(CANARY))}</dict>`),
  'a Status that is unknown': xml(`<dict>${key('UDID', text('U'))}${key('Status', text(CANARY))}</dict>`),
  'a Status named like a property of Object': xml(
    `<dict>${key('UDID', text('U'))}${key('Status', text('__proto__'))}</dict>`,
  ),
  'a Status that is a list': xml(`<dict>${key('UDID', text('U'))}${key('Status', '<array/>')}</dict>`),
  'no UDID': xml(`<dict>${key('Status', text('Idle'))}</dict>`),
  'a UDID that is a dictionary': xml(`<dict>${key('UDID', '<dict/>')}${key('Status', text('Idle'))}</dict>`),
  'a UDID of a megabyte': xml(`<dict>${key('UDID', text(CANARY.repeat(80_000)))}${key('Status', text('Idle'))}</dict>`),
  'a UserID of a megabyte': idle(key('UserID', text('u'.repeat(1_000_000)))),
}

/** A binary document from its objects, with one byte for each offset and reference; `change` spoils the trailer. */
function binary(objects: readonly (readonly number[])[], change: (trailer: Buffer) => void = () => {}): Buffer {
  const offsets = objects.map((_, n) => 8 + objects.slice(0, n).reduce((sum, object) => sum + object.length, 0))
  const end = 8 + objects.reduce((sum, object) => sum + object.length, 0)
  const trailer = Buffer.alloc(32)
  trailer.set([1, 1], 6)
  trailer.writeBigUInt64BE(BigInt(objects.length), 8)
  trailer.writeBigUInt64BE(BigInt(end), 24)
  change(trailer)
  return Buffer.concat([
    Buffer.from('bplist00'),
    ...objects.map(object => Buffer.from(object)),
    Buffer.from(offsets),
    trailer,
  ])
}
const ascii = (value: string) => [0x50 | value.length, ...Buffer.from(value)]
const whole = [[0xd2, 1, 3, 2, 4], ascii('Status'), ascii('Idle'), ascii('UDID'), ascii('U')]
const doubling = [...Array.from({ length: 40 }, (_, n) => [0xa2, n + 1, n + 1]), [0x09]]

const inBinary: Record<string, Buffer> = {
  'a list that contains itself': binary([[0xa1, 0]]),
  'a dictionary that is its own value': binary([[0xd1, 1, 0], ascii('A')]),
  'a dictionary that is its own key': binary([[0xd1, 0, 1], ascii('A')]),
  'two lists that contain each other': binary([
    [0xa1, 1],
    [0xa1, 0],
  ]),
  'forty lists that double each other': binary(doubling),
  'a list of 2^62 values': binary([[0xaf, 0x13, 0x3f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]]),
  'a dictionary of 2^32 values': binary([[0xdf, 0x13, 0, 0, 0, 1, 0, 0, 0, 0]]),
  'data of 2^31 bytes': binary([[0x4f, 0x12, 0x7f, 0xff, 0xff, 0xff]]),
  'a string of 2^63 characters': binary([[0x6f, 0x13, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]]),
  'an integer of 2^15 bytes': binary([[0x1f]]),
  'the same key twice': binary([[0xd2, 1, 1, 2, 3], ascii('A'), [0x08], [0x09]]),
  'a reference to an object that is not there': binary([[0xa1, 200]]),
  '2^63 objects': binary(whole, trailer => trailer.writeBigUInt64BE(2n ** 63n, 8)),
  'offsets behind the end': binary(whole, trailer => trailer.writeBigUInt64BE(2n ** 40n, 24)),
  'offsets of no bytes': binary(whole, trailer => trailer.fill(0, 6, 7)),
  'references of 255 bytes': binary(whole, trailer => trailer.fill(255, 7, 8)),
  'a root that is not there': binary(whole, trailer => trailer.writeBigUInt64BE(77n, 16)),
  'a NUL in a string': binary([[0xd2, 1, 3, 2, 4], ascii('Status'), ascii('Idle'), ascii('UDID'), ascii('U\0')]),
  'half a character': binary([
    [0xa1, 1],
    [0x61, 0xd8, 0x00],
  ]),
  'a character that is not ASCII in ASCII': binary([
    [0xa1, 1],
    [0x51, 0xff],
  ]),
  'a real that is no number': binary([
    [0xa1, 1],
    [0x23, 0x7f, 0xf8, 0, 0, 0, 0, 0, 0],
  ]),
  'a date beyond all calendars': binary([
    [0xa1, 1],
    [0x33, 0x7f, 0xef, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
  ]),
  'nothing but the first eight bytes': Buffer.from('bplist00'),
  'nothing but the trailer': Buffer.concat([Buffer.from('bplist00'), Buffer.alloc(32, 0xff)]),
}

type Dict = Parameters<typeof encodeXmlPlist>[0]
const sized = (size: number) => `${CANARY}${'x'.repeat(size)}`
/** Equal texts are stored once in a binary list, and an ampersand takes five bytes in XML. */
export const unfolding = (times: number, CommandUUID = CANARY): Dict => ({
  UDID: 'U',
  Status: 'Acknowledged',
  CommandUUID,
  X: Array<string>(times).fill('&'.repeat(20_000)),
})
const checkins: Record<string, Dict> = {
  'no MessageType': { UDID: CANARY },
  'a MessageType that is a number': { UDID: CANARY, MessageType: 7 },
  'a MessageType that is unknown': { UDID: CANARY, MessageType: CANARY },
  'a MessageType named like a property of Object': { UDID: CANARY, MessageType: 'constructor' },
  'a TokenUpdate without a token': { UDID: CANARY, MessageType: 'TokenUpdate', PushMagic: CANARY },
  'a TokenUpdate whose Token is text': { UDID: CANARY, MessageType: 'TokenUpdate', PushMagic: 'm', Token: CANARY },
  'a TokenUpdate whose PushMagic is a list': {
    UDID: CANARY,
    MessageType: 'TokenUpdate',
    PushMagic: [CANARY],
    Token: Buffer.alloc(32),
  },
  'a TokenUpdate with a Token of a megabyte': {
    UDID: CANARY,
    MessageType: 'TokenUpdate',
    PushMagic: 'm',
    Token: Buffer.alloc(1_000_000),
  },
  'a TokenUpdate with an UnlockToken of a megabyte': {
    UDID: CANARY,
    MessageType: 'TokenUpdate',
    PushMagic: 'm',
    Token: Buffer.alloc(32),
    UnlockToken: Buffer.alloc(1_000_000),
  },
  'a SetBootstrapToken of a megabyte': { MessageType: 'SetBootstrapToken', BootstrapToken: Buffer.alloc(1_000_000) },
  'a DeclarativeManagement without an endpoint': { UDID: CANARY, MessageType: 'DeclarativeManagement' },
}
const endpoints = ['__proto__', 'constructor', '../../../etc/passwd', `declaration/${CANARY}/x`]

/** Accepted, since devices are not judged by what they say of themselves; nothing of it may break what stores it. */
const odd: Record<string, ['connect' | 'checkin', Dict | Buffer]> = {
  'an error of a number beyond 32 bits': [
    'connect',
    {
      UDID: 'U',
      Status: 'Error',
      CommandUUID: CANARY,
      ErrorChain: [{ ErrorCode: 2 ** 40, ErrorDomain: 'MCMDMErrorDomain' }],
    },
  ],
  'an error of a number beyond 53 bits': [
    'connect',
    { UDID: 'U', Status: 'Error', CommandUUID: CANARY, ErrorChain: [{ ErrorCode: 2n ** 63n, ErrorDomain: CANARY }] },
  ],
  'an answer to a command that never was': [
    'connect',
    {
      UDID: 'U',
      Status: 'Acknowledged',
      CommandUUID: '00000000-0000-4000-8000-000000000000',
      QueryResponses: { OSVersion: '1' },
    },
  ],
  'an answer whose parts have other types': [
    'connect',
    {
      UDID: 'U',
      Status: 'Acknowledged',
      CommandUUID: [CANARY],
      QueryResponses: 7,
      ErrorChain: CANARY,
      SecurityInfo: [],
    },
  ],
  'names of properties of Object in a check-in': [
    'checkin',
    xml(
      `<dict>${key('UDID', text('U'))}${key('MessageType', text('Authenticate'))}${['__proto__', 'constructor', 'toString', 'hasOwnProperty'].map(name => key(name, text(CANARY))).join('')}</dict>`,
    ),
  ],
  'numbers as large as they get in a check-in': [
    'checkin',
    { UDID: 'U', MessageType: 'Authenticate', BatteryLevel: -1e308, DeviceCapacity: 2n ** 64n - 1n, QuotaSize: 1e15 },
  ],
}

export const plists: Item[] = [
  ...Object.entries({ ...inXml, ...prefixed('binary: ', inBinary) }).map(
    ([name, body]): Item => ({ name, answers: 400, send: ({ attacker }) => attacker.send('connect', body) }),
  ),
  ...Object.entries(checkins).map(
    ([name, message]): Item => ({
      name,
      answers: 400,
      send: ({ attacker }) => attacker.send('checkin', encodeXmlPlist(message)),
    }),
  ),
  ...endpoints.map(
    (endpoint): Item => ({
      name: `the endpoint ${JSON.stringify(endpoint)} of DeclarativeManagement`,
      answers: 404,
      send: ({ attacker }) =>
        attacker.send('checkin', binaryOf({ UDID: 'U', MessageType: 'DeclarativeManagement', Endpoint: endpoint })),
    }),
  ),
  ...Object.entries(odd).map(
    ([name, [where, message]]): Item => ({
      name,
      answers: 200,
      stores: true,
      send: ({ attacker }) => attacker.send(where, Buffer.isBuffer(message) ? message : binaryOf(message)),
    }),
  ),
  {
    name: 'a name of three megabytes in a check-in',
    answers: 400,
    send: ({ attacker }) =>
      attacker.send(
        'checkin',
        encodeXmlPlist({ UDID: 'U', MessageType: 'Authenticate', DeviceName: sized(3_000_000) }),
      ),
  },
  {
    name: 'answers of twenty kilobytes that unfold to megabytes',
    answers: 400,
    send: ({ attacker }) =>
      Promise.all([100, 180, 205].map(times => attacker.send('connect', binaryOf(unfolding(times))))),
  },
  {
    name: 'a value of ten megabytes',
    answers: 413,
    send: ({ attacker }) => attacker.send('checkin', idle(key('A', text(sized(10_000_000))))),
  },
]

function prefixed<T>(prefix: string, table: Record<string, T>): Record<string, T> {
  return Object.fromEntries(Object.entries(table).map(([name, value]) => [prefix + name, value]))
}
