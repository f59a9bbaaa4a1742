import { createPublicKey, type KeyObject } from 'node:crypto'
import { BulkheadError } from '../base/errors.ts'
import {
  alias,
  base64,
  base64url,
  type Check,
  flag,
  line,
  listOf,
  object,
  oneOf,
  text,
  time,
  uuid,
  whole,
} from './shape.ts'
import { decodeStatement, sha256 } from './statement.ts'

export const ROLES = ['owner', 'operator', 'approver', 'responder', 'auditor', 'dpo'] as const

const passkey = object(
  {
    id: base64url, // credential id
    publicKey: base64, // SPKI DER
    algorithm: oneOf('ES256', 'EdDSA', 'RS256'),
    software: flag, // a key in a file: only accepted while policy.softwarePasskeys
    origins: listOf(line, 8), // exact origins this passkey may sign at
  },
  { aaguid: uuid, hpke: base64 }, // hpke: public key sealed to in the directory, derived from the passkey's PRF
)

const member = object({
  id: uuid,
  alias,
  roles: listOf(oneOf(...ROLES), 8),
  passkeys: listOf(passkey, 16),
})

const quorum = whole(1, 20)

const rosterShape = object({
  type: oneOf('bulkhead-roster/v1'),
  version: whole(0, 1_000_000),
  previous: text(/^([0-9a-f]{64})?$/, 'a SHA-256 or empty at genesis'),
  name: text(/^[a-z0-9][a-z0-9.-]{0,60}$/, 'a ledger name'),
  createdAt: time,
  members: listOf(member, 200),
  policy: object({
    quorum: object({ read: quorum, change: quorum, trust: quorum, destroy: quorum }),
    softwarePasskeys: flag,
    longestOrder: time, // seconds
  }),
  app: object({ origin: line, rpId: text(/^[a-z0-9.-]{1,200}$/, 'a host name') }),
  units: listOf(object({ id: uuid, alias, publicKey: base64 }), 10_000),
  keys: object({
    voucher: base64, // Ed25519, SPKI DER: the vault's
    seal: base64, // X25519 raw: what devices report is sealed to it
    delivery: base64, // X25519 raw: the edge's, for secret bodies
    ledgerMain: line, // vkeys (C2SP signed-note)
    ledgerControl: line,
    ledgerClock: line,
  }),
  standing: listOf(oneOf('renew-identity'), 1),
})

export type Roster = ReturnType<typeof rosterShape>
export type Member = Roster['members'][number]
export type Passkey = Member['passkeys'][number]

/** A roster that was checked, with what every verification needs at hand. */
export type Trusted = {
  roster: Roster
  genesisDigest: Buffer // 32 bytes
  passkeys: Map<string, { member: Member; passkey: Passkey; key: KeyObject }> // by credential id
  voucherKey: KeyObject
}

/** Opens the roster's genesis, whose digest the caller pins in its own configuration. Throws UNPROVEN when it is another one. */
export function openGenesis(genesis: string, pinnedDigest: string): Trusted {
  const genesisDigest = sha256(`bulkhead-roster/v1\n${genesis}`)
  if (genesisDigest.toString('hex') !== pinnedDigest)
    throw new BulkheadError('UNPROVEN', 'The roster genesis is not the one this installation was made with.', {
      remedy: 'Put genesis.json back from a backup; it is public and its digest is printed by init.',
    })
  const roster = decodeStatement(genesis, rosterShape, 'roster')
  const passkeys: Trusted['passkeys'] = new Map()
  for (const member of roster.members)
    for (const passkey of member.passkeys) {
      if (passkeys.has(passkey.id))
        throw new BulkheadError('UNPROVEN', 'One passkey stands for two members in the roster.')
      passkeys.set(passkey.id, { member, passkey, key: spki(passkey.publicKey) })
    }
  return { roster, genesisDigest, passkeys, voucherKey: spki(roster.keys.voucher) }
}

export const genesisDigestOf = (genesis: string): string => sha256(`bulkhead-roster/v1\n${genesis}`).toString('hex')
export const checkRoster: Check<Roster> = rosterShape
const spki = (der: string) => createPublicKey({ key: Buffer.from(der, 'base64'), format: 'der', type: 'spki' })
