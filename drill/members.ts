import { randomBytes } from 'node:crypto'
import type { Proposal } from '../src/console/api.ts'
import { canonical } from '../src/trust/canonical.ts'
import { type ControlKind, controlDigest, previousOf } from '../src/trust/control.ts'
import { decodeRoster, type Roster } from '../src/trust/roster.ts'
import type { World } from './world.ts'

/** What members do with the control log, in this process. `by`: which of them sign; 0 is the owner. */
export function controlOf(
  { installation, owner }: Pick<World, 'installation' | 'owner'>,
  shift: () => number = () => 0,
) {
  const now = () => Math.floor((Date.now() + shift()) / 1000)
  const api = installation.console

  async function propose(
    kind: Exclude<ControlKind, 'freeze'>,
    statement: string,
    by: readonly number[],
  ): Promise<Proposal> {
    let proposal = await api.post<Proposal>('/api/proposals', { kind, statement })
    const digest = controlDigest(kind, statement, owner.trusted)
    for (const at of by) {
      if (proposal.state !== 'open') break
      const approval = owner.sign(digest, at)
      proposal = await api.post<Proposal>(`/api/proposals/${proposal.proposal}/approvals`, { approval })
    }
    return proposal
  }

  /** The newest version, as the log has it. */
  async function roster(): Promise<{ roster: Roster; statement: string }> {
    const { versions } = await api.get<{ versions: { statement: string }[] }>('/api/roster/standing')
    const { statement } = versions.at(-1)!
    return { roster: decodeRoster(statement), statement }
  }

  const nonce = () => randomBytes(16).toString('hex')
  return {
    now,
    propose,
    roster,
    cancel: (order: string, by: readonly number[] = [0]) =>
      propose('cancel', canonical({ type: 'bulkhead-cancel/v1', at: now(), nonce: nonce(), order }), by),
    /** The next version, as `edit` leaves it. */
    async change(edit: (roster: Roster) => void, by: readonly number[]) {
      const { roster: next, statement } = await roster()
      next.version += 1
      next.previous = previousOf(statement)
      next.createdAt = now()
      edit(next)
      return propose('roster', canonical(next as never), by)
    },
  }
}
export type Members = ReturnType<typeof controlOf>
