// SCEP: from a challenge to a certificate and its voucher. Order of steps, so that a crash never gives two devices one use: the use is logged,
// the certificate is made and logged, its row is stored, and only then the answer leaves.
import { BulkheadError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import type { Intake } from '../intake/client.ts'
import type { Trusted } from '../trust/roster.ts'
import { sha256Hex } from '../trust/statement.ts'
import { signVoucher, type Voucher } from '../trust/voucher.ts'
import { endOf, makeCertificate } from './certificate.ts'
import { openChallenge } from './challenge.ts'
import type { DeviceKeys } from './directory/devices.ts'
import { type Invitations, randomUuid } from './invitation.ts'
import { newSerial, type VaultKeys } from './keys.ts'
import type { Leaves } from './leaves.ts'
import { type Asked, answerMessage, failInfoOf, openMessage } from './message.ts'
import { createRetries } from './retries.ts'
import type { CertificateRow, Store } from './store.ts'
import { createTurns } from './turns.ts'
import type { Uses } from './uses.ts'
import { openValid, openVoucher } from './vouchers.ts'

/** Phones that share one profile, each with its own id. */
const DEVICES_PER_PATH = 1000
/** New identities of one device in seven days, however many answers it says it did not hear. */
const RENEWALS_A_WEEK = 5

type Needs = {
  keys: VaultKeys
  trusted: Trusted
  intake: Pick<Intake, 'ask'>
  leaves: Leaves
  store: Store
  uses: Uses
  invitations: Invitations
  url: string
  topic: () => string
  clock: () => number // seconds
  random: (size: number) => Buffer
  log: Log
  deviceKeys: DeviceKeys
  /** Tells watch. */
  trace: (code: string) => void
}
/** All of a voucher but what the new certificate decides. */
type Grant = Omit<Voucher, 'certificate' | 'publicKey' | 'notAfter' | 'type' | 'platform'>

/** Answers PKIOperation. Throws MALFORMED for what does not decode, UNAVAILABLE where a part is away; every other no is a CertRep. */
export function createIssuer(needs: Needs) {
  const { keys, trusted, intake, store, random, log, clock } = needs
  const retries = createRetries<Buffer>(clock)
  const turns = createTurns()
  /** Paths whose own id is some device's already; it only saves asking the ledger. */
  const claimed = new Set<string>()

  return async (path: string, body: Buffer): Promise<Buffer> => {
    const found = await intake.ask('scep', {}, body)
    try {
      const asked = await openMessage(body, found, needs)
      // The same request again is the same device that did not hear the answer: one use, one certificate.
      // A challenge is in the digest; a RenewalReq has none and is entitled by its signer.
      const by = asked.kind === 'RenewalReq' ? `${asked.signer} ${sha256Hex(asked.signerKey)}` : ''
      const issued = await retries(`${path}\n${by}\n${asked.digest}`, () => decideAndIssue(path, asked))
      return await answerMessage(found, keys, random, { issued })
    } catch (error) {
      const failInfo = failInfoOf(error)
      if (failInfo === undefined) throw error
      log.info('scep.refused', {
        path,
        code: (error as BulkheadError).code,
        failInfo,
        why: (error as BulkheadError).message,
      })
      return answerMessage(found, keys, random, { failInfo })
    }
  }

  async function decideAndIssue(path: string, asked: Asked): Promise<Buffer> {
    if (asked.kind === 'RenewalReq') return await renew(path, asked, asked.signer, asked.signerKey)
    const challenge = asked.challenge === null ? undefined : openChallenge(asked.challenge, keys.challenge)
    if (!challenge || challenge.path !== path)
      throw new BulkheadError('REFUSED', 'SCEP: the challenge is not of this path.')
    if (challenge.expiresAt <= clock()) throw new BulkheadError('EXPIRED', 'SCEP: the challenge has expired.')
    if (challenge.kind === 'renewal') return await renew(path, asked, challenge.certificate)
    return await enrol(path, asked, challenge.invitation)
  }

  async function enrol(path: string, asked: Asked, id: string): Promise<Buffer> {
    const { invitation } = await needs.invitations.current(id)
    const { tier, unit, groups, signed, identityDays } = invitation
    const known = await store.findPath({ path, spki: asked.spki.toString('base64') })
    const again = await issuedBefore(known.sameKey, '')
    if (again) return again
    if (known.devices >= DEVICES_PER_PATH)
      throw new BulkheadError('REFUSED', 'SCEP: too many devices used one profile.')
    await take(id, invitation.uses, asked.digest)
    const grant = {
      path,
      tier,
      unit,
      groups,
      signed,
      identityDays,
      invitation: id,
      topic: needs.topic(),
      url: needs.url,
    }
    const fresh = { ...grant, previous: '', enrolledAt: clock() }
    const first = known.first || claimed.has(path) ? undefined : await issue({ ...fresh, device: path }, asked, path)
    const issued = first ?? (await issue({ ...fresh, device: randomUuid(random) }, asked, path))
    if (!issued) throw new BulkheadError('INTERNAL', 'A random device id was taken.')
    needs.uses.done(id, asked.digest)
    return issued
  }

  /** Too many at once are asked to come again, as after an outage, and somebody is told. */
  async function take(id: string, uses: number, request: string): Promise<void> {
    try {
      await needs.uses.take(id, uses, request)
    } catch (cause) {
      if (!(cause instanceof BulkheadError && cause.code === 'LIMIT')) throw cause
      needs.trace('enrolment-budget')
      throw new BulkheadError('UNAVAILABLE', cause.message, {
        remedy: 'Try again later, or let the owners raise it: bulkhead roster propose --budget enrol=2000/1h',
        cause,
      })
    }
  }

  /** A new identity for the device of an old one, which must be valid, have the same URLs and, where a key asks for it, that key. */
  async function renew(path: string, asked: Asked, old: string, by?: Buffer): Promise<Buffer> {
    if (!asked.bound)
      throw new BulkheadError('UNPROVEN', 'SCEP: a renewal whose envelope does not stand in its message.')
    const voucher = openValid(await store.findCertificate(old), trusted, clock())
    if (voucher.path !== path) throw new BulkheadError('REFUSED', 'SCEP: the certificate belongs to another path.')
    if (by && by.toString('base64') !== voucher.publicKey)
      throw new BulkheadError('UNPROVEN', 'SCEP: the message is not signed by the key of its certificate.')
    return await turns(voucher.device, () => replace(voucher, asked, old))
  }

  async function replace(voucher: Voucher, asked: Asked, old: string): Promise<Buffer> {
    const { sameKey } = await store.findPath({ path: voucher.path, spki: asked.spki.toString('base64') })
    const again = await issuedBefore(sameKey, old)
    if (again) return again
    if ((await store.countRenewals(voucher.device)) >= RENEWALS_A_WEEK)
      throw new BulkheadError('REFUSED', `SCEP: the device renewed ${RENEWALS_A_WEEK} times within a week.`)
    const { certificate: _, publicKey: _key, notAfter: _end, type: _type, platform: _platform, ...kept } = voucher
    const issued = await issue({ ...kept, previous: old }, asked, undefined)
    if (!issued) throw new BulkheadError('INTERNAL', 'The ledger refused a renewal.')
    return issued
  }

  /** The certificate that this key got before, made again. Throws REFUSED where it is not valid any more. */
  async function issuedBefore(rows: CertificateRow[], previous: string): Promise<Buffer | undefined> {
    for (const row of rows) {
      const voucher = openVoucher(row, trusted)
      if (voucher.previous !== previous) continue
      if (row.state !== 'valid')
        throw new BulkheadError('REFUSED', 'SCEP: the key had a certificate that is not valid any more.')
      const { der, sha256 } = await makeCertificate(voucher, Buffer.from(row.serial, 'hex'), keys)
      if (sha256 === row.sha256) return der
    }
    return undefined
  }

  /** Undefined: another certificate made the device's id its own. `enrols`: the path, where the device is new. */
  async function issue(grant: Grant, asked: Asked, enrols: string | undefined): Promise<Buffer | undefined> {
    const publicKey = asked.spki.toString('base64')
    const release = await needs.deviceKeys(grant.device, grant.unit)
    const notAfter = endOf(clock(), grant.identityDays, keys)
    const serial = newSerial(random)
    if (grant.device === enrols) claim(enrols)
    const { der, sha256: certificate } = await makeCertificate({ ...grant, publicKey, notAfter }, serial, keys)
    const voucher: Voucher = {
      ...grant,
      type: 'bulkhead-voucher/v1',
      platform: 'apple',
      certificate,
      publicKey,
      notAfter,
      release,
    }
    const { text, signature } = signVoucher(voucher, trusted.genesisDigest, keys.voucher)
    const leaf = { type: 'certificate', certificate, device: grant.device, voucher: sha256Hex(text) } as const
    const mine = await needs.leaves.append(enrols ? { ...leaf, unique: `certificate:${grant.device}` } : leaf)
    if (!mine) return undefined
    const row = { sha256: certificate, device: grant.device, path: grant.path, serial: serial.toString('hex') }
    await store.storeCertificate({ ...row, voucher: text, signature, notAfter })
    return der
  }

  function claim(path: string) {
    if (claimed.size >= 10_000) claimed.clear()
    claimed.add(path)
  }
}
