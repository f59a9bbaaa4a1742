import { verify } from 'node:crypto'
import { BulkheadError } from '../base/errors.ts'
import { PERMITS_PREFIX } from '../ledger/api.ts'
import { type Approval, countApprovals } from '../trust/approval.ts'
import { canonical } from '../trust/canonical.ts'
import { classOf, type OrderClass } from '../trust/class.ts'
import { type Invitation, verifyInvitation } from '../trust/invitation.ts'
import { approvalLeaf, orderLeaf } from '../trust/leaves.ts'
import {
  decodeOrder,
  decodeStanding,
  type Hole,
  type Order,
  orderDigest,
  type StandingOrder,
  standingDigest,
  targetsDigest,
} from '../trust/order.ts'
import type { Trusted } from '../trust/roster.ts'
import { sha256Hex } from '../trust/statement.ts'
import { decodeTemplate } from '../trust/template.ts'
import { commandUuid } from '../trust/token.ts'
import type { Voucher } from '../trust/voucher.ts'
import type { ProfileParts } from '../vault/api.ts'
import { dictOf, own } from '../wire/apple/dict.ts'
import { enrolmentProfileBytes, PROFILE_IDENTIFIER } from '../wire/apple/enrolment.ts'
import { allowedQueries, rightsNeededBy, TIERS } from '../wire/apple/rights.ts'
import { decodeCertificate } from '../wire/pkcs/certificate.ts'
import { encodeSignedDataFrom, issuerAndSerial } from '../wire/pkcs/signed-data.ts'
import { encodeXmlPlist, type PlistDict } from '../wire/plist/plist.ts'
import { openCheckpoint } from '../wire/tlog/checkpoint.ts'
import { verifierOf } from '../wire/tlog/cosignature.ts'
import { leafHash, verifyInclusion } from '../wire/tlog/merkle.ts'
import { decodeVkey } from '../wire/tlog/note.ts'

// The turnstile: the one exit for bytes to a device. Rules of this file:
// - only these functions make a `Passed`, and the server sends nothing else (a test looks for another way out);
// - what is in a table proves nothing: approvals, targets and bodies are checked here against the roster as the control log has it;
// - who the device is comes from its voucher alone;
// - each guard is one row with a code of its own: what it refuses is not sent, and is a trace. `npm run drill -- mutate` takes out one row at a time.

declare const passed: unique symbol
export type Passed = { readonly bytes: Buffer; readonly contentType: string; readonly [passed]: true }
const pass = (bytes: Uint8Array, contentType: string) =>
  ({ bytes: Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes), contentType }) as unknown as Passed

const XML = 'application/xml; charset=utf-8'

/** What the turnstile says no with. `reason` is for watch, the message for people. */
export class Refusal extends BulkheadError {
  readonly reason: string
  constructor(reason: string, message: string) {
    super('REFUSED', message)
    this.name = 'Refusal'
    this.reason = reason
  }
}
type Guard<Facts> = readonly [
  reason: string,
  message: string | ((facts: Facts) => string),
  holds: (facts: Facts) => boolean,
]

/** The first guard that does not hold throws. */
function requireAll<Facts>(guards: readonly Guard<Facts>[], facts: Facts): void {
  for (const [reason, message, holds] of guards)
    if (!holds(facts)) throw new Refusal(reason, typeof message === 'string' ? message : message(facts))
}

/** An order as it was loaded, before anything of it is believed. */
export type LoadedOrder = {
  kind: 'order' | 'standing'
  statement: string
  body: Buffer
  targets: string[]
  approvals: Approval[]
}
/** The ledger's proofs for the keys of `evidenceKeys`, in that order, all under one checkpoint. */
export type Evidence = { checkpoint: string; proofs: ({ index: number; hashes: string[] } | null)[] }
/** An order whose approvals, body, targets and place in the log hold. Kept, so that a fleet-wide order is verified once. */
export type VerifiedOrder = {
  order: Order | StandingOrder
  class: OrderClass
  body: string
  rights: number
  targets: ReadonlySet<string> | 'all'
  channel: 'device' | 'user'
  index: number // of its entry in the main log
}

type OrderFacts = {
  loaded: LoadedOrder
  order: Order | StandingOrder
  command: PlistDict
  text: string
  class: OrderClass
  approved: ReturnType<typeof countApprovals>
  logged: number // members whose approvals are in the log, with the order
  cosignatures: number
  trusted: Trusted
}

