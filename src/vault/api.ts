import type { Approval } from '../trust/approval.ts'
import type { Kind, Signed } from '../trust/directory.ts'

/** For one device; a Mac asks when a new user signs in or an update is installed. */
export const BOOTSTRAP_TOKENS_AN_HOUR = 10

/** What the vault does for others. Each method has a row in callers.ts; a method without one stops the start. Bytes are base64 in JSON. */
export type VaultMethods = {
  // for edge -----------------------------------------------------------------------------------------------------------
  /** What an invitation's page may say. Throws NOT_FOUND. */
  invitationPage: { params: { invitation: string }; result: InvitationPage }
  /** Everything for one enrolment profile with URLs of its own. Uses up nothing. Throws NOT_FOUND, EXPIRED, CONFLICT (used up). */
  enrolmentProfile: { params: { invitation: string }; result: ProfileParts & { statement: string; approval: Approval } }
  /** The same again for a device that renews: same identifier, URLs and rights, a fresh challenge bound to this device. */
  renewalProfile: { params: { certificate: string }; result: ProfileParts }
  /** GetCACert: a certs-only PKCS#7 of CA and RA, behind the answer as bytes. */
  caCertificates: { params: Record<string, never>; result: null }
  /** PKIOperation: raw CMS in, raw CertRep out (bytes). What SCEP itself refuses comes as a CertRep FAILURE, not as an error. */
  scep: { params: { path: string }; result: null }
  /** Opens the bootstrap token for a GetBootstrapToken whose signature over these very bytes the vault verified (bytes in: the body; out: the token). */
  bootstrapToken: { params: { path: string; device: string; signature: string }; result: { found: boolean } }
  /** The unlock token for one delivery of an approved ClearPasscode order to this device; the vault verifies the order itself. */
  unlockToken: { params: { order: string; certificate: string }; result: null }
  /** Something is due in edge.wake: look now. */
  wake: { params: Record<string, never>; result: null }

  // for console --------------------------------------------------------------------------------------------------------
  /** The path token of an invitation that a member approved. */
  invite: { params: { statement: string; approval: Approval }; result: { token: string } }
  pushCsr: { params: { organisation: string }; result: { csr: string /* PEM */ } }
  /** The certificate that a member approved: `statement` names its digest, topic and account. Throws UNPROVEN, CONFLICT, EXPIRED, REFUSED. */
  pushImport: { params: PushImport; result: PushState }
  pushShow: { params: Record<string, never>; result: PushState }

  // for console, the sealed directory ----------------------------------------------------------------------------------
  /**
   * The public keys that the next versions are sealed to, as `releaseKeysShape` says, signed by the voucher key over `sessionBytes`. A new record's
   * key waits ten minutes to be written. Throws FORBIDDEN for another unit's record.
   */
  releaseKeys: { params: { writer: Signed; records: RecordName[] }; result: SignedText }
  /**
   * Takes new versions (`recordShape`, signed by the writer's key), all or none; the same again is taken again. Throws CONFLICT for a version that does
   * not follow, or a release key that was not handed out lately.
   */
  writeRecords: { params: { writer: Signed; records: SignedText[] }; result: Record<string, never> }
  /**
   * Opens outer halves. Bytes in: the sealed records, in the request's order (parts.ts), empty where there is none; out: the inner halves, empty
   * where not opened. Throws UNPROVEN, EXPIRED, CONFLICT (that serial was used), LIMIT (a budget), UNAVAILABLE; nothing is opened then.
   */
  release: {
    params: { grant: Signed; request: string; signature: string }
    /** `vault`: `openedShape`, signed as above, for the client. */
    result: { left: Left; records: RecordState[]; vault: SignedText }
  }
  /** Removes release keys for good. `records`: how many were there; `epoch`: of the keyring, since when they are gone. */
  erase: { params: { erasure: Signed }; result: { records: number; epoch: number } }
  /** Current versions; null for what the keyring does not know. */
  recordStates: { params: { records: RecordName[] }; result: { versions: (number | null)[] } }
}

export type RecordName = { kind: Kind; id: string }
/** A canonical text and an Ed25519 signature in base64. */
export type SignedText = { statement: string; signature: string }
/** `stale`: not the current version, or not what was written. `unknown`: not of this unit, erased, or never there. */
export type RecordState = 'ok' | 'stale' | 'unknown'
/** People who can still be asked for. */
export type Left = { grant: number; budgets: { people: number; seconds: number; left: number }[] }

export type InvitationPage = {
  state: 'open' | 'used-up' | 'expired'
  tier: 'full' | 'no-wipe' | 'private'
  usesLeft: number
  expiresAt: number
  signed: boolean
}

/** Edge builds the profile from these with wire/apple/enrolment.ts and assembles the CMS, so what it hands out is what it could check. */
export type ProfileParts = {
  path: string // id of the device's path token
  pathToken: string
  challenge: string
  tier: 'full' | 'no-wipe' | 'private'
  topic: string
  url: string
  organisation: string
  signer: { certificates: string[]; attributes: string; signature: string } | null // null: --unsigned
}
export type PushImport = { certificate: string /* PEM */; account: string; statement: string; approval: Approval }
export type PushState = { topic: string; placeholder: boolean; expiresAt: number | null; account: string | null }
