import { generateKeyPairSync, sign } from 'node:crypto'
import { createHttp } from '../../../simulator/http.ts'
import { type Identity, identityPem, mdmSignature, throwAwaySigner } from '../../../simulator/identity.ts'
import { OID } from '../../../src/wire/der/oids.ts'
import { readBer } from '../../../src/wire/der/read.ts'
import { context, integer, oid, sequence, set } from '../../../src/wire/der/write.ts'
import { decodeCertificate, issueCertificate } from '../../../src/wire/pkcs/certificate.ts'
import { certsOnly, encodeSignedData, signedAttributesFor } from '../../../src/wire/pkcs/signing.ts'
import { encodeXmlPlist } from '../../../src/wire/plist/plist.ts'
import { CANARY, type Item, pathOf, type World } from './world.ts'

// Proofs that prove nobody, or somebody else, around a message that would be answered.

const idle = encodeXmlPlist({ UDID: CANARY, Status: 'Idle' })
const keys = generateKeyPairSync('rsa', { modulusLength: 2048 })
const stranger = throwAwaySigner(keys, new Date())

type Header = string | false | ((mine: Identity, world: World) => string)
const to = (name: string, answers: Item['answers'], header: Header, body: Uint8Array = idle): Item => ({
  name,
  answers,
  send: world => {
    const signature = typeof header === 'function' ? header(world.attacker.state.identity!, world) : header
    return world.attacker.send('connect', body, { signature })
  },
})
const base64 = (hex: string, times: number) => Buffer.from(hex.repeat(times), 'hex').toString('base64')
const changed = (header: string, change: (bytes: Buffer) => Buffer) =>
  change(Buffer.from(header, 'base64')).toString('base64')

/** Names and number of another certificate, over a key of our own. */
function forged(of: Identity): Identity {
  const { serial, issuer, subject, notBefore, notAfter } = decodeCertificate(of.certificate)
  const spki = keys.publicKey.export({ format: 'der', type: 'spki' })
  const fields = { serial, issuer, subject, notBefore, notAfter, spki, keyUsage: ['digitalSignature' as const] }
  const certificate = issueCertificate({ ...fields, signature: 'rsa-sha256' }, bytes =>
    sign('sha256', bytes, keys.privateKey),
  )
  return { privateKey: keys.privateKey, certificate }
}

function withAttributes(mine: Identity, count: number, content: Uint8Array = idle): string {
  const attributes = Array.from({ length: count }, (_, n) => [`1.2.3.${n}`, integer(n)] as const)
  const { certificate, privateKey } = mine
  const signer = {
    certificate,
    digest: 'sha256' as const,
    attributes,
    sign: (bytes: Buffer) => sign('sha256', bytes, privateKey),
  }
  return encodeSignedData({ content, detached: true, certificates: [certificate], signer }).toString('base64')
}

function withSigners(mine: Identity, ...others: Identity[]): string {
  const all = [mine, ...others]
  const signers = all.map(identity => {
    const message = readBer(Buffer.from(mdmSignature(idle, identity), 'base64'))
    return message.children[1]!.children[0]!.children.at(-1)!.children[0]!.raw
  })
  const certificates = context(0, ...all.map(({ certificate }) => certificate))
  const data = sequence(integer(1), set([]), sequence(oid(OID.data)), certificates, set(signers))
  return sequence(oid(OID.signedData), context(0, data)).toString('base64')
}

/** The attributes of an honest message, passed off as a message without any. */
function attributesAsBody(): Item {
  const body = signedAttributesFor(idle, new Date(0))
  return to(
    'signed attributes that are sent as the body',
    403,
    mine => mdmSignature(body, mine, { attributes: false }),
    body,
  )
}