export const ORDER_GUARDS: readonly Guard<OrderFacts>[] = [
  ['body', 'The body is not the one that was approved.', ({ loaded, order }) => sha256Hex(loaded.body) === order.body],
  [
    'action',
    'The body is another action than the order says.',
    ({ command, order }) => own(command, 'RequestType') === order.action,
  ],
  ['no-uuid', 'The body has no place for a CommandUUID.', ({ order }) => order.holes.includes('command-uuid')],
  [
    'holes',
    ({ order, text }) => `The hole ${order.holes.find(hole => !standsOnce(hole, text))} does not stand exactly once.`,
    ({ order, text }) => order.holes.every(hole => standsOnce(hole, text)),
  ],
  [
    'targets',
    'The targets are not the ones that were approved.',
    ({ loaded, order }) => !('targets' in order) || areTargets(order, loaded.targets),
  ],
  [
    'standing-class',
    'A standing order covers read and change only.',
    ({ order, class: of }) => 'targets' in order || of === 'read' || of === 'change',
  ],
  [
    'lifetime',
    'The order lives longer than the roster allows.',
    ({ order, trusted }) => order.expiresAt - order.notBefore <= trusted.rules.longestOrder,
  ],
  [
    'quorum',
    ({ approved: { members, refusals }, class: of, trusted }) =>
      `${members.length} of ${trusted.rules.quorum[of]} approvals hold. ${refusals.join(' ')}`.trim(),
    ({ approved, class: of, trusted }) => approved.members.length >= trusted.rules.quorum[of],
  ],
  [
    'unlogged',
    'The ledger holds no proof of the order and its approvals.',
    ({ logged, class: of, trusted }) => logged >= trusted.rules.quorum[of],
  ],
  [
    'cosignatures',
    'Too few witnesses have signed the checkpoint.',
    ({ cosignatures, trusted }) => cosignatures >= trusted.rules.cosignatures,
  ],
]

/** Throws a Refusal, or MALFORMED or UNPROVEN for what does not decode. */
export function verifyOrder(loaded: LoadedOrder, evidence: Evidence, trusted: Trusted): VerifiedOrder {
  const { order, digest } = readOrder(loaded, trusted)
  const command = decodeTemplate(loaded.body)
  const orderClass = classOf(command, { mdmProfile: PROFILE_IDENTIFIER })
  const text = loaded.body.toString('utf8')
  const given = approvalLeaves(loaded, digest, trusted)
  const leaf = orderLeaf({ order: order.id, kind: loaded.kind, class: orderClass, digest: digest.toString('hex') })
  const { holds, cosignatures } = loggedUnder(evidence, [leaf, ...given.map(one => one.leaf)], trusted)
  const count = (approvals: Approval[]) => countApprovals(approvals, digest, trusted, trusted.rules.roles[orderClass])
  const approved = count(loaded.approvals)
  const logged = holds[0]
    ? count(given.filter((_, at) => holds[at + 1]).map(({ approval }) => approval)).members.length
    : 0
  const facts = { loaded, order, command, text, class: orderClass, trusted, approved, logged, cosignatures }
  requireAll(ORDER_GUARDS, facts)
  return {
    order,
    class: orderClass,
    body: text,
    rights: rightsNeededBy(command),
    targets: 'targets' in order ? new Set(loaded.targets) : 'all',
    channel: 'channel' in order ? order.channel : 'device',
    index: evidence.proofs[0]!.index,
  }
}

function readOrder(loaded: LoadedOrder, trusted: Trusted): { order: Order | StandingOrder; digest: Buffer } {
  return loaded.kind === 'standing'
    ? { order: decodeStanding(loaded.statement), digest: standingDigest(loaded.statement, trusted) }
    : { order: decodeOrder(loaded.statement), digest: orderDigest(loaded.statement, trusted) }
}

const standsOnce = (hole: Hole, text: string) => text.split(`{{${hole}}}`).length === 2
const areTargets = (order: Order, devices: string[]) =>
  new Set(devices).size === order.targets.count && targetsDigest([...new Set(devices)]) === order.targets.digest

