import { BulkheadError } from '../base/errors.ts'
import { recordAad } from '../trust/directory.ts'
import { type CheckinType, decodeCheckin } from '../wire/apple/checkin.ts'
import { decodeConnect } from '../wire/apple/connect.ts'
import { hpkeSeal } from '../wire/hpke.ts'
import { digestNamed } from '../wire/pkcs/algorithms.ts'
import { contentOf, decodeSignedData, isIdentified, type Signer } from '../wire/pkcs/signed-data.ts'
import { decodePlist, encodeXmlPlist, type PlistDict } from '../wire/plist/plist.ts'
import type {
  Candidate,
  CheckinFound,
  CheckinMessage,
  ConnectFound,
  ConnectMessage,
  DeviceRequest,
  SealedPlace,
  SignerFound,
} from './api.ts'
import { isReport, reportAad, sealAad } from './api.ts'
import { createCertificates } from './certificates.ts'

// Rules of this file: bytes of strangers come in, small values go out. Nothing personal leaves unsealed; what leaves in clear
// is the allow-list of wire/apple/clear.ts. Nothing here decides who the sender is: the asker verifies the signature itself.

const KIB = 1024
const MAX_BODY = 4096 * KIB
const MAX_CHECKIN = 1024 * KIB // as it is sealed: what is shared or escaped grows when it is written out
const MAX_RESULT = 4096 * KIB
const MAX_SIGNATURE = 32 * 1024
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

export function decodeDevice(request: DeviceRequest, body: Buffer): CheckinFound | ConnectFound {
  const signer = request.signature === null ? null : findSigner(request.signature, body, request.candidates)
  const presented = signer?.certificate ?? request.certificate
  const candidate = request.candidates.find(({ certificate }) => certificate === presented)
  if (!candidate) return { signer, device: null, message: null }
  const found = { signer, device: candidate.device }
  try {
    const plist = decodePlist(body, limitsOf(body))
    if (request.kind === 'checkin') return { ...found, message: checkin(plist, candidate) }
    return { ...found, message: connect(plist, candidate) }
  } catch (error) {
    // The signer is known although the message is not: its queue must not wait for an answer that never decodes.
    if (error instanceof BulkheadError) return { ...found, message: null, malformed: error.message }
    throw error
  }
}

/** A binary list may name one long text ten thousand times: honest ones share keys and little else, and stay far below eightfold. */
const limitsOf = (body: Buffer) => ({
  maxBytes: Math.min(MAX_BODY, 64 * KIB + 8 * body.length),
  maxDepth: 32,
  maxItems: 50_000,
})

/** Those of candidates, and no others: see `createCertificates`. */
export const certificates = createCertificates()

function findSigner(header: string, body: Buffer, candidates: readonly Candidate[]): SignerFound {
  if (header.length > MAX_SIGNATURE) throw new BulkheadError('LIMIT', 'The Mdm-Signature header is too long.')
  const cms = decodeSignedData(Buffer.from(header, 'base64'))
  contentOf(cms, body)
  const signer = cms.signers[0]
  if (!signer || cms.signers.length !== 1) throw new BulkheadError('MALFORMED', 'Mdm-Signature has exactly one signer.')
  const certificate = signerCertificate(signer, cms.certificates, candidates)
  return {
    certificate,
    attributes: signer.signedAttributes?.bytesToVerify.toString('base64') ?? null,
    digest: digestNamed(signer.digestAlgorithm),
    signature: signer.signature.toString('base64'),
  }
}

function signerCertificate(signer: Signer, all: readonly Buffer[], candidates: readonly Candidate[]): string {
  for (const der of all) {
    const known = certificates.find(der)
    if (!isIdentified(signer, known.decoded)) continue
    if (candidates.some(({ certificate }) => certificate === known.sha256)) certificates.keep(der, known)
    return known.sha256
  }
  throw new BulkheadError('MALFORMED', "Mdm-Signature does not carry its signer's certificate.")
}

