import { z } from '@hono/zod-openapi'

/** The console's contract: what clients send and get. Clients outside take the types only. */
z.config({ jitless: true }) // no code is made from strings here

export const uuid = z.string().regex(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, 'a UUID in lower case')
export const aliasText = z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'an alias')
/** An id or an alias; an id also fits the form of an alias. */
export const nameText = aliasText
const base64url = z.string().regex(/^[A-Za-z0-9_-]{0,20000}$/, 'base64url')
const hex = z.string().regex(/^[0-9a-f]{64}$/)
const time = z.iso.datetime()
const statementText = z.string().max(8 * 1024 * 1024)

export const approvalIn = z
  .strictObject({
    credentialId: base64url,
    clientDataJSON: base64url,
    authenticatorData: base64url,
    signature: base64url,
  })
  .openapi('Approval')
export const signedIn = z.strictObject({ statement: statementText, approval: approvalIn })

export const errorOut = z
  .object({ code: z.string(), message: z.string(), remedy: z.string().optional() })
  .openapi('Error')
export const done = z.object({ done: z.literal(true) })

// sessions
export const challengeOut = z.object({ challenge: base64url, digest: hex })
export const sessionIn = z.strictObject({ challenge: base64url, approval: approvalIn })
export const sessionOut = z.object({ token: z.string(), member: uuid, alias: z.string(), expiresAt: time })
export const rosterOut = z
  .object({
    genesis: z.string(),
    genesisDigest: hex,
    versions: z.array(z.string()), // the statements that followed the genesis, each naming the one before it
    app: z.object({ origin: z.string(), rpId: z.string() }),
    members: z.array(z.object({ alias: z.string(), credentialIds: z.array(z.string()) })),
    urls: z.object({ edge: z.string(), ledger: z.string() }),
  })
  .openapi('Roster')

// devices
export const tier = z.enum(['full', 'no-wipe', 'private'])
export const deviceState = z.enum(['enrolled', 'authenticating', 'left', 'silent', 'lost'])
export const deviceOut = z
  .object({
    device: uuid,
    alias: z.string(),
    platform: z.enum(['apple']),
    tier,
    state: deviceState,
    lastSeen: time,
  })
  .openapi('Device')
export const devicesOut = z.object({ devices: z.array(deviceOut), next: uuid.nullable() })
export const deliveryState = z.enum(['pending', 'sent', 'acknowledged', 'error', 'not-now', 'expired', 'cancelled'])
export const resultOut = z
  .object({ code: z.int().nullable(), domain: z.string().nullable(), at: time, reason: z.string().optional() })
  .openapi('Result')
const deviceOrder = z.object({
  order: uuid,
  action: z.string(),
  state: deliveryState,
  result: resultOut.nullable(),
})
export const devicePageOut = deviceOut
  .extend({
    facts: z.record(z.string(), z.union([z.string(), z.number(), z.boolean()])),
    factsAt: time.nullable(),
    enrolledAt: time,
    certificateExpires: time.nullable(),
    proven: z.boolean(), // the vault's voucher for this device holds
    groups: z.array(z.object({ group: uuid, alias: z.string().nullable() })),
    orders: z.array(deviceOrder),
  })
  .openapi('DevicePage')

// orders
export const orderClass = z.enum(['read', 'change', 'trust', 'destroy'])
const body = z.string().max(12 * 1024 * 1024)
export const commandIn = {
  action: z.string().regex(/^[A-Za-z][A-Za-z0-9]{0,63}$/, 'a RequestType'),
  set: z.array(z.string().max(100_000)).max(256).default([]),
  body: body.optional(), // base64
  unknownAction: z.literal(true).optional(), // an action that the schema lacks, and a body does not spell out
  reason: z.string().min(1).max(2000),
  expiresInSeconds: z.int().min(60).optional(),
}
export const orderIn = z
  .strictObject({
    ...commandIn,
    devices: z.array(nameText).min(1).max(100_000).optional(),
    group: nameText.optional(),
    all: z.literal(true).optional(),
    channel: z.enum(['device', 'user']).default('device'),
  })
  .openapi('OrderDraft')
export const standingIn = z
  .strictObject({ ...commandIn, trigger: z.enum(['enrolment', 'daily']) })
  .openapi('StandingDraft')
const draft = { order: uuid, class: orderClass, quorum: z.int(), statement: z.string(), digest: hex }
export const draftOut = z.object({ ...draft, devices: z.int() }).openapi('Draft')
export const standingDraftOut = z.object(draft).openapi('StandingDrafted')
export const approveIn = z.strictObject({ approval: approvalIn })
export const orderState = z.enum(['draft', 'approved', 'done', 'expired', 'cancelled'])
const orderCommon = {
  order: uuid,
  kind: z.enum(['order', 'standing']),
  state: orderState,
  action: z.string(),
  class: orderClass,
  quorum: z.int(),
  approvals: z.array(z.string()), // aliases of members
  createdAt: time,
  expiresAt: time,
}
export const approvedOut = z.object({ order: uuid, state: orderState, approvals: z.array(z.string()), quorum: z.int() })
export const orderLineOut = z.object({ ...orderCommon, devices: z.int() }).openapi('OrderLine')
export const orderDeviceOut = z.object({
  device: uuid,
  alias: z.string(),
  state: deliveryState,
  result: resultOut.nullable(),
})
export const orderOut = z
  .object({
    ...orderCommon,
    statement: z.string(),
    digest: hex,
    secret: z.boolean(),
    body: z.string().nullable(), // the template in base64; null where it is sealed
    devices: z.array(orderDeviceOut),
  })
  .openapi('Order')
