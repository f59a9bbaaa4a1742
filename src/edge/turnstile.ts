import { BulkheadError } from '../base/errors.ts'
import type { Approval } from '../trust/approval.ts'
import { classOf, type OrderClass } from '../trust/class.ts'
import { verifyInvitation } from '../trust/invitation.ts'
import {
  decodeOrder,
  decodeStanding,
  type Hole,
  type Order,
  orderDigest,
  requireQuorum,
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
import { encodeXmlPlist } from '../wire/plist/plist.ts'

// The turnstile: the one exit for bytes to a device. Rules of this file:
// - only these functions make a `Passed`, and the server sends nothing else (a test looks for another way out);
// - what is in a table proves nothing: approvals, targets and bodies are checked here against the pinned genesis;
// - who the device is comes from its voucher alone;
// - what fails is refused by a code and not sent.

declare const passed: unique symbol
export type Passed = { readonly bytes: Buffer; readonly contentType: string; readonly [passed]: true }
const pass = (bytes: Uint8Array, contentType: string) =>
  ({ bytes: Buffer.from(bytes), contentType }) as unknown as Passed

const XML = 'application/xml; charset=utf-8'
const refuse = (message: string) => new BulkheadError('REFUSED', message)

/** An order as it was loaded, before anything of it is believed. */
export type LoadedOrder = {
  kind: 'order' | 'standing'
  statement: string
  body: Buffer
  targets: string[]
  approvals: Approval[]
}
/** An order whose approvals, body and targets hold. Kept, so that a fleet-wide order is verified once. */
export type VerifiedOrder = {
  order: Order | StandingOrder
  class: OrderClass
  body: string
  rights: number
  targets: ReadonlySet<string> | 'all'
  channel: 'device' | 'user'
}

/** Throws UNPROVEN or REFUSED by the first guard that fails. */
export function verifyOrder(loaded: LoadedOrder, trusted: Trusted): VerifiedOrder {
  const standing = loaded.kind === 'standing'
  const order = standing ? decodeStanding(loaded.statement) : decodeOrder(loaded.statement)
  if (sha256Hex(loaded.body) !== order.body) throw refuse('The body is not the one that was approved.')
  const command = decodeTemplate(loaded.body)
  if (own(command, 'RequestType') !== order.action) throw refuse('The body is another action than the order says.')
  const orderClass = classOf(command, { mdmProfile: PROFILE_IDENTIFIER })
  const digest = (standing ? standingDigest : orderDigest)(loaded.statement, trusted)
  requireQuorum(loaded.approvals, digest, orderClass, trusted)
  if (order.expiresAt - order.notBefore > trusted.roster.policy.longestOrder)
    throw refuse('The order lives longer than the roster allows.')
  return {
    order,
    class: orderClass,
    body: templateOf(loaded.body, order.holes),
    rights: rightsNeededBy(command),
    targets: standing ? standingTargets(orderClass) : targetsOf(order as Order, loaded.targets),
    channel: 'channel' in order ? order.channel : 'device',
  }
}

function templateOf(body: Buffer, holes: readonly Hole[]): string {
  const text = body.toString('utf8')
  if (!holes.includes('command-uuid')) throw refuse('The body has no place for a CommandUUID.')
  for (const hole of holes)
    if (text.split(`{{${hole}}}`).length !== 2) throw refuse(`The hole ${hole} does not stand exactly once.`)
  return text
}

function targetsOf(order: Order, devices: string[]): ReadonlySet<string> {
  const targets = new Set(devices)
  if (targets.size !== order.targets.count || targetsDigest([...targets]) !== order.targets.digest)
    throw refuse('The targets are not the ones that were approved.')
  return targets
}

function standingTargets(orderClass: OrderClass): 'all' {
  if (orderClass !== 'read' && orderClass !== 'change') throw refuse('A standing order covers read and change only.')
  return 'all'
}

export type Fills = Partial<Record<Hole, string>>
export type Delivery = { voucher: Voucher; channel: string; serial: number; now: number; fills: Fills }

/** The bytes of one delivery of a verified order to one device. `now` in seconds. */
export function passCommand(verified: VerifiedOrder, delivery: Delivery): Passed {
  const { order } = verified
  const { voucher, now } = delivery
  if (now < order.notBefore) throw refuse('The order is not valid yet.')
  if (now >= order.expiresAt) throw refuse('The order has expired.')
  if (order.platform !== voucher.platform) throw refuse('The order is for another platform.')
  if (verified.targets !== 'all' && !verified.targets.has(voucher.device))
    throw refuse('The device is not among the targets.')
  if ((delivery.channel === '') !== (verified.channel === 'device')) throw refuse('The order is for another channel.')
  if (!isSerialOf(order, delivery.serial, now)) throw refuse('The order was not approved to be repeated.')
  if ((TIERS[voucher.tier] & verified.rights) !== verified.rights)
    throw refuse("The enrolment's rights do not allow this command.")
  return pass(Buffer.from(fill(verified, delivery)), XML)
}

const DAY = 86_400 // seconds

/** A delivery's number comes from a table: only a daily order has more than one, and each on its day. */
function isSerialOf(order: Order | StandingOrder, serial: number, now: number): boolean {
  return serial === 0 || ('trigger' in order && order.trigger === 'daily' && serial === Math.floor(now / DAY))
}

function fill(verified: VerifiedOrder, { voucher, channel, serial, fills }: Delivery): string {
  let text = verified.body
  for (const hole of verified.order.holes) {
    if (hole === 'allowed-queries') {
      const list = allowedQueries(voucher.tier).map(query => `<string>${query}</string>`)
      text = text.replace('<string>{{allowed-queries}}</string>', list.join(''))
      continue
    }
    const value = holeValue(hole, verified.order.id, voucher, channel, serial) ?? fills[hole]
    if (value === undefined || !/^[A-Za-z0-9+/=_.-]{0,200000}$/.test(value))
      throw refuse(`Nothing to fill ${hole} with.`)
    text = text.replace(`{{${hole}}}`, value)
  }
  return text
}

function holeValue(hole: Hole, order: string, voucher: Voucher, channel: string, serial: number): string | undefined {
  if (hole === 'command-uuid') return commandUuid(order, voucher.device, channel, serial)
  if (hole === 'device-id') return voucher.device
  return undefined
}

/** An enrolment profile for whoever holds an invitation that a member approved: tier, unit and rights are the statement's. */
export function passEnrolmentProfile(
  parts: ProfileParts,
  statement: string,
  approval: Approval,
  now: number,
  trusted: Trusted,
): Passed {
  const invitation = verifyInvitation(statement, approval, trusted)
  if (now < invitation.notBefore || now >= invitation.expiresAt)
    throw new BulkheadError('EXPIRED', 'The invitation has expired.')
  if (invitation.tier !== parts.tier || invitation.signed !== (parts.signer !== null))
    throw refuse('The profile is not what the invitation says.')
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

export function passRenewal(
  parts: ProfileParts,
  pathOf: (token: string) => string | undefined,
  voucher: Voucher,
  serial: number,
  trusted: Trusted,
): Passed {
  if (!trusted.roster.standing.includes('renew-identity')) throw refuse('The roster does not renew identities.')
  if (pathOf(parts.pathToken) !== voucher.path) throw refuse('The profile has the URLs of another device.')
  const fixed = { ...parts, path: voucher.path, tier: voucher.tier, topic: voucher.topic, url: voucher.url }
  if (voucher.signed !== (parts.signer !== null)) throw refuse('The profile is not signed as the first one was.')
  const command = dictOf([
    ['RequestType', 'InstallProfile'],
    ['Payload', profileBytes(fixed)],
  ])
  return pass(
    encodeXmlPlist(
      dictOf([
        ['Command', command],
        ['CommandUUID', commandUuid(RENEW_IDENTITY, voucher.device, '', serial)],
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
