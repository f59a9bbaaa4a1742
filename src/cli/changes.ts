import { canonical } from '../trust/canonical.ts'
import { type Budget, CLASSES, type Policy, type Rules, strictest } from '../trust/policy.ts'
import type { Member, Roster } from '../trust/roster.ts'

/** What a version of the roster changes, in words. `later`: it counts only after the cooling-off time; until then the old holds as well. */
export type Change = { words: string; later: boolean }

export function changesOf(before: Roster, after: Roster): Change[] {
  return [
    ...memberChanges(before.members, after.members),
    ...policyChanges(before.policy, after.policy),
    ...sameOrSaid('units', before.units, after.units),
    ...sameOrSaid('standing orders of the genesis', before.standing, after.standing),
  ]
}

const at = (words: string): Change => ({ words, later: false })
const later = (words: string): Change => ({ words, later: true })

function memberChanges(before: Member[], after: Member[]): Change[] {
  const old = new Map(before.map(member => [member.id, member]))
  const kept = new Set(after.map(({ id }) => id))
  const changed = after.flatMap(member => {
    const was = old.get(member.id)
    return was ? oneMember(was, member) : [later(`${described(member)} becomes a member`)]
  })
  const gone = before.filter(({ id }) => !kept.has(id)).map(({ alias }) => at(`${alias} is a member no more`))
  return [...gone, ...changed]
}

const described = ({ alias, roles, passkeys }: Member) =>
  `${alias} (${roles.join(', ') || 'no role'}; ${passkeys.map(({ software }) => (software ? 'a software passkey' : 'a passkey')).join(', ') || 'no passkey'})`

function oneMember(was: Member, is: Member): Change[] {
  const gained = is.roles.filter(role => !was.roles.includes(role))
  const lost = was.roles.filter(role => !is.roles.includes(role))
  const old = new Map(was.passkeys.map(passkey => [passkey.id, canonical(passkey)]))
  const added = is.passkeys.filter(passkey => old.get(passkey.id) !== canonical(passkey))
  const removed = was.passkeys.filter(({ id }) => !is.passkeys.some(passkey => passkey.id === id))
  return [
    ...(was.alias === is.alias ? [] : [at(`${was.alias} is called ${is.alias}`)]),
    ...(gained.length > 0
      ? [later(`${is.alias} gets the roles ${gained.join(', ')}, and waits with all of them`)]
      : []),
    ...(lost.length > 0 ? [at(`${is.alias} loses the roles ${lost.join(', ')}`)] : []),
    ...added.map(({ software }) => later(`${is.alias} gets another ${software ? 'software passkey' : 'passkey'}`)),
    ...removed.map(() => at(`${is.alias} loses a passkey`)),
  ]
}

/** Each part of the rules in one line, to be compared and shown. */
export function linesOfRules(rules: Rules): Record<string, string> {
  const each = (of: (name: (typeof CLASSES)[number]) => string) =>
    CLASSES.map(name => [name, of(name)] as const).filter(([, line]) => line !== '')
  return Object.fromEntries([
    ...each(name => `${rules.quorum[name]} of ${rules.roles[name].join(', ') || 'nobody'}`).map(([name, line]) => [
      `orders that can ${name}`,
      line,
    ]),
    ...each(name => rules.budgets[name].map(budgetWords).join('; and ')).map(([name, line]) => [
      `budget of ${name}`,
      line,
    ]),
    ['new devices', rules.enrol.map(({ devices, seconds }) => `${devices} in ${span(seconds)}`).join('; and ')],
    ['roster and thaw', `${rules.roster} or more owners, at least two where there are two`],
    ['software passkeys', rules.softwarePasskeys ? 'count' : 'do not count'],
    ['longest order', span(rules.longestOrder)],
    ['cooling-off', span(rules.coolingOff)],
    ['cosignatures of a delivery', String(rules.cosignatures)],
    [
      'accepted authenticators',
      rules.authenticators.map(list => list.map(({ aaguid }) => aaguid).join(', ')).join('; and ') || 'any',
    ],
  ])
}

const budgetWords = ({ devices, percent, seconds, after }: Budget) =>
  `${devices} devices${percent > 0 ? ` or ${percent} % of all` : ''} in ${span(seconds)}${after === 'all' ? ', then all' : ''}`

const SPANS: [number, string][] = [
  [86_400, 'd'],
  [3_600, 'h'],
  [60, 'm'],
]
export function span(seconds: number): string {
  const [size, unit] = SPANS.find(([size]) => seconds >= size && seconds % size === 0) ?? [1, 's']
  return `${seconds / size}${unit}`
}

/** A part is weakened where both policies together are stricter than the new one alone. */
function policyChanges(before: Policy, after: Policy): Change[] {
  const [was, is, both] = [[before], [after], [before, after]].map(policies => linesOfRules(strictest(policies)))
  const names = [...new Set([...Object.keys(was!), ...Object.keys(is!)])]
  const rules = names
    .filter(name => was![name] !== is![name])
    .map(name => ({
      words: `${name}: ${is![name] ?? 'none'} (was ${was![name] ?? 'none'})`,
      later: both![name] !== is![name],
    }))
  const codes = after.freezeCodes ?? []
  const fresh = codes.filter(code => !(before.freezeCodes ?? []).includes(code)).length
  const old = (before.freezeCodes ?? []).filter(code => !codes.includes(code)).length
  return [
    ...rules,
    ...sameOrSaid('witnesses', before.witnesses ?? [], after.witnesses ?? []),
    ...sameOrSaid('key of the release manifest', before.releaseKey ?? null, after.releaseKey ?? null),
    ...(fresh + old > 0 ? [at(`paper codes that freeze: ${fresh} new, ${old} void`)] : []),
  ]
}

const sameOrSaid = (name: string, before: unknown, after: unknown): Change[] =>
  canonical(before) === canonical(after) ? [] : [at(`${name}: ${canonical(after).slice(0, 300)}`)]

/** Lines for the person who proposes or approves. */
export function describeChanges(before: Roster, after: Roster): string[] {
  const changes = changesOf(before, after)
  if (changes.length === 0) return ['It changes nothing.']
  const { coolingOff } = strictest([before.policy, after.policy])
  return changes.map(({ words, later: waits }) => `  ${words}${waits ? ` — counts ${span(coolingOff)} later` : ''}`)
}
