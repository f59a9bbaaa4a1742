import { createHash, verify } from 'node:crypto'
import { BulkheadError } from '../base/errors.ts'
import { isAttested } from './attestation.ts'
import type { Member, Trusted } from './roster.ts'
import { base64url, object } from './shape.ts'

/** A WebAuthn assertion (Web Authentication Level 3, section 7.2) whose challenge is the digest of what is approved. All base64url. */
export const approvalShape = object({
  credentialId: base64url,
  clientDataJSON: base64url,
  authenticatorData: base64url,
  signature: base64url,
})
export type Approval = ReturnType<typeof approvalShape>

const USER_PRESENT = 0x01
const USER_VERIFIED = 0x04

/** Who approved this digest. Throws UNPROVEN with the guard that refused. */
export function verifyApproval(approval: Approval, digest: Buffer, trusted: Trusted): Member {
  const found = trusted.passkeys.get(approval.credentialId)
  if (!found) throw refused('it is by a passkey that the roster does not hold')
  const { member, passkey, key } = found
  const { roster, rules } = trusted
  if (passkey.software && !rules.softwarePasskeys) throw refused('software passkeys are not allowed by the roster')
  if (found.countsFrom > trusted.time)
    throw refused(`the passkey is new, and counts from ${new Date(found.countsFrom * 1000).toISOString()} on`)
  for (const accepted of rules.authenticators)
    if (!isAttested(passkey, accepted)) throw refused('its authenticator is not one that the roster accepts')
  const clientData = Buffer.from(approval.clientDataJSON, 'base64url')
  const client = parseClientData(clientData)
  if (client.type !== 'webauthn.get') throw refused('it is not an assertion')
  if (client.challenge !== digest.toString('base64url')) throw refused('it approves something else')
  if (!passkey.origins.includes(String(client.origin))) throw refused('it was made at another origin')
  if (client.crossOrigin === true) throw refused('it was made inside another page')
  const authenticator = Buffer.from(approval.authenticatorData, 'base64url')
  if (authenticator.length < 37) throw refused('its authenticator data is cut short')
  if (!authenticator.subarray(0, 32).equals(createHash('sha256').update(roster.app.rpId).digest()))
    throw refused('it is for another relying party')
  const flags = authenticator[32]!
  if (!(flags & USER_PRESENT)) throw refused('nobody was present')
  if (!(flags & USER_VERIFIED)) throw refused('the user was not verified')
  const signed = Buffer.concat([authenticator, createHash('sha256').update(clientData).digest()])
  const hash = passkey.algorithm === 'EdDSA' ? null : 'sha256'
  if (!verify(hash, signed, key, Buffer.from(approval.signature, 'base64url')))
    throw refused('its signature does not hold')
  return member
}

/** The authenticator's own count of what it signed (Web Authentication Level 3, section 6.1.1); 0 where it keeps none. */
export function signCountOf(approval: Approval): number {
  const bytes = Buffer.from(approval.authenticatorData, 'base64url')
  return bytes.length < 37 ? 0 : bytes.readUInt32BE(33)
}

function parseClientData(bytes: Buffer): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'))
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>
  } catch {}
  throw refused('its client data does not decode')
}

const refused = (why: string) => new BulkheadError('UNPROVEN', `The approval does not count: ${why}.`)

/** Distinct members behind these approvals; one that does not hold counts for nothing and is returned by its reason. */
export function countApprovals(
  approvals: Approval[],
  digest: Buffer,
  trusted: Trusted,
  roles: string[],
): { members: Member[]; refusals: string[] } {
  const members = new Map<string, Member>()
  const refusals: string[] = []
  for (const approval of approvals) {
    try {
      const member = verifyApproval(approval, digest, trusted)
      if (member.roles.some(role => roles.includes(role))) members.set(member.id, member)
      else refusals.push(`${member.alias} has no role that may approve this.`)
    } catch (error) {
      refusals.push(error instanceof Error ? error.message : String(error))
    }
  }
  return { members: [...members.values()], refusals }
}
