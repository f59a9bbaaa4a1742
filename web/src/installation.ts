import type { Unit } from '../../src/trust/directory.ts'
import type { ControlView } from '../../src/trust/follow.ts'
import type { Policy } from '../../src/trust/policy.ts'
import { call, Refusal, type Roster } from './api.ts'
import { follow } from './follow.ts'
import { forgetHeads } from './remembered.ts'
import { genesisDigestOf } from './statement.ts'

/** The installation this page works for. All of it comes from the control log, judged here from the pinned genesis on. */
export type Installation = {
  name: string
  genesis: string
  genesisDigest: string
  /** Of the roster that `members` and the rest are taken from. */
  version: number
  rpId: string
  members: { id: string; alias: string; credentialIds: string[] }[]
  /** `operators`: members' ids; undefined where all operators are. */
  units: Unit[]
  /** Software passkeys count here: an installation for trying out. */
  softwarePasskeys: boolean
  /** Each list must hold the authenticator of a passkey that is to count. */
  authenticators: NonNullable<Policy['authenticators']>[]
  /** SHA-256 of the paper codes that freeze. */
  freezeCodes: string[]
}

const PIN = 'bulkhead.genesis'

/**
 * The genesis is pinned by whoever serves this page, from the configuration of this machine: the console, which shows it, has no say in it. The
 * browser remembers it too. Throws Refusal.
 */
export async function findInstallation(): Promise<Installation> {
  const { genesisDigest } = await call<{ genesisDigest: string }>('/genesis')
  const { genesis } = await call<Roster>('/api/roster')
  const [found, kept] = [await genesisDigestOf(genesis), localStorage.getItem(PIN)]
  if (kept !== null && kept !== genesisDigest) throw another('GENESIS_CHANGED', kept, genesisDigest)
  if (found !== genesisDigest) throw another('GENESIS_FOREIGN', genesisDigest, found)
  const installation = installationOf(await follow({ genesis, genesisDigest }), genesis, genesisDigest)
  localStorage.setItem(PIN, genesisDigest)
  return installation
}

function installationOf(view: ControlView, genesis: string, genesisDigest: string): Installation {
  const { roster, rules } = view.trusted()
  const { name, app, members, units, version, policy } = roster
  if (app.origin !== location.origin)
    throw new Refusal(
      'UNPROVEN',
      `This installation's app lives at ${app.origin}, and this page is at ${location.origin}.`,
      `Open ${app.origin}. A passkey answers to no other address.`,
    )
  return {
    name,
    genesis,
    genesisDigest,
    version,
    rpId: app.rpId,
    members: members.map(({ id, alias, passkeys }) => ({ id, alias, credentialIds: passkeys.map(({ id }) => id) })),
    units,
    softwarePasskeys: rules.softwarePasskeys,
    authenticators: rules.authenticators,
    freezeCodes: policy.freezeCodes ?? [],
  }
}

const REMEDIES = {
  GENESIS_CHANGED:
    'Sign nothing. If you made a new installation at this address on purpose, forget the old one below. Otherwise ask whoever runs this machine: somebody may have put another server in place of yours.',
  GENESIS_FOREIGN:
    'Sign nothing. The console answers for another installation than this machine is set up for: tell whoever runs it.',
}

const another = (code: keyof typeof REMEDIES, pinned: string, found: string) =>
  new Refusal(
    code,
    `This is not the installation that is known here. Its genesis is ${short(found)}; the known one is ${short(pinned)}.`,
    REMEDIES[code],
  )

/** For somebody who made a new installation on purpose. */
export function forgetInstallation() {
  localStorage.removeItem(PIN)
  forgetHeads()
}

export const short = (digest: string) => `${digest.slice(0, 8)} ${digest.slice(8, 16)} …`