/** Each approval by a passkey that the roster knows, with the entry that must be in the log. */
function approvalLeaves({ approvals }: LoadedOrder, digest: Buffer, { passkeys }: Trusted) {
  return approvals.flatMap(approval => {
    const member = passkeys.get(approval.credentialId)?.member.id
    return member === undefined ? [] : [{ approval, leaf: approvalLeaf(digest.toString('hex'), member, approval) }]
  })
}

/** What to ask the ledger's proofs for. */
export function evidenceKeys(loaded: LoadedOrder, trusted: Trusted): string[] {
  const { order, digest } = readOrder(loaded, trusted)
  return [`order:${order.id}`, ...approvalLeaves(loaded, digest, trusted).map(({ leaf }) => leaf.unique)]
}

/** Which of these entries are in the main log, and how many witnesses signed its checkpoint. Throws UNPROVEN for a proof that is false. */
function loggedUnder({ checkpoint, proofs }: Evidence, leaves: object[], { roster, rules }: Trusted) {
  const witnesses = rules.cosignatures === 0 ? [] : (roster.policy.witnesses ?? [])
  const log = verifierOf(decodeVkey(roster.keys.ledgerMain))
  const others = witnesses.map(vkey => verifierOf(decodeVkey(vkey)))
  const { size, root, verified } = openCheckpoint(checkpoint, `${roster.name}/main`, log, others)
  const holds = leaves.map((leaf, at) => {
    const proof = proofs[at]
    if (!proof) return false
    const hashes = proof.hashes.map(hash => Buffer.from(hash, 'base64'))
    verifyInclusion(proof.index, size, leafHash(Buffer.from(canonical(leaf))), hashes, root)
    return true
  })
  return { holds, cosignatures: verified.length - 1 }
}

/** What the control log says now, and what the ledger granted. `now` in seconds. */
export type Gate = {
  now: number
  fresh: boolean
  frozen: boolean
  isCancelled: (order: string, index: number) => boolean
}
export type Fills = Partial<Record<Hole, string>>
export type Delivery = { voucher: Voucher; channel: string; serial: number; fills: Fills }
/** The CommandUUIDs that the ledger lets go out. */
export type Permits = ReadonlySet<string>

const GATE_GUARDS: readonly Guard<{ gate: Gate }>[] = [
  ['stale', 'Nobody knows whether a freeze has come: the control log is too old.', ({ gate }) => gate.fresh],
  ['frozen', 'Deliveries are frozen.', ({ gate }) => !gate.frozen],
]

type DeliveryFacts = Delivery & { verified: VerifiedOrder; gate: Gate }

export const DELIVERY_GUARDS: readonly Guard<DeliveryFacts>[] = [
  ...GATE_GUARDS,
  [
    'cancelled',
    'The order was cancelled.',
    ({ verified, gate }) => !gate.isCancelled(verified.order.id, verified.index),
  ],
  ['early', 'The order is not valid yet.', ({ verified, gate }) => gate.now >= verified.order.notBefore],
  ['expired', 'The order has expired.', ({ verified, gate }) => gate.now < verified.order.expiresAt],
  [
    'platform',
    'The order is for another platform.',
    ({ verified, voucher }) => verified.order.platform === voucher.platform,
  ],
  [
    'not-a-target',
    'The device is not among the targets.',
    ({ verified, voucher }) => verified.targets === 'all' || verified.targets.has(voucher.device),
  ],
  [
    'channel',
    'The order is for another channel.',
    ({ verified, channel }) => (channel === '') === (verified.channel === 'device'),
  ],
  [
    'serial',
    'The order was not approved to be repeated.',
    ({ verified, serial, gate }) => isSerialOf(verified.order, serial, gate.now),
  ],
  [
    'rights',
    "The enrolment's rights do not allow this command.",
    ({ verified, voucher }) => (TIERS[voucher.tier] & verified.rights) === verified.rights,
  ],
]

const PERMIT_GUARD: Guard<{ permits: Permits; command: string }> = [
  'permit',
  'The ledger has not granted this delivery.',
  ({ permits, command }) => permits.has(command),
]

/** All that can be checked before the ledger is asked, so that what cannot go out uses up no budget. */
export function requireDeliverable(verified: VerifiedOrder, delivery: Delivery, gate: Gate): void {
  requireAll(DELIVERY_GUARDS, { ...delivery, verified, gate })
}