function seal(place: SealedPlace, to: Candidate, plaintext: Uint8Array): string {
  if (to.report !== null && isReport(place))
    return sealReport(place, to.device, to.report, plaintext).toString('base64')
  return hpkeSeal(Buffer.from(to.sealTo, 'base64'), plaintext, sealAad(place, to.device)).toString('base64')
}

/** The unit's key inside, the device's release key around it: neither the vault alone nor an operator alone reads it. */
function sealReport(
  place: SealedPlace,
  id: string,
  to: NonNullable<Candidate['report']>,
  plaintext: Uint8Array,
): Buffer {
  const record = { kind: 'device', id, unit: to.unit, version: 1 } as const
  const genesis = Buffer.from(to.genesis, 'hex')
  const innerAad = reportAad(place, recordAad('inner', record, genesis))
  const inner = hpkeSeal(Buffer.from(to.unitKey, 'base64'), plaintext, innerAad)
  return hpkeSeal(Buffer.from(to.releaseKey, 'base64'), inner, recordAad('outer', record, genesis))
}

/** Throws LIMIT above `most` bytes. */
const sealDict = (place: SealedPlace, to: Candidate, dict: PlistDict | undefined, most: number) =>
  dict === undefined ? null : seal(place, to, encodeXmlPlist(dict, most))

function checkin(plist: Parameters<typeof decodeCheckin>[0], to: Candidate): CheckinMessage {
  const message = decodeCheckin(plist)
  const user = message.userId ?? null
  // Who it says it is (UDID, user names) is personal too: sealed with the rest where it is kept at all.
  const said: PlistDict = { ...message.personal }
  if (message.udid !== undefined) said.UDID = message.udid
  if (message.enrollmentId !== undefined) said.EnrollmentID = message.enrollmentId
  if (user !== null) said.UserID = user
  return {
    type: message.type,
    user,
    facts: message.clear,
    sealed: keepsAll(message.type)
      ? sealDict(user === null ? 'device.sealed' : 'user.sealed', to, said, MAX_CHECKIN)
      : null,
    push: message.tokenUpdate ? pushOf(message.tokenUpdate, user, to) : null,
    bootstrapToken: message.bootstrapToken ? seal('device.bootstrap', to, message.bootstrapToken) : null,
    tokenServiceType: message.tokenServiceType ?? null,
    endpoint: message.endpoint ?? null,
  }
}

const keepsAll = (type: CheckinType) => type === 'Authenticate' || type === 'TokenUpdate'

function pushOf(
  update: NonNullable<ReturnType<typeof decodeCheckin>['tokenUpdate']>,
  user: string | null,
  to: Candidate,
) {
  const address = JSON.stringify({ token: Buffer.from(update.token).toString('base64'), magic: update.pushMagic })
  return {
    sealed: seal(user === null ? 'device.push' : 'user.push', to, Buffer.from(address)),
    topic: update.topic ?? '',
    unlockToken: update.unlockToken ? seal('device.unlock', to, update.unlockToken) : null,
  }
}

function connect(plist: Parameters<typeof decodeConnect>[0], to: Candidate): ConnectMessage {
  const message = decodeConnect(plist)
  const command = message.commandUuid?.toLowerCase() ?? ''
  return {
    status: message.status,
    user: message.userId ?? null,
    command: UUID.test(command) ? command : null,
    code: message.error?.code ?? null,
    domain: message.error?.domain ?? null,
    facts: message.status === 'Acknowledged' && Object.keys(message.clear).length > 0 ? message.clear : null,
    ...(message.status === 'Idle' ? { sealed: null } : restOf(message.personal, to)),
  }
}

/** An answer that is too long still says which channel it came from: its command leaves that queue. */
function restOf(personal: PlistDict | undefined, to: Candidate): Pick<ConnectMessage, 'sealed' | 'unread'> {
  try {
    return { sealed: sealDict('result.sealed', to, personal, MAX_RESULT) }
  } catch (error) {
    if (error instanceof BulkheadError) return { sealed: null, unread: error.message }
    throw error
  }
}
