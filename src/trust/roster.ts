import { createPublicKey, type KeyObject } from 'node:crypto'
import { BulkheadError } from '../base/errors.ts'
import { decodeVkey, publicKeyObject } from '../wire/tlog/note.ts'
import { attestationShape } from './attestation.ts'
import { policyShape, ROLES, type Rules, strictest } from './policy.ts'
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
import { decodeStatement, sha256, statementDigest } from './statement.ts'

const passkey = object(
  {
    id: base64url, // credential id
    publicKey: base64, // SPKI DER
    algorithm: oneOf('ES256', 'EdDSA', 'RS256'),
    software: flag, // a key in a file: only accepted while policy.softwarePasskeys
    origins: listOf(line, 8), // exact origins this passkey may sign at
  },
  { aaguid: uuid, hpke: base64, attestation: attestationShape }, // hpke: public key sealed to in the directory, derived from the passkey's PRF
)

const member = object({
  id: uuid,
  alias,
  roles: listOf(oneOf(...ROLES), 8),
  passkeys: listOf(passkey, 16),
})

/** `publicKey`: X25519, raw; `operators`: who may read there, all operators where it is left out; `recovery`: how many of how many shares open its key. */
const unit = object(
  { id: uuid, alias, publicKey: base64 },
  { parent: uuid, operators: listOf(uuid, 200), recovery: object({ needed: whole(1, 20), shares: whole(1, 20) }) },
)

const rosterShape = object({
  type: oneOf('bulkhead-roster/v1'),
  version: whole(0, 1_000_000),
  previous: text(/^([0-9a-f]{64})?$/, 'a SHA-256 or empty at genesis'),
  name: text(/^[a-z0-9][a-z0-9.-]{0,60}$/, 'a ledger name'),
  createdAt: time,
  members: listOf(member, 200),
  policy: policyShape,
  app: object({ origin: line, rpId: text(/^[a-z0-9.-]{1,200}$/, 'a host name') }),
  units: listOf(unit, 10_000),
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

/** When a passkey's approvals begin to count, in seconds: 0 for those of the genesis. */
type Known = { member: Member; passkey: Passkey; key: KeyObject; countsFrom: number }

/** A roster that was checked, with what every verification needs at hand. `time`: that of the newest checkpoint, in seconds; in the genesis alone nothing cools off. */
export type Trusted = {
  roster: Roster
  genesisDigest: Buffer // 32 bytes
  passkeys: Map<string, Known> // by credential id
  voucherKey: KeyObject
  ledgerKey: KeyObject // of the main log
  rules: Rules
  time: number
}

/** Opens the roster's genesis, whose digest the caller pins in its own configuration. Throws UNPROVEN when it is another one. */
export function openGenesis(genesis: string, pinnedDigest: string): Trusted {
  const genesisDigest = sha256(`bulkhead-roster/v1\n${genesis}`)
  if (genesisDigest.toString('hex') !== pinnedDigest)
    throw new BulkheadError('UNPROVEN', 'The roster genesis is not the one this installation was made with.', {
      remedy: 'Put genesis.json back from a backup; it is public and its digest is printed by init.',
    })
  const roster = decodeRoster(genesis)
  const voucherKey = spki(roster.keys.voucher)
  const ledgerKey = publicKeyObject(decodeVkey(roster.keys.ledgerMain).publicKey)
  return {
    roster,
    genesisDigest,
    passkeys: passkeysOf(roster, () => 0),
    voucherKey,
    ledgerKey,
    rules: strictest([roster.policy]),
    time: 0,
  }
}

/** Throws UNPROVEN where one passkey stands for two members. */
export function passkeysOf(
  roster: Roster,
  countsFrom: (credential: string, member: string) => number,
): Trusted['passkeys'] {
  const passkeys: Trusted['passkeys'] = new Map()
  for (const member of roster.members)
    for (const passkey of member.passkeys) {
      if (passkeys.has(passkey.id))
        throw new BulkheadError('UNPROVEN', 'One passkey stands for two members in the roster.')
      const key = spki(passkey.publicKey)
      passkeys.set(passkey.id, { member, passkey, key, countsFrom: countsFrom(passkey.id, member.id) })
    }
  return passkeys
}

export const decodeRoster = (statement: string): Roster => decodeStatement(statement, rosterShape, 'roster')
export const genesisDigestOf = (genesis: string): string => sha256(`bulkhead-roster/v1\n${genesis}`).toString('hex')
/** What owners approve of a later version. */
export const rosterDigest = (statement: string, genesisDigest: Buffer): Buffer =>
  statementDigest('bulkhead-roster/v1', genesisDigest, statement)
export const checkRoster: Check<Roster> = rosterShape
const spki = (der: string) => createPublicKey({ key: Buffer.from(der, 'base64'), format: 'der', type: 'spki' })