const anothers: Item[] = [
  {
    name: 'the attacker’s signature at the URLs of the innocent',
    answers: 403,
    send: ({ attacker, innocent }) => attacker.send(innocent.state.enrolment!.serverUrl, idle),
  },
  {
    name: 'a check-in of the innocent’s, signed by the attacker, at the URLs of the innocent',
    answers: 403,
    send: ({ attacker, innocent }) =>
      attacker.send(
        innocent.state.enrolment!.checkInUrl,
        encodeXmlPlist({ MessageType: 'CheckOut', UDID: innocent.self.udid }),
      ),
  },
  {
    name: 'the innocent’s certificate with the attacker’s signature',
    answers: 403,
    send: ({ attacker, innocent }) => {
      const identity = {
        certificate: innocent.state.identity!.certificate,
        privateKey: attacker.state.identity!.privateKey,
      }
      return attacker.send(innocent.state.enrolment!.serverUrl, idle, { identity })
    },
  },
  {
    name: 'a message of the innocent’s that is sent again at the URLs of the attacker',
    answers: 403,
    send: ({ attacker, innocent }) => attacker.send('connect', idle, { identity: innocent.state.identity! }),
  },
  {
    name: 'the innocent’s certificate in a header that only a proxy may set',
    answers: 403,
    send: ({ attacker, innocent }) =>
      attacker.send(innocent.state.enrolment!.serverUrl, idle, {
        signature: false,
        headers: { 'client-cert': `:${innocent.state.identity!.certificate.toString('base64')}:` },
      }),
  },
  {
    name: 'the attacker’s certificate over TLS at the URLs of the innocent',
    answers: 403,
    send: async ({ home, attacker, innocent }) => {
      const client = createHttp({ ca: 'any', client: identityPem(attacker.state.identity!) })
      const url = home.tlsUrl + pathOf(innocent.state.enrolment!.serverUrl)
      return client.send(url, { method: 'PUT', body: idle }).finally(client.close)
    },
  },
  {
    name: 'the innocent’s certificate over TLS, forged',
    answers: 403,
    send: async ({ home, innocent }) => {
      const client = createHttp({ ca: 'any', client: identityPem(forged(innocent.state.identity!)) })
      const url = home.tlsUrl + pathOf(innocent.state.enrolment!.serverUrl)
      return client.send(url, { method: 'PUT', body: idle }).finally(client.close)
    },
  },
  {
    name: 'an old certificate, once the new one was used',
    answers: 403,
    send: ({ renewed }) => renewed.device.send('connect', idle, { identity: renewed.old }),
  },
  {
    name: 'an old certificate over TLS, once the new one was used',
    answers: 403,
    send: async ({ home, renewed }) => {
      const client = createHttp({ ca: 'any', client: identityPem(renewed.old) })
      const url = home.tlsUrl + pathOf(renewed.device.state.enrolment!.serverUrl)
      return client.send(url, { method: 'PUT', body: idle }).finally(client.close)
    },
  },
  {
    name: 'a BootstrapToken asked for with a signature over something else',
    answers: 403,
    send: ({ attacker }) =>
      attacker.send('checkin', encodeXmlPlist({ MessageType: 'GetBootstrapToken' }), {
        signature: mdmSignature(idle, attacker.state.identity!),
      }),
  },
]

export const signatures: Item[] = [
  to('no signature', 403, false),
  to('an empty signature', 400, ''),
  to('a signature that is not base64', 400, '¡¿!?'.replaceAll(/[¡¿]/g, '*')),
  to('a signature that is text', 400, Buffer.from(CANARY).toString('base64')),
  to('a signature cut in the middle', 400, mine => changed(mdmSignature(idle, mine), bytes => bytes.subarray(0, 300))),
  to('a signature of 40 KB', [404, 413], 'A'.repeat(40_000)),
  to('a signature of 100 KB', 404, 'A'.repeat(100_000)),
  to('indefinite lengths that never end', 413, base64('3080', 10_000)),
  to('an indefinite string in pieces that never end', 400, base64('2480', 1) + base64('040141', 6_000)),
  to('a length of four gigabytes', 400, base64('3084ffffffff', 1)),
  to('a length of 126 bytes', 400, base64('30fe', 100)),
  to('a signature over another body', 403, mine => mdmSignature(Buffer.from('another'), mine)),
  to('a signature that carries another body', 403, mine =>
    mdmSignature(Buffer.from('another'), mine, { attached: true }),
  ),
  to('a signature whose last bit was changed', 403, mine =>
    changed(mdmSignature(idle, mine), bytes => {
      bytes[bytes.length - 1]! ^= 1
      return bytes
    }),
  ),
  to('a digest that nobody accepts', [400, 403], mine =>
    changed(mdmSignature(idle, mine), bytes =>
      Buffer.from(bytes.toString('hex').replaceAll('0609608648016503040201', '0609608648016503040204'), 'hex'),
    ),
  ),
  to('a certificate of a stranger', 403, mdmSignature(idle, stranger)),
  to('a certificate with names and number of the right one', 403, mine => mdmSignature(idle, forged(mine))),
  to('no certificate', [400, 403], mine =>
    encodeSignedData({
      content: idle,
      detached: true,
      certificates: [],
      signer: {
        certificate: mine.certificate,
        digest: 'sha256',
        sign: bytes => sign('sha256', bytes, mine.privateKey),
      },
    }).toString('base64'),
  ),
  to('certificates and no signer', 400, mine => certsOnly([mine.certificate]).toString('base64')),
  to('two signers', 400, mine => withSigners(mine, stranger)),
  to('twenty signers', [400, 404, 413], mine => withSigners(mine, ...Array<Identity>(19).fill(stranger))),
  to('ten thousand attributes', 404, mine => withAttributes(mine, 10_000)),
  to('a thousand attributes over another body', 403, mine => withAttributes(mine, 1_000, Buffer.from('another'))),
  attributesAsBody(),
  ...anothers,
]
