/** The console's API as this app uses it: types and one way to call. */
export type Approval = { credentialId: string; clientDataJSON: string; authenticatorData: string; signature: string }
export type OrderClass = 'read' | 'change' | 'trust' | 'destroy'
export type Tier = 'full' | 'no-wipe' | 'private'
export type DeviceState = 'enrolled' | 'authenticating' | 'left' | 'silent' | 'lost'
export type DeliveryState = 'pending' | 'sent' | 'acknowledged' | 'error' | 'not-now' | 'expired' | 'cancelled'
export type OrderState = 'draft' | 'approved' | 'done' | 'expired' | 'cancelled'

/** The rest of it is read from the ledger's entries. */
export type Roster = { genesis: string }
export type Role = 'owner' | 'operator' | 'approver' | 'responder' | 'auditor' | 'dpo'
export type Budget = { devices: number; percent: number; seconds: number; after: 'wait' | 'all' }
export type Proposal = {
  proposal: string
  kind: 'roster' | 'thaw' | 'cancel'
  state: 'open' | 'done' | 'overtaken' | 'expired'
  statement: string
  digest: string
  needed: number
  approvals: string[]
  missing: string[]
  createdBy: string
  createdAt: string
}
export type DeviceLine = {
  device: string
  alias: string
  platform: 'apple'
  tier: Tier
  state: DeviceState
  lastSeen: string
}
export type Result = { code: number | null; domain: string | null; at: string; reason?: string }
export type Fact = string | number | boolean
export type DevicePage = DeviceLine & {
  facts: Record<string, Fact>
  factsAt: string | null
  enrolledAt: string
  certificateExpires: string | null
  proven: boolean
  groups: { group: string; alias: string | null }[]
  orders: { order: string; action: string; state: DeliveryState; result: Result | null }[]
}
export type CommandDraft = { action: string; set: string[]; body?: string; unknownAction?: true; reason: string }
export type Targets = { devices: string[] } | { group: string } | { all: true }
export type OrderDraft = CommandDraft & Targets
export type StandingDraft = CommandDraft & { trigger: 'enrolment' | 'daily' }
export type Draft = { order: string; class: OrderClass; quorum: number; statement: string; digest: string }
export type OrderLine = {
  order: string
  kind: 'order' | 'standing'
  state: OrderState
  action: string
  class: OrderClass
  quorum: number
  approvals: string[]
  createdAt: string
  expiresAt: string
  devices: number
}
export type OrderDevice = { device: string; alias: string; state: DeliveryState; result: Result | null }
export type Order = Omit<OrderLine, 'devices'> & {
  statement: string
  digest: string
  secret: boolean
  body: string | null
  devices: OrderDevice[]
}
export type GroupLine = { group: string; alias: string; version: number; devices: number }
export type Group = GroupLine & { approved: boolean; statement: string; approval: Approval }
export type InvitationLine = {
  invitation: string
  tier: Tier
  uses: number
  used: number
  groups: string[]
  signed: boolean
  createdAt: string
  expiresAt: string
}
export type InvitationCreated = { invitation: string; url: string; profileUrl: string; expiresAt: string }
export type Signed = { statement: string; approval: Approval }

/** What went wrong, in words, and what to do about it. */
export class Refusal extends Error {
  readonly code: string
  readonly remedy: string | undefined
  constructor(code: string, message: string, remedy?: string) {
    super(message)
    this.code = code
    this.remedy = remedy
  }
}

let token: string | undefined
let signedOut = () => {}

/** Sets what later calls carry, and what to do when the console no longer knows it. */
export function authorise(value: string | undefined, onRefused: () => void) {
  token = value
  signedOut = onRefused
}

type Options = { method?: 'GET' | 'POST' | 'DELETE'; body?: unknown; signal?: AbortSignal }

/** Throws Refusal, and nothing else. */
export async function call<T>(path: string, { method, body, signal }: Options = {}): Promise<T> {
  const headers: Record<string, string> = { accept: 'application/json' }
  if (body !== undefined) headers['content-type'] = 'application/json'
  if (token !== undefined) headers.authorization = `Bearer ${token}`
  const response = await fetch(path, {
    method: method ?? (body === undefined ? 'GET' : 'POST'),
    headers,
    cache: 'no-store',
    credentials: 'omit',
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    ...(signal ? { signal } : {}),
  }).catch(() => {
    throw new Refusal(
      'UNAVAILABLE',
      'Bulkhead does not answer.',
      'See whether it is running on this machine: bulkhead up',
    )
  })
  const answer: unknown = await response.json().catch(() => undefined)
  if (response.ok && answer !== undefined) return answer as T
  if (response.status === 401) signedOut()
  throw refusalOf(response.status, answer)
}

function refusalOf(status: number, answer: unknown): Refusal {
  const { code, message, remedy } = (typeof answer === 'object' && answer !== null ? answer : {}) as Record<
    string,
    unknown
  >
  if (typeof message !== 'string')
    return new Refusal('UNAVAILABLE', `Bulkhead answered ${status} without a reason.`, 'Try again in a moment.')
  return new Refusal(String(code), message, typeof remedy === 'string' ? remedy : undefined)
}
