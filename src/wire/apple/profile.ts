/** The enrolment profile: an identity by SCEP, the anchors that the device shall trust, and the MDM payload. */
import { createHash } from 'node:crypto'
import type { PlistDict } from '../plist/plist.ts'
import { dictOf } from './dict.ts'

/** All ids come from the caller, so that a renewal gives the same profile: only the challenge is fresh. */
export type EnrolmentProfile = {
  organisation: string
  displayName: string
  /** Reverse DNS name of the profile; the payloads' identifiers begin with it. */
  profileIdentifier: string
  profileUuid: string
  scepPayloadUuid: string
  mdmPayloadUuid: string
  serverUrl: string
  checkInUrl: string
  scepUrl: string
  challenge: string
  /** The UID of the push certificate: com.apple.mgmt.… */
  topic: string
  /** A sum of AccessRights; never 0. */
  accessRights: number
  /** Digest of the CA certificate, for a SCEP server that is met without TLS. */
  caFingerprint?: Uint8Array
  /** Root certificates in DER. */
  anchors?: readonly Uint8Array[]
}

const SIGN_AND_ENCRYPT = 1 + 4
const RETRIES = 3
const RETRY_SECONDS = 10
/** The certificate's name tells nothing about whose device it is: the voucher does, and only to us. */
const SUBJECT = [[['CN', 'Bulkhead device']]]

export function enrolmentProfile(options: EnrolmentProfile): PlistDict {
  const anchors = (options.anchors ?? []).map((der, index) => anchorPayload(options, der, index))
  return dictOf([
    ['PayloadType', 'Configuration'],
    ['PayloadVersion', 1],
    ['PayloadIdentifier', options.profileIdentifier],
    ['PayloadUUID', options.profileUuid],
    ['PayloadDisplayName', options.displayName],
    ['PayloadOrganization', options.organisation],
    ['PayloadScope', 'System'],
    ['PayloadContent', [...anchors, scepPayload(options), mdmPayload(options)]],
  ])
}

/**
 * A UUID from a seed: the first 16 bytes of its SHA-256, marked as RFC 4122 variant and, as a name-based UUID, version 5
 * (which by the book would be SHA-1). The same seed gives the same UUID for ever.
 */
export function uuidFrom(seed: string): string {
  const bytes = createHash('sha256').update(seed, 'utf8').digest().subarray(0, 16)
  bytes[6] = (bytes[6]! & 0x0f) | 0x50
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  const hex = bytes.toString('hex').toUpperCase()
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}

function anchorPayload(options: EnrolmentProfile, der: Uint8Array, index: number): PlistDict {
  const digest = createHash('sha256').update(der).digest('hex')
  return dictOf([
    ['PayloadType', 'com.apple.security.root'],
    ['PayloadVersion', 1],
    ['PayloadIdentifier', `${options.profileIdentifier}.anchor.${index + 1}`],
    ['PayloadUUID', uuidFrom(`${options.profileUuid} anchor ${digest}`)],
    ['PayloadDisplayName', `${options.organisation} root certificate`],
    ['PayloadContent', der],
  ])
}

function scepPayload(options: EnrolmentProfile): PlistDict {
  const content = dictOf([
    ['URL', options.scepUrl],
    ['Subject', SUBJECT],
    ['Challenge', options.challenge],
    ['Key Type', 'RSA'],
    ['Keysize', 2048],
    ['Key Usage', SIGN_AND_ENCRYPT],
    ['Retries', RETRIES],
    ['RetryDelay', RETRY_SECONDS],
  ])
  if (options.caFingerprint !== undefined) content.CAFingerprint = options.caFingerprint
  return dictOf([
    ['PayloadType', 'com.apple.security.scep'],
    ['PayloadVersion', 1],
    ['PayloadIdentifier', `${options.profileIdentifier}.scep`],
    ['PayloadUUID', options.scepPayloadUuid],
    ['PayloadDisplayName', 'Device identity'],
    ['PayloadContent', content],
  ])
}

function mdmPayload(options: EnrolmentProfile): PlistDict {
  return dictOf([
    ['PayloadType', 'com.apple.mdm'],
    ['PayloadVersion', 1],
    ['PayloadIdentifier', `${options.profileIdentifier}.mdm`],
    ['PayloadUUID', options.mdmPayloadUuid],
    ['PayloadDisplayName', 'Device management'],
    ['IdentityCertificateUUID', options.scepPayloadUuid],
    ['Topic', options.topic],
    ['ServerURL', options.serverUrl],
    ['CheckInURL', options.checkInUrl],
    ['AccessRights', options.accessRights],
    ['SignMessage', true],
    ['CheckOutWhenRemoved', true],
    ['ServerCapabilities', ['com.apple.mdm.per-user-connections', 'com.apple.mdm.bootstraptoken']],
  ])
}
