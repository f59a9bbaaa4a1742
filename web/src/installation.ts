import { Refusal, type Roster } from './api.ts'
import { genesisDigestOf, parseCanonical, sha256Hex } from './statement.ts'

/** The installation this browser knows: its genesis, whose digest is remembered from the first time on. */
export type Installation = {
  name: string
  genesisDigest: string
  /** Of the roster that `members` and the rest are taken from. */
  version: number
  rpId: string
  members: { alias: string; credentialIds: string[] }[]
  units: { id: string; alias: string }[]
  /** Software passkeys count here: an installation for trying out. */
  softwarePasskeys: boolean
  /** SHA-256 of the paper codes that freeze. */
  freezeCodes: string[]
}
type Genesis = {
  version: number
  previous: string
  name: string
  app: { origin: string; rpId: string }
  members: { alias: string; passkeys: { id: string }[] }[]
  policy: { softwarePasskeys: boolean; freezeCodes?: string[] }
  units: { id: string; alias: string }[]
}

const PIN = 'bulkhead.genesis'

/**
 * Everything is read from the statements themselves, after the genesis is found to be the remembered one and each version to name the one
 * before it. Whether owners approved a version is not checked here: every part of the server does, and `bulkhead roster history`. Throws Refusal.
 */
export async function openInstallation(roster: Roster): Promise<Installation> {
  const genesisDigest = await genesisDigestOf(roster.genesis)
  const pinned = localStorage.getItem(PIN)
  if (pinned !== null && pinned !== genesisDigest) throw another(pinned, genesisDigest)
  const { name, app } = parseCanonical(roster.genesis) as Genesis
  const { version, members, units, policy } = await newestOf(roster)
  if (app.origin !== location.origin)
    throw new Refusal(
      'UNPROVEN',
      `This installation's app lives at ${app.origin}, and this page is at ${location.origin}.`,
      `Open ${app.origin}. A passkey answers to no other address.`,
    )
  localStorage.setItem(PIN, genesisDigest)
  return {
    name,
    genesisDigest,
    version,
    rpId: app.rpId,
    members: members.map(({ alias, passkeys }) => ({ alias, credentialIds: passkeys.map(({ id }) => id) })),
    units: units.map(({ id, alias }) => ({ id, alias })),
    softwarePasskeys: policy.softwarePasskeys,
    freezeCodes: policy.freezeCodes ?? [],
  }
}

async function newestOf({ genesis, versions }: Roster): Promise<Genesis> {
  let before = genesis
  let newest = parseCanonical(genesis) as Genesis
  for (const statement of versions) {
    const next = parseCanonical(statement) as Genesis
    if (next.previous !== (await sha256Hex(before)) || next.version !== newest.version + 1)
      throw new Refusal(
        'UNPROVEN',
        'The roster that the server shows does not continue from its genesis.',
        'Sign nothing. See what the ledger holds: bulkhead roster history',
      )
    before = statement
    newest = next
  }
  return newest
}

const another = (pinned: string, found: string) =>
  new Refusal(
    'GENESIS_CHANGED',
    `This is not the installation that this browser knows. Its genesis is ${short(found)}; the one remembered here is ${short(pinned)}.`,
    'Sign nothing. If you made a new installation at this address on purpose, forget the old one below. Otherwise ask whoever runs this machine: somebody may have put another server in place of yours.',
  )

/** For somebody who made a new installation on purpose. */
export const forgetInstallation = () => localStorage.removeItem(PIN)

export const short = (digest: string) => `${digest.slice(0, 8)} ${digest.slice(8, 16)} …`
