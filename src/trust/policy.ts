import type { OrderClass } from './rules.ts'
import { base64, digest, flag, line, listOf, object, oneOf, time, uuid, whole } from './shape.ts'

export const ROLES = ['owner', 'operator', 'approver', 'responder', 'auditor', 'dpo'] as const
export type Role = (typeof ROLES)[number]
export const CLASSES = ['read', 'change', 'trust', 'destroy'] as const

const quorum = whole(1, 20)
const roles = listOf(oneOf(...ROLES), ROLES.length)

/**
 * How many devices a class may reach: the larger of `devices` and `percent` of the fleet within `seconds`. `after`: "wait" for the window to move
 * on, or "all": an order whose first delivery is `seconds` ago may reach the rest.
 */
const budget = object({
  devices: whole(0, 100_000),
  percent: whole(0, 100),
  seconds: whole(60, 31 * 86_400),
  after: oneOf('wait', 'all'),
})
export type Budget = ReturnType<typeof budget>

/** How many devices may enrol within `seconds`. */
export const MOST_ENROLMENTS = 100_000
const rate = object({ devices: whole(0, MOST_ENROLMENTS), seconds: whole(60, 31 * 86_400) })
export type Rate = ReturnType<typeof rate>

/** What members may do together. Left out, an optional part has the value of `DEFAULTS`. */
export const policyShape = object(
  {
    quorum: object({ read: quorum, change: quorum, trust: quorum, destroy: quorum }, { roster: quorum }),
    softwarePasskeys: flag,
    longestOrder: time, // seconds
  },
  {
    roles: object({ read: roles, change: roles, trust: roles, destroy: roles }),
    budgets: object({}, { read: budget, change: budget, trust: budget, destroy: budget, enrol: rate }),
    coolingOff: whole(0, 31 * 86_400), // seconds before a new passkey counts, and before a weaker policy does
    witnesses: listOf(line, 20), // vkeys
    cosignatures: whole(0, 20), // of witnesses, that a delivery needs
    authenticators: listOf(object({ aaguid: uuid, roots: listOf(base64, 8) }), 40), // only these, attested by a certificate under one of `roots`
    freezeCodes: listOf(digest, 40), // SHA-256 of the one-time paper codes
    releaseKey: line, // vkey of the release manifest
  },
)
export type Policy = ReturnType<typeof policyShape>
export type Budgets = Partial<Record<OrderClass, Budget>> & { enrol?: Rate }

export const DEFAULTS = {
  coolingOff: 86_400,
  budgets: {
    destroy: { devices: 10, percent: 0, seconds: 86_400, after: 'wait' },
    trust: { devices: 10, percent: 10, seconds: 3_600, after: 'all' },
    // A body of 50,000 that replaces its devices every four years enrols some fifty a working day. This is ten times the busiest hour of that,
    // lets a roll-out to everybody through in four days, and whoever floods it with a stolen invitation is noticed long before a tenth of the fleet is theirs.
    enrol: { devices: 500, seconds: 3_600 },
  } satisfies Budgets as Budgets & { enrol: Rate },
  roles: {
    read: ['operator', 'approver'],
    change: ['operator', 'approver'],
    trust: ['approver'],
    destroy: ['approver'],
  } as Record<OrderClass, Role[]>,
}

/** One policy, or several that hold at once, each thing as the strictest of them has it. */
export type Rules = {
  quorum: Record<OrderClass, number>
  roster: number // approvals by owners of a roster version or a thaw; at least min(2, owners)
  roles: Record<OrderClass, Role[]>
  budgets: Record<OrderClass, Budget[]> // all of them hold
  enrol: Rate[] // these too
  softwarePasskeys: boolean
  longestOrder: number
  coolingOff: number
  cosignatures: number
  authenticators: NonNullable<Policy['authenticators']>[]
}

const each = <T>(of: (name: OrderClass) => T) =>
  Object.fromEntries(CLASSES.map(name => [name, of(name)])) as Record<OrderClass, T>

/** `policies`: the newest last, and before it those that it weakened less than `coolingOff` ago. */
export function strictest(policies: Policy[]): Rules {
  const most = (of: (policy: Policy) => number) => Math.max(...policies.map(of))
  return {
    quorum: each(name => most(({ quorum }) => quorum[name])),
    roster: most(({ quorum }) => quorum.roster ?? 1),
    roles: each(name => {
      const lists = policies.map(({ roles }) => (roles ?? DEFAULTS.roles)[name])
      return lists[0]!.filter(role => lists.every(list => list.includes(role)))
    }),
    budgets: each(name => distinct(policies.flatMap(policy => budgetOf(policy, name) ?? []))),
    enrol: rates(policies),
    softwarePasskeys: policies.every(({ softwarePasskeys }) => softwarePasskeys),
    longestOrder: Math.min(...policies.map(({ longestOrder }) => longestOrder)),
    coolingOff: most(({ coolingOff }) => coolingOff ?? DEFAULTS.coolingOff),
    cosignatures: most(({ cosignatures }) => cosignatures ?? 0),
    authenticators: policies.flatMap(({ authenticators }) => (authenticators ? [authenticators] : [])),
  }
}

const budgetOf = ({ budgets }: Policy, name: OrderClass) => ({ ...DEFAULTS.budgets, ...budgets })[name]
const rates = (policies: Policy[]) => [
  ...new Map(
    policies
      .map(({ budgets }) => budgets?.enrol ?? DEFAULTS.budgets.enrol)
      .map(one => [`${one.devices}/${one.seconds}`, one]),
  ).values(),
]
const distinct = (budgets: Budget[]) => [
  ...new Map(budgets.map(one => [`${one.devices}/${one.percent}/${one.seconds}/${one.after}`, one])).values(),
]
