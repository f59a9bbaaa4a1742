import type { Budget, Role } from './api.ts'
import { canonical, parseCanonical, sha256Hex } from './statement.ts'

/** What a version of the roster changes, worked out in this browser from the two statements. */
export type RosterVersion = {
  version: number
  previous: string
  members: { id: string; alias: string; roles: Role[]; passkeys: { id: string; software: boolean }[] }[]
  policy: Record<string, unknown>
}
export const readVersion = (statement: string) => parseCanonical(statement) as unknown as RosterVersion

/** Whether `next` is the version after `before`. */
export const continues = async (next: string, before: string): Promise<boolean> => {
  const { version, previous } = readVersion(next)
  return version === readVersion(before).version + 1 && previous === (await sha256Hex(before))
}

export function changesOf(before: RosterVersion, after: RosterVersion): string[] {
  const old = new Map(before.members.map(member => [member.id, member]))
  const gone = before.members.filter(({ id }) => !after.members.some(member => member.id === id))
  const lines = [
    ...gone.map(({ alias }) => `${alias} is a member no more`),
    ...after.members.flatMap(member => memberChanges(old.get(member.id), member)),
    ...valueChanges('', before.policy, after.policy),
  ]
  const { members: _a, policy: _b, version: _c, previous: _d, ...rest } = after
  const { members: _e, policy: _f, version: _g, previous: _h, ...was } = before
  return [...lines, ...valueChanges('', was, rest).filter(line => !line.startsWith('createdAt'))]
}

type Member = RosterVersion['members'][number]
const rolesText = (roles: Role[]) => roles.join(', ') || 'no role'

function memberChanges(was: Member | undefined, is: Member): string[] {
  const software = is.passkeys.some(passkey => passkey.software) ? '; with a software passkey' : ''
  if (!was) return [`${is.alias} becomes a member (${rolesText(is.roles)}${software})`]
  return [
    ...(was.alias === is.alias ? [] : [`${was.alias} is called ${is.alias}`]),
    ...(canonical(was.roles) === canonical(is.roles)
      ? []
      : [`${is.alias}: ${rolesText(is.roles)} (was ${rolesText(was.roles)})`]),
    ...(canonical(was.passkeys) === canonical(is.passkeys)
      ? []
      : [`${is.alias} has ${is.passkeys.length} passkeys, not the same as before`]),
  ]
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function valueChanges(path: string, was: unknown, is: unknown): string[] {
  if (canonical(was ?? null) === canonical(is ?? null)) return []
  if (isObject(was ?? {}) && isObject(is ?? {})) {
    const [left, right] = [(was ?? {}) as Record<string, unknown>, (is ?? {}) as Record<string, unknown>]
    return [...new Set([...Object.keys(left), ...Object.keys(right)])].flatMap(key =>
      valueChanges(path === '' ? key : `${path} ${key}`, left[key], right[key]),
    )
  }
  return [`${path}: ${short(is)} (was ${short(was)})`]
}

const short = (value: unknown) => (value === undefined ? 'the default' : canonical(value).slice(0, 120))

const SPANS: [number, string][] = [
  [86_400, 'days'],
  [3_600, 'hours'],
  [60, 'minutes'],
]
export function span(seconds: number): string {
  const [size, unit] = SPANS.find(([size]) => seconds >= size && seconds % size === 0) ?? [1, 'seconds']
  const count = seconds / size
  return `${count} ${count === 1 ? unit.slice(0, -1) : unit}`
}

export const budgetText = ({ devices, percent, seconds, after }: Budget) =>
  `${devices} devices${percent > 0 ? ` or ${percent} % of all` : ''} in ${span(seconds)}${after === 'all' ? ', then all' : ''}`
export const rateText = ({ devices, seconds }: { devices: number; seconds: number }) => `${devices} in ${span(seconds)}`
