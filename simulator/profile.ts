import { X509Certificate } from 'node:crypto'
import { BulkheadError } from '../src/base/errors.ts'
import { dataAt, isDict, own, stringAt } from '../src/wire/apple/dict.ts'
import { decodeCertificate } from '../src/wire/pkcs/certificate.ts'
import { publicKeyOf } from '../src/wire/pkcs/key.ts'
import { decodeSignedData, isIdentified, verifySigner } from '../src/wire/pkcs/signed-data.ts'
import { decodePlist, type PlistDict } from '../src/wire/plist/plist.ts'
import { FAULT, type Fault } from './rights.ts'

/** A configuration profile as a device reads it. `signer` is the certificate (DER) whose signature held, undefined when unsigned. */
export type Profile = {
  identifier: string
  uuid: string
  name: string
  payloads: PlistDict[]
  signer: Buffer | undefined
}

/** What an enrolment profile says. */
export type Enrolment = {
  identifier: string
  signer: Buffer | undefined
  serverUrl: string
  checkInUrl: string
  topic: string
  rights: number
  signMessage: boolean
  checkOutWhenRemoved: boolean
  capabilities: string[]
  scep: { uuid: string; url: string; challenge: string; keySize: number; subject: string }
}

/** Opens a profile, plain XML or CMS-signed. Throws BulkheadError: a signature that does not hold is never passed over. */
export function openProfile(bytes: Uint8Array): Profile {
  const { content, signer } = bytes[0] === 0x30 ? openSigned(bytes) : { content: bytes, signer: undefined }
  const profile = decodePlist(content)
  if (!isDict(profile) || stringAt(profile, 'PayloadType') !== 'Configuration')
    throw malformed('It is not a configuration profile.')
  const payloads = own(profile, 'PayloadContent')
  return {
    identifier: text(profile, 'PayloadIdentifier'),
    uuid: text(profile, 'PayloadUUID'),
    name: stringAt(profile, 'PayloadDisplayName') ?? '',
    payloads: Array.isArray(payloads) ? payloads.filter(isDict) : [],
    signer,
  }
}

function openSigned(bytes: Uint8Array): { content: Buffer; signer: Buffer } {
  const message = decodeSignedData(bytes)
  const [signer] = message.signers
  const certificate = message.certificates.map(decodeCertificate).find(one => signer && isIdentified(signer, one))
  if (!signer || !certificate || !message.content)
    throw malformed('The signed profile lacks its signer or its content.')
  if (!verifySigner(signer, message.content, publicKeyOf(certificate.spki)))
    throw new BulkheadError('UNPROVEN', 'The signature of the profile does not hold.')
  return { content: message.content, signer: certificate.der }
}

export function isEnrolment(profile: Profile): boolean {
  return profile.payloads.some(payload => stringAt(payload, 'PayloadType') === 'com.apple.mdm')
}

/** The enrolment in a profile. Throws MALFORMED when the MDM payload or its identity is missing or wrong. */
export function enrolmentOf(profile: Profile): Enrolment {
  const mdm = profile.payloads.find(payload => stringAt(payload, 'PayloadType') === 'com.apple.mdm')
  if (!mdm) throw malformed('It has no MDM payload.')
  const rights = own(mdm, 'AccessRights')
  if (typeof rights !== 'number' || rights < 1 || rights > 8191)
    throw malformed('AccessRights is not between 1 and 8191.')
  if ((rights & 2) !== 0 && (rights & 1) === 0) throw malformed('AccessRights has 2 without 1.')
  const capabilities = own(mdm, 'ServerCapabilities')
  return {
    identifier: profile.identifier,
    signer: profile.signer,
    serverUrl: text(mdm, 'ServerURL'),
    checkInUrl: stringAt(mdm, 'CheckInURL') ?? text(mdm, 'ServerURL'),
    topic: text(mdm, 'Topic'),
    rights,
    signMessage: own(mdm, 'SignMessage') === true,
    checkOutWhenRemoved: own(mdm, 'CheckOutWhenRemoved') === true,
    capabilities: Array.isArray(capabilities) ? capabilities.map(String) : [],
    scep: identityOf(profile, text(mdm, 'IdentityCertificateUUID')),
  }
}

function identityOf(profile: Profile, uuid: string): Enrolment['scep'] {
  const payload = profile.payloads.find(one => stringAt(one, 'PayloadUUID') === uuid)
  const content = payload && own(payload, 'PayloadContent')
  if (!payload || stringAt(payload, 'PayloadType') !== 'com.apple.security.scep' || !isDict(content))
    throw malformed('The MDM payload names no SCEP identity.')
  const keySize = own(content, 'Keysize')
  return {
    uuid,
    url: text(content, 'URL'),
    challenge: text(content, 'Challenge'),
    keySize: typeof keySize === 'number' ? keySize : 2048,
    subject: JSON.stringify(own(content, 'Subject') ?? []),
  }
}

/** Why a device keeps its old enrolment instead of this one; undefined when it accepts. Rights may go, none may come. */
export function renewalRefusal(old: Enrolment, next: Enrolment): Fault | undefined {
  const changed = (['serverUrl', 'checkInUrl', 'topic'] as const).find(key => old[key] !== next[key])
  if (old.identifier !== next.identifier) return { code: FAULT.multipleServers, text: 'The device is managed already.' }
  if (changed) return { code: FAULT.mismatch, text: `${changed} may not change.` }
  if ((next.rights & ~old.rights) !== 0)
    return { code: FAULT.invalidReplacement, text: 'An access right would be added.' }
  if (perUser(old) !== perUser(next))
    return { code: FAULT.invalidReplacement, text: 'Per-user connections may not change.' }
  if (!sameAuthority(old.signer, next.signer))
    return { code: FAULT.invalidReplacement, text: 'It is not signed by the same authority.' }
  return undefined
}

const perUser = (enrolment: Enrolment) => enrolment.capabilities.includes('com.apple.mdm.per-user-connections')

/** The same certificate, or one that the same issuer gave the same name. */
function sameAuthority(old: Buffer | undefined, next: Buffer | undefined): boolean {
  if (!old || !next) return old === next
  if (old.equals(next)) return true
  const [before, after] = [new X509Certificate(old), new X509Certificate(next)]
  return before.issuer === after.issuer && before.subject === after.subject && before.issuer !== before.subject
}

/** The bytes of an InstallProfile's payload. */
export function payloadBytes(command: PlistDict): Uint8Array {
  const bytes = dataAt(command, 'Payload')
  if (!bytes) throw malformed('InstallProfile has no Payload.')
  return bytes
}

function text(dict: PlistDict, key: string): string {
  const value = stringAt(dict, key)
  if (!value) throw malformed(`${key} is missing.`)
  return value
}

const malformed = (message: string) => new BulkheadError('MALFORMED', `The profile is malformed. ${message}`)