/** The bytes of one delivery of a verified order to one device. */
export function passCommand(verified: VerifiedOrder, delivery: Delivery, gate: Gate, permits: Permits): Passed {
  requireDeliverable(verified, delivery, gate)
  const command = commandUuid(verified.order.id, delivery.voucher.device, delivery.channel, delivery.serial)
  requireAll([PERMIT_GUARD], { permits, command })
  return pass(Buffer.from(fill(verified, delivery, command)), XML)
}

const PERMIT_SECONDS = 60

/** What the ledger granted, if it did so just now. Throws a Refusal. */
export function openPermits(statement: string, signature: string, now: number, { ledgerKey }: Trusted): Permits {
  const signed = Buffer.from(`${PERMITS_PREFIX}${statement}`)
  const { commands, time } = JSON.parse(statement) as { commands: string[]; time: number } // believed once the guards hold
  requireAll(
    [
      [
        'permit-unsigned',
        'The ledger has not signed these permits.',
        () => verify(null, signed, ledgerKey, Buffer.from(signature, 'base64')),
      ],
      ['permit-old', 'The permits are not of now.', () => Math.abs(time - now) <= PERMIT_SECONDS],
    ],
    {},
  )
  return new Set(commands)
}

const DAY = 86_400 // seconds
export const dayOf = (now: number): number => Math.floor(now / DAY)
export const isRenewable = ({ notAfter }: Pick<Voucher, 'notAfter'>, now: number): boolean =>
  notAfter - now <= RENEW_BEFORE

/** A delivery's number comes from a table: only a daily order has more than one, and each on its day. */
function isSerialOf(order: Order | StandingOrder, serial: number, now: number): boolean {
  return serial === 0 || ('trigger' in order && order.trigger === 'daily' && serial === dayOf(now))
}

function fill(verified: VerifiedOrder, { voucher, fills }: Delivery, command: string): string {
  let text = verified.body
  for (const hole of verified.order.holes) {
    if (hole === 'allowed-queries') {
      const list = allowedQueries(voucher.tier).map(query => `<string>${query}</string>`)
      text = text.replace('<string>{{allowed-queries}}</string>', list.join(''))
      continue
    }
    const value = hole === 'command-uuid' ? command : hole === 'device-id' ? voucher.device : fills[hole]
    if (value === undefined || !/^[A-Za-z0-9+/=_.-]{0,200000}$/.test(value))
      throw new Refusal('fill', `Nothing to fill ${hole} with.`)
    text = text.replace(`{{${hole}}}`, value)
  }
  return text
}

type ProfileFacts = { parts: ProfileParts; invitation: Invitation; gate: Gate }
export const PROFILE_GUARDS: readonly Guard<ProfileFacts>[] = [
  ...GATE_GUARDS,
  [
    'profile',
    'The profile is not what the invitation says.',
    ({ parts, invitation }) => invitation.tier === parts.tier && invitation.signed === (parts.signer !== null),
  ],
]

/** An enrolment profile for whoever holds an invitation that a member approved: tier, unit and rights are the statement's. */
export function passEnrolmentProfile(
  parts: ProfileParts,
  statement: string,
  approval: Approval,
  gate: Gate,
  trusted: Trusted,
): Passed {
  const invitation = verifyInvitation(statement, approval, trusted)
  if (gate.now < invitation.notBefore || gate.now >= invitation.expiresAt)
    throw new BulkheadError('EXPIRED', 'The invitation has expired.')
  requireAll(PROFILE_GUARDS, { parts, invitation, gate })
  return pass(profileBytes(parts), 'application/x-apple-aspen-config')
}

function profileBytes(parts: ProfileParts): Buffer {
  const content = Buffer.from(enrolmentProfileBytes(parts))
  if (parts.signer === null) return content
  const certificates = parts.signer.certificates.map(der => Buffer.from(der, 'base64'))
  return encodeSignedDataFrom({
    content,
    certificates,
    issuerAndSerial: issuerAndSerial(decodeCertificate(certificates[0]!)),
    digest: 'sha256',
    kind: 'rsa',
    signedAttributes: Buffer.from(parts.signer.attributes, 'base64'),
    signature: Buffer.from(parts.signer.signature, 'base64'),
  })
}

