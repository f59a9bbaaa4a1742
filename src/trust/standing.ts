import type { ControlView } from './follow.ts'

const iso = (time: number) => new Date(time * 1000).toISOString()

/** What holds now by the control log, and how it came to be, in words that a page can show. `now`: seconds. */
export function standingOf(view: ControlView, now: number) {
  const { roster, passkeys, rules } = view.trusted()
  const { size, root } = view.head
  return {
    version: roster.version,
    size,
    root,
    time: iso(view.time),
    fresh: view.isFresh(now),
    frozen: view.control.freezes.map(({ index, at, by }) => ({ index, at: iso(at), by })),
    members: roster.members.map(member => ({
      id: member.id,
      alias: member.alias,
      roles: member.roles,
      passkeys: member.passkeys.map(({ id, software }) => ({ id, software, countsFrom: passkeys.get(id)!.countsFrom })),
    })),
    rules,
    versions: view.control.versions.map(({ roster: { version }, at, statement, by }) => ({
      version,
      at,
      statement,
      by,
    })),
  }
}
export type Standing = ReturnType<typeof standingOf>
