import { encodeXmlPlist } from '../plist/plist.ts'
import { enrolmentProfile, uuidFrom } from './profile.ts'
import { TIERS as TIER_RIGHTS } from './rights.ts'

/** Never changes after the first enrolment: a device replaces a profile only by one with the same identifier. */
export const PROFILE_IDENTIFIER = 'eu.bulkhead.enrolment'

export type EnrolmentParts = {
  path: string
  pathToken: string
  challenge: string
  tier: keyof typeof TIER_RIGHTS
  topic: string
  url: string
  organisation: string
}

/** The bytes of an enrolment profile. The vault signs them and the edge hands them out: both build them, and neither takes them from the other. */
export function enrolmentProfileBytes(parts: EnrolmentParts): Uint8Array {
  const base = `${parts.url}/d/${parts.pathToken}`
  return encodeXmlPlist(
    enrolmentProfile({
      organisation: parts.organisation,
      displayName: `Device management by ${parts.organisation}`,
      profileIdentifier: PROFILE_IDENTIFIER,
      profileUuid: uuidFrom(`profile\n${parts.path}`),
      mdmPayloadUuid: uuidFrom(`mdm\n${parts.path}`),
      scepPayloadUuid: uuidFrom(`scep\n${parts.path}\n${parts.challenge}`), // new at each renewal, so that the device asks for a new identity
      serverUrl: `${base}/connect`,
      checkInUrl: `${base}/checkin`,
      scepUrl: `${base}/scep`,
      challenge: parts.challenge,
      topic: parts.topic,
      accessRights: TIER_RIGHTS[parts.tier],
    }),
  )
}