/** The one standing order that is in the genesis itself. Its body is worked out from the voucher: same identifier, URLs and rights, a fresh challenge. */
export const RENEW_IDENTITY = '72656e65-7769-8000-8000-6964656e7469'

/** How long before its certificate ends a device renews, and how many days its order may wait for it. */
export const RENEW_BEFORE = 30 * DAY
const RENEWAL_WAITS = 1

type RenewalFacts = {
  parts: ProfileParts
  path: string | undefined
  voucher: Voucher
  serial: number
  gate: Gate
  trusted: Trusted
  permits: Permits
  command: string
}
export const RENEWAL_GUARDS: readonly Guard<RenewalFacts>[] = [
  ...GATE_GUARDS,
  [
    'renewal',
    'The roster does not renew identities.',
    ({ trusted }) => trusted.roster.standing.includes('renew-identity'),
  ],
  ['renewal-path', 'The profile has the URLs of another device.', ({ path, voucher }) => path === voucher.path],
  [
    'renewal-signed',
    'The profile is not signed as the first one was.',
    ({ parts, voucher }) => voucher.signed === (parts.signer !== null),
  ],
  // The queue is a table: whoever writes it must not make a device renew at will.
  ['renewal-early', 'The identity is not to be renewed yet.', ({ voucher, gate }) => isRenewable(voucher, gate.now)],
  [
    'renewal-serial',
    'Renewals are numbered by their day, and this is another.',
    ({ serial, gate }) => serial <= dayOf(gate.now) && serial >= dayOf(gate.now) - RENEWAL_WAITS,
  ],
  PERMIT_GUARD,
]

export function passRenewal(
  parts: ProfileParts,
  pathOf: (token: string) => string | undefined,
  { voucher, serial }: Pick<Delivery, 'voucher' | 'serial'>,
  gate: Gate,
  permits: Permits,
  trusted: Trusted,
): Passed {
  const uuid = commandUuid(RENEW_IDENTITY, voucher.device, '', serial)
  const path = pathOf(parts.pathToken)
  requireAll(RENEWAL_GUARDS, { parts, path, voucher, serial, gate, trusted, permits, command: uuid })
  const fixed = { ...parts, path: voucher.path, tier: voucher.tier, topic: voucher.topic, url: voucher.url }
  const command = dictOf([
    ['RequestType', 'InstallProfile'],
    ['Payload', profileBytes(fixed)],
  ])
  return pass(
    encodeXmlPlist(
      dictOf([
        ['Command', command],
        ['CommandUUID', uuid],
      ]),
    ),
    XML,
  )
}

/** Declarative management: no declarations are given out yet, and this is how "none" is said. `undefined`: there is no such declaration. */
export function passDeclarations(endpoint: string): Passed | undefined {
  const token = sha256Hex('bulkhead-declarations/v1\n[]')
  const answers: Record<string, unknown> = {
    tokens: { SyncTokens: { DeclarationsToken: token, Timestamp: '2026-01-01T00:00:00Z' } },
    'declaration-items': {
      DeclarationsToken: token,
      Declarations: { Activations: [], Assets: [], Configurations: [], Management: [] },
    },
  }
  return Object.hasOwn(answers, endpoint)
    ? pass(Buffer.from(JSON.stringify(answers[endpoint])), 'application/json')
    : undefined
}

/** A Mac gets its own bootstrap token back; the vault verified the message that asks for it. */
export function passBootstrapToken(token: Uint8Array): Passed {
  return pass(encodeXmlPlist(dictOf([['BootstrapToken', token]])), XML)
}

/** Network users are let in by the device itself: an empty DigestChallenge (Apple, UserAuthenticate). */
export const passNoChallenge = (): Passed => pass(encodeXmlPlist(dictOf([['DigestChallenge', '']])), XML)

/** Answers of SCEP (RFC 8894) carry certificates and encrypted certificates, no instructions. The content types are a closed list. */
const PKI_TYPES = ['text/plain', 'application/x-x509-ca-ra-cert', 'application/x-pki-message'] as const
export const passPki = (bytes: Uint8Array, contentType: (typeof PKI_TYPES)[number]): Passed => pass(bytes, contentType)

/** A page for a person's browser, made of our own text. */
export const passPage = (html: string): Passed => pass(Buffer.from(html), 'text/html; charset=utf-8')
