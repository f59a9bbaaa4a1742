import type { Approval } from '../trust/approval.ts'
import { describeChanges } from './changes.ts'
import type { Followed } from './follow.ts'

export type HistoryLine = { version: number; at: string | null; by: string[]; changes: string[] }

/** Every version that counts: when, approved by whom, and what it changed. From the entries that were verified here, not from what the console says. */
export function historyOf({ view, entries }: Pick<Followed, 'view' | 'entries'>): HistoryLine[] {
  const { versions } = view.control
  return versions.map(({ roster, at, index }, place) => {
    const before = versions[place - 1]
    if (!before) {
      const members = roster.members.map(({ alias }) => alias).join(', ')
      return {
        version: 0,
        at: new Date(roster.createdAt * 1000).toISOString(),
        by: [],
        changes: [`the genesis, with ${members}`],
      }
    }
    const { approvals = [] } = JSON.parse(entries[index]!) as { approvals?: Approval[] }
    const by = before.roster.members
      .filter(({ passkeys }) => approvals.some(({ credentialId }) => passkeys.some(({ id }) => id === credentialId)))
      .map(({ alias }) => alias)
    const changes = describeChanges(before.roster, roster).map(line => line.trim())
    return { version: roster.version, at: new Date(at * 1000).toISOString(), by, changes }
  })
}