export const ordersOut = z.object({ orders: z.array(orderLineOut), next: time.nullable() })

// control: the roster's versions, freezes, thaws, cancellations
export const controlOut = z.object({ checkpoint: z.string(), entries: z.array(z.string()) }).openapi('ControlPage')
/** `proof`: that the main log begins with the entries that the client knows, in base64. */
export const mainOut = z.object({ checkpoint: z.string(), proof: z.array(z.string()) }).openapi('MainHead')
export const freezeIn = z.union([
  signedIn,
  z.strictObject({ code: z.string().regex(/^[0-9a-f-]{16,80}$/, 'a paper code') }),
])
const proposalKind = z.enum(['roster', 'thaw', 'cancel'])
export const proposalIn = z.strictObject({
  kind: proposalKind,
  statement: z.string().max(65_000),
  approval: approvalIn.optional(),
})
export const proposalOut = z
  .object({
    proposal: z.string(),
    kind: proposalKind,
    state: z.enum(['open', 'done', 'overtaken', 'expired']),
    statement: z.string(),
    digest: hex,
    needed: z.int(),
    approvals: z.array(z.string()), // aliases of members
    missing: z.array(z.string()), // who could approve and has not
    createdBy: z.string(),
    createdAt: time,
  })
  .openapi('Proposal')
export const proposalsOut = z.object({ proposals: z.array(proposalOut) })
const roles = z.array(z.enum(['owner', 'operator', 'approver', 'responder', 'auditor', 'dpo']))
const forEach = <S extends z.ZodType>(of: S) => z.object({ read: of, change: of, trust: of, destroy: of })
const budget = z.object({ devices: z.int(), percent: z.int(), seconds: z.int(), after: z.enum(['wait', 'all']) })
const rules = z.object({
  quorum: forEach(z.int()),
  roster: z.int(),
  roles: forEach(roles),
  budgets: forEach(z.array(budget)),
  enrol: z.array(z.object({ devices: z.int(), seconds: z.int() })),
  softwarePasskeys: z.boolean(),
  longestOrder: z.int(),
  coolingOff: z.int(),
  cosignatures: z.int(),
})
export const standingOut = z
  .object({
    version: z.int(),
    size: z.int(), // of the control log
    root: z.string(),
    time, // the newest that the ledger's clock signed
    fresh: z.boolean(),
    frozen: z.array(z.object({ index: z.int(), at: time, by: z.string() })), // each freeze that stands
    members: z.array(
      z.object({
        id: uuid,
        alias: z.string(),
        roles,
        passkeys: z.array(z.object({ id: z.string(), software: z.boolean(), countsFrom: z.int() })), // seconds; 0: from the genesis
      }),
    ),
    rules, // with what still cools off
    versions: z.array(
      z.object({ version: z.int(), at: z.int(), statement: z.string(), by: z.array(z.string()) }), // by: aliases of the owners
    ),
  })
  .openapi('Standing')

// groups
export const groupLineOut = z.object({ group: uuid, alias: z.string(), version: z.int(), devices: z.int() })
export const groupOut = groupLineOut
  .extend({ members: z.array(uuid), approved: z.boolean(), statement: z.string(), approval: approvalIn }) // approved: by a member of now; else nobody is in it
  .openapi('Group')
export const groupsOut = z.object({ groups: z.array(groupLineOut) })

// invitations
export const invitationOut = z
  .object({ invitation: uuid, url: z.string(), profileUrl: z.string(), expiresAt: time })
  .openapi('Invitation')
export const invitationLineOut = z.object({
  invitation: uuid,
  tier,
  uses: z.int(),
  used: z.int(),
  groups: z.array(uuid),
  signed: z.boolean(),
  createdAt: time,
  expiresAt: time,
})
export const invitationsOut = z.object({ invitations: z.array(invitationLineOut) })

// push
export const pushOut = z
  .object({ topic: z.string(), placeholder: z.boolean(), expiresAt: time.nullable(), account: z.string().nullable() })
  .openapi('Push')
export const csrIn = z.strictObject({ organisation: z.string().min(1).max(100) })
export const csrOut = z.object({ csr: z.string() })
export const pushIn = z.strictObject({
  certificate: z.string().max(100_000),
  account: z.string().min(1).max(200),
  statement: z.string().max(10_000),
  approval: approvalIn,
})

export type Roster = z.infer<typeof rosterOut>
export type Proposal = z.infer<typeof proposalOut>
export type ControlPage = z.infer<typeof controlOut>
export type DeviceLine = z.infer<typeof deviceOut>
export type DevicePage = z.infer<typeof devicePageOut>
export type OrderDraft = z.infer<typeof orderIn>
export type StandingDraft = z.infer<typeof standingIn>
export type Draft = z.infer<typeof draftOut>
export type StandingDrafted = z.infer<typeof standingDraftOut>
export type Order = z.infer<typeof orderOut>
export type OrderLine = z.infer<typeof orderLineOut>
export type OrderState = z.infer<typeof orderState>
export type OrderDevice = z.infer<typeof orderDeviceOut>
export type DeliveryState = z.infer<typeof deliveryState>
export type Result = z.infer<typeof resultOut>
export type Approved = z.infer<typeof approvedOut>
export type GroupLine = z.infer<typeof groupLineOut>
export type Group = z.infer<typeof groupOut>
export type InvitationCreated = z.infer<typeof invitationOut>
export type InvitationLine = z.infer<typeof invitationLineOut>
export type Push = z.infer<typeof pushOut>
