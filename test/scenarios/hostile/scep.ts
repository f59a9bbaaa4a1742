import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'
import { type Enrolment, enrolmentOf, openProfile } from '../../../simulator/profile.ts'
import { encodeName } from '../../../src/wire/pkcs/certificate.ts'
import { encodeRequest } from '../../../src/wire/pkcs/request.ts'
import { certsOnly, decodeSignedData } from '../../../src/wire/pkcs/signed-data.ts'
import { encodePkiMessage } from '../../../src/wire/scep/sealing.ts'
import type { FailInfo, MessageType } from '../../../src/wire/scep/vocabulary.ts'
import { type ScepFields, scepRequest, spkiOf, testKey, throwAway } from '../../support/scep.ts'
import { CANARY, type Item, type World } from './world.ts'

// Requests for a certificate that get none. Each has a profile of its own, so that a challenge and a path are there.

export type Opened = { url: string; challenge: string; certs: Buffer }
export async function open(world: World): Promise<Opened> {
  const { url, challenge } = (await profile(world.profileUrl)).scep
  return { url, challenge, certs: await bytesOf(`${url}?operation=GetCACert`) }
}
export const profile = async (url: string): Promise<Enrolment> => enrolmentOf(openProfile(await bytesOf(url)))
async function bytesOf(url: string): Promise<Buffer> {
  const answer = await fetch(url)
  if (answer.status !== 200) throw new Error(`${url} answered ${answer.status}`)
  return Buffer.from(await answer.arrayBuffer())
}

export const post = ({ attacker }: World, url: string, body: Uint8Array) =>
  attacker.send(`${url}?operation=PKIOperation`, body, {
    method: 'POST',
    contentType: 'application/x-pki-message',
    signature: false,
  })
const get = ({ attacker }: World, url: string, query: string) =>
  attacker.send(`${url}?${query}`, Buffer.alloc(0), { method: 'GET', contentType: null, signature: false })

/** `certs`: what the asker takes for the answer of GetCACert. */
type Make = (opened: Opened, world: World) => Fields | Promise<Fields>
type Fields = ScepFields & { certs?: Buffer }
/** A whole message that SCEP itself says no to. */
const failing = (name: string, failInfo: FailInfo, make: Make): Item => ({
  name,
  answers: 200,
  async send(world) {
    const opened = await open(world)
    const { certs = opened.certs, ...fields } = await make(opened, world)
    const request = scepRequest(certs, fields)
    const answer = await post(world, opened.url, request.bytes)
    const reply = answer.status === 200 ? request.open(answer.body) : undefined
    if (reply && (reply.issued || reply.failInfo !== failInfo))
      throw new Error(`SCEP answered ${reply.status} ${reply.failInfo}, not ${failInfo}.`)
    return answer
  },
})
/** Bytes that do not decode. */
const refused = (name: string, answers: Item['answers'], make: (opened: Opened, world: World) => Uint8Array): Item => ({
  name,
  answers,
  async send(world) {
    const opened = await open(world)
    return post(world, opened.url, make(opened, world))
  },
})
const whole = ({ certs, challenge }: Opened, fields: ScepFields = {}) =>
  scepRequest(certs, { challenge, ...fields }).bytes
const change = (bytes: Buffer, at: number) => {
  bytes[at]! ^= 1
  return bytes
}

function request(key: KeyObject, challenge: string, signer = key): Buffer {
  const fields = { subject: encodeName({ CN: CANARY }), spki: spkiOf(key), challengePassword: challenge }
  return encodeRequest(fields, bytes => sign('sha256', bytes, signer))
}

/** A request of another type, or with attributes that are not as they should be. */
function odd(
  opened: Opened,
  fields: { messageType?: MessageType; transactionID?: string; senderNonce?: Buffer; content?: Buffer },
): Buffer {
  const key = testKey('throw-away')
  const certificate = throwAway(key)
  const { content } = decodeSignedData(whole(opened))
  return encodePkiMessage({
    messageType: 'PKCSReq',
    transactionID: 'a transaction',
    senderNonce: randomBytes(16),
    content,
    certificates: [certificate],
    signerCertificate: certificate,
    digest: 'sha256',
    sign: bytes => sign('sha256', bytes, key),
    ...fields,
  })
}

const weak = (modulusLength: number) => generateKeyPairSync('rsa', { modulusLength }).privateKey
const curve = (namedCurve: string) => generateKeyPairSync('ec', { namedCurve }).privateKey

