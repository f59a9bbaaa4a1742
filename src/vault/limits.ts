import { BulkheadError } from '../base/errors.ts'
import type { VaultCaller, VaultMethod } from './callers.ts'

/** Calls a minute. Far above what 50,000 devices need, and far below what somebody would need who drains the vault through a captured caller. */
export const perMinute: Readonly<Record<VaultMethod, number>> = {
  invitationPage: 60_000,
  enrolmentProfile: 60_000,
  renewalProfile: 60_000,
  caCertificates: 120_000,
  scep: 60_000,
  bootstrapToken: 6_000,
  unlockToken: 600,
  wake: 60_000,
  invite: 600,
  pushCsr: 20,
  pushImport: 20,
  pushShow: 6_000,
  releaseKeys: 600,
  writeRecords: 600,
  release: 6_000,
  erase: 120, // each begins a new epoch of the keyring
  recordStates: 6_000,
}

const MINUTE = 60

/** Counts calls; throws UNAVAILABLE for the one too many. One count for each caller and method, begun anew each minute. `clock`: seconds. */
export function createLimits(clock: () => number, table: Readonly<Record<VaultMethod, number>> = perMinute) {
  const counts = new Map<string, number>()
  let minute = 0
  return (caller: VaultCaller, method: VaultMethod): void => {
    const now = Math.floor(clock() / MINUTE)
    if (now !== minute) counts.clear()
    minute = now
    const name = `${caller}\n${method}`
    const count = (counts.get(name) ?? 0) + 1
    counts.set(name, count)
    if (count <= table[method]) return
    throw new BulkheadError('UNAVAILABLE', `The vault answers ${method} at most ${table[method]} times a minute.`, {
      remedy: 'Try again in a minute.',
    })
  }
}
