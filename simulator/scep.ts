import { createHash, randomBytes, sign } from 'node:crypto'
import { BulkheadError } from '../src/base/errors.ts'
import { decodeCertificate, encodeName } from '../src/wire/pkcs/certificate.ts'
import type { ContentAlgorithm } from '../src/wire/pkcs/enveloped-data.ts'
import { encodeRequest } from '../src/wire/pkcs/request.ts'
import { decodeSignedData } from '../src/wire/pkcs/signed-data.ts'
import { decodeCertRep } from '../src/wire/scep/certrep.ts'
import { encodePkcsReq } from '../src/wire/scep/pkcsreq.ts'
import type { Answer, Http } from './http.ts'
import type { Identity, KeyPair } from './identity.ts'

/** What GetCACaps and GetCACert said. One server says the same to all its devices, so a fleet may share it. */
export type ScepServer = { capabilities: Set<string>; certificates: Buffer[] }

export type ScepAsk = {
  url: string
  challenge: string
  keys: KeyPair
  signer: Identity
  commonName: string
  messageType?: 'PKCSReq' | 'RenewalReq'
}

export async function learnServer(http: Http, url: string): Promise<ScepServer> {
  const capabilities = await expectOk(http.send(`${url}?operation=GetCACaps`), 'GetCACaps')
  const found = await expectOk(http.send(`${url}?operation=GetCACert`), 'GetCACert')
  return {
    capabilities: new Set(capabilities.body.toString('latin1').split(/\s+/)),
    certificates: certificatesIn(found),
  }
}

function certificatesIn(answer: Answer): Buffer[] {
  const type = answer.headers['content-type']
  if (type === 'application/x-x509-ca-cert') return [answer.body]
  if (type === 'application/x-x509-ca-ra-cert') return [...decodeSignedData(answer.body).certificates]
  throw new BulkheadError('MALFORMED', `GetCACert answered the content type ${type}.`)
}

/** One PKIOperation. Throws REFUSED with the server's failInfo, UNPROVEN or MALFORMED for an answer that does not hold. */
export async function enrolScep(http: Http, server: ScepServer, ask: ScepAsk): Promise<Identity> {
  const { body, transactionID, senderNonce } = scepRequest(server, ask)
  const post = server.capabilities.has('POSTPKIOperation') || server.capabilities.has('SCEPStandard')
  const answer = await expectOk(
    post
      ? http.send(`${ask.url}?operation=PKIOperation`, {
          method: 'POST',
          body,
          headers: { 'content-type': 'application/x-pki-message' },
        })
      : http.send(`${ask.url}?operation=PKIOperation&message=${encodeURIComponent(body.toString('base64'))}`),
    'PKIOperation',
  )
  return {
    privateKey: ask.keys.privateKey,
    certificate: openAnswer(answer.body, server, ask.signer, { transactionID, senderNonce }),
  }
}

export type Transaction = { transactionID: string; senderNonce: Buffer }

/** The pkiMessage to be posted. */
export function scepRequest(server: ScepServer, ask: ScepAsk): Transaction & { body: Buffer } {
  const spki = ask.keys.publicKey.export({ format: 'der', type: 'spki' })
  const subject = encodeName({ CN: ask.commonName })
  const transactionID = createHash('sha256').update(spki).update(ask.challenge).digest('hex').toUpperCase()
  const senderNonce = randomBytes(16)
  const digest = has(server, 'SHA-256') ? 'sha256' : 'sha1'
  const contentAlgorithm: ContentAlgorithm = has(server, 'AES') ? 'aes-128-cbc' : 'des-ede3-cbc'
  const body = encodePkcsReq({
    messageType: ask.messageType ?? 'PKCSReq',
    request: encodeRequest({ subject, spki, challengePassword: ask.challenge }, bytes =>
      sign('sha256', bytes, ask.keys.privateKey),
    ),
    transactionID,
    senderNonce,
    signerCertificate: ask.signer.certificate,
    sign: bytes => sign(digest, bytes, ask.signer.privateKey),
    recipientCertificate: recipientOf(server),
    contentAlgorithm,
    digest,
    randomBytes,
  })
  return { body, transactionID, senderNonce }
}

export function openAnswer(body: Buffer, server: ScepServer, signer: Identity, transaction: Transaction): Buffer {
  const answer = decodeCertRep(body, {
    serverCertificates: server.certificates,
    recipientCertificate: signer.certificate,
    privateKey: signer.privateKey,
    ...transaction,
  })
  if (!answer.issued)
    throw new BulkheadError('REFUSED', `SCEP: ${answer.status}${answer.failInfo ? `, ${answer.failInfo}` : ''}.`)
  return answer.issued
}

/** The RA's certificate where there is one: the first that is no CA. */
function recipientOf(server: ScepServer): Buffer {
  const found = server.certificates.find(der => !decodeCertificate(der).isCa) ?? server.certificates[0]
  if (!found) throw new BulkheadError('MALFORMED', 'GetCACert answered no certificate.')
  return found
}

const has = (server: ScepServer, word: string) =>
  server.capabilities.has(word) || server.capabilities.has('SCEPStandard')

async function expectOk(answer: Promise<Answer>, what: string): Promise<Answer> {
  const { status, headers, body } = await answer
  if (status !== 200) throw new BulkheadError('REFUSED', `${what} answered ${status}.`)
  return { status, headers, body }
}