const outer: Item[] = [
  ...[
    '',
    'operation=',
    'operation=GetNextCACert',
    'operation=__proto__',
    'operation=PKIOPERATION',
    'OPERATION=GetCACaps',
  ].map(
    (query): Item => ({
      name: `SCEP: the query “${query}”`,
      answers: 404,
      send: async world => get(world, (await open(world)).url, query),
    }),
  ),
  ...[
    '',
    '&message=',
    '&message=garbage',
    '&message=%00%ff%fe',
    `&message=${'MIII'.repeat(5_000)}`,
    '&message=a&message=b',
  ].map(
    (query): Item => ({
      name: `SCEP: a GET with “${query.slice(0, 30)}”`,
      answers: 400,
      send: async world => get(world, (await open(world)).url, `operation=PKIOperation${query}`),
    }),
  ),
  {
    name: 'SCEP: a GET with a message of 30 KB',
    answers: 404,
    send: async world => get(world, (await open(world)).url, `operation=PKIOperation&message=${'A'.repeat(30_000)}`),
  },
  refused('SCEP: an empty message', 400, () => Buffer.alloc(0)),
  refused('SCEP: text', 400, () => Buffer.from(CANARY)),
  refused('SCEP: 64 KB and a byte', 413, () => Buffer.alloc(65_537)),
  refused('SCEP: ten megabytes', 413, () => Buffer.alloc(10_000_000)),
  refused('SCEP: indefinite lengths that never end', 413, () => Buffer.alloc(60_000, Buffer.from('3080', 'hex'))),
  refused('SCEP: a message cut in the middle', 400, opened => whole(opened).subarray(0, 1500)),
  refused('SCEP: certificates and no signer', 400, ({ certs }) => certs),
  refused('SCEP: a transaction without an id', 400, opened => odd(opened, { transactionID: '' })),
  refused('SCEP: a transaction’s id of 300 characters', 400, opened => odd(opened, { transactionID: 'x'.repeat(300) })),
  refused('SCEP: an empty nonce', 400, opened => odd(opened, { senderNonce: Buffer.alloc(0) })),
  refused('SCEP: a nonce of a kilobyte', 400, opened => odd(opened, { senderNonce: randomBytes(1024) })),
  refused('SCEP: no envelope', 400, opened => odd(opened, { content: Buffer.alloc(0) })),
  refused('SCEP: an envelope of garbage', 400, opened => odd(opened, { content: randomBytes(300) })),
  refused('SCEP: another transaction than the one that was signed', [200, 400], opened => {
    const bytes = odd(opened, { transactionID: CANARY })
    return change(bytes, bytes.indexOf(CANARY))
  }),
  ...(['CertPoll', 'GetCert', 'GetCRL', 'CertRep'] as const).map(messageType =>
    refused(`SCEP: a ${messageType}`, [200, 400], opened => odd(opened, { messageType })),
  ),
]

const sealed: Item[] = [
  failing('SCEP: no challenge', 'badRequest', () => ({})),
  failing('SCEP: a challenge that is wrong', 'badRequest', () => ({ challenge: CANARY })),
  failing('SCEP: a challenge of 30 KB', 'badRequest', () => ({ challenge: 'x'.repeat(30_000) })),
  failing('SCEP: a challenge with a NUL', 'badRequest', ({ challenge }) => ({ challenge: `${challenge}\0` })),
  failing('SCEP: a challenge with its last letter changed', 'badRequest', ({ challenge }) => ({
    challenge: challenge.slice(0, -1) + (challenge.endsWith('A') ? 'B' : 'A'),
  })),
  failing('SCEP: the challenge of another path', 'badRequest', async (_, world) => ({
    challenge: (await open(world)).challenge,
  })),
  failing('SCEP: a key of 512 bits', 'badAlg', ({ challenge }) => ({
    challenge,
    request: request(weak(512), challenge),
  })),
  failing('SCEP: a key of 1024 bits', 'badAlg', ({ challenge }) => ({ challenge, key: weak(1024) })),
  failing('SCEP: a signer with an EC key', 'badAlg', ({ challenge }) => {
    const key = curve('P-256')
    return { challenge, signer: { key, certificate: throwAway(key) } }
  }),
  failing('SCEP: a request signed by another key', 'badMessageCheck', ({ challenge }) => ({
    request: request(testKey('device'), challenge, testKey('throw-away')),
  })),
  failing('SCEP: a request changed after it was signed', 'badMessageCheck', ({ challenge }) => {
    const made = request(testKey('device'), challenge)
    return { request: change(made, made.indexOf(CANARY)) }
  }),
  failing('SCEP: an envelope for a stranger', 'badMessageCheck', ({ certs, challenge }) => ({
    challenge,
    certs: certsOnly([throwAway(testKey('stranger')), ...decodeSignedData(certs).certificates]),
  })),
  failing('SCEP: garbage in the envelope', 'badMessageCheck', () => ({ request: randomBytes(500) })),
  failing('SCEP: indefinite lengths in the envelope', 'badMessageCheck', () => ({
    request: Buffer.alloc(30_000, Buffer.from('3080', 'hex')),
  })),
  failing('SCEP: a renewal by a certificate that is nobody’s', 'badRequest', () => ({ messageType: 'RenewalReq' })),
  failing('SCEP: a renewal by a device at another’s path', 'badRequest', (_, { attacker }) => ({
    messageType: 'RenewalReq',
    signer: { key: attacker.state.identity!.privateKey, certificate: attacker.state.identity!.certificate },
  })),
]

/** One byte changed inside the envelope, and the whole signed again: only the RA's key notices. */
const envelopes: Item[] = [0.3, 0.6, 0.9, 0.999].map(
  (part): Item => ({
    name: `SCEP: an envelope with one bit changed, ${part * 100} % of the way`,
    answers: [200, 400],
    async send(world) {
      const opened = await open(world)
      const content = Buffer.from(decodeSignedData(whole(opened)).content!)
      const answer = await post(
        world,
        opened.url,
        odd(opened, { content: change(content, Math.floor(content.length * part)) }),
      )
      if (answer.status === 200 && decodeSignedData(answer.body).content?.length)
        throw new Error('An envelope that was changed got a certificate.')
      return answer
    },
  }),
)

export const scep: Item[] = [...outer, ...sealed, ...envelopes]
