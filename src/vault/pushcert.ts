import { createPrivateKey, generateKeyPair, type KeyObject, sign } from 'node:crypto'
import {
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { BulkheadError } from '../base/errors.ts'
import { accountDigest, pushDigest, TOPIC, verifyPush } from '../trust/push.ts'
import type { Trusted } from '../trust/roster.ts'
import { sha256Hex } from '../trust/statement.ts'
import { type Certificate, decodeCertificate, encodeName } from '../wire/pkcs/certificate.ts'
import { encodeRequest } from '../wire/pkcs/request.ts'
import type { PushImport, PushState } from './api.ts'
import { randomUuid } from './invitation.ts'
import { keyPem, SECRET, spkiOf } from './keys.ts'
import type { Leaves } from './leaves.ts'
import { fromPem, toPem } from './pem.ts'

/**
 * The push certificate and its key, in the vault's own data folder. Who changes it can keep devices asleep; who reads it can wake them,
 * and nothing more: a push carries no command. Until one is imported, a placeholder topic stands in enrolments. One is imported only
 * with a member's approval of exactly it, and after its leaf is in the ledger.
 */
export type PushCertificate = {
  topic(): string
  /** PEM, for TLS. Undefined before the import. */
  identity(): { cert: string; key: string } | undefined
  show(): PushState
  csr(organisation: string): Promise<{ csr: string }>
  import(asked: PushImport): Promise<PushState>
}

const MOST_PENDING = 5
/** An approval is for now: one from another day cannot bring an old certificate back. Clocks may differ by minutes. */
const LIFE = 3_600 // seconds
const AHEAD = 300
type Imported = { pem: string; key: string; certificate: Certificate; topic: string; account: string; at: number }
type Options = {
  dir: string
  /** As it is now. Throws UNAVAILABLE before the control log was read. */
  roster: () => Trusted
  leaves: Pick<Leaves, 'append'>
  clock: () => number // seconds
  random: (size: number) => Buffer
  topicInUse: (topic: string) => Promise<boolean>
  changed: () => void
}

export function openPushCertificate(options: Options): PushCertificate {
  const { dir, roster, leaves, clock, random, topicInUse, changed } = options
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  const placeholder = keptPlaceholder(dir, random)
  let imported = loadImported(dir)

  const show = (): PushState => ({
    topic: imported?.topic ?? placeholder,
    placeholder: imported === undefined,
    expiresAt: imported ? Math.floor(imported.certificate.notAfter.getTime() / 1000) : null,
    account: imported?.account ?? null,
  })

  return {
    topic: () => imported?.topic ?? placeholder,
    identity: () => imported && { cert: imported.pem, key: imported.key },
    show,

    async csr(organisation) {
      const { privateKey } = await promisify(generateKeyPair)('rsa', { modulusLength: 2048 })
      const spki = spkiOf(privateKey)
      forgetOldest(dir)
      writeWhole(dir, pendingName(spki), keyPem(privateKey))
      const subject = encodeName({ O: organisation, CN: 'Bulkhead push' })
      return {
        csr: toPem(
          'CERTIFICATE REQUEST',
          encodeRequest({ subject, spki }, info => sign('sha256', info, privateKey)),
        ),
      }
    },

    async import({ certificate: text, account, statement, approval }) {
      const trusted = roster()
      const approved = verifyPush(statement, approval, trusted)
      requireFresh(approved.at, imported?.at, clock())
      const certificate = decodeCertificate(fromPem('CERTIFICATE', text))
      if (approved.certificate !== sha256Hex(certificate.der)) throw another('certificate')
      if (approved.account !== accountDigest(approved.nonce, account)) throw another('account')
      const key = keyFor(dir, certificate)
      const topic = topicOf(certificate, clock())
      if (approved.topic !== topic) throw another('topic')
      const before = imported?.topic
      if (before !== undefined && before !== topic && (await topicInUse(before)))
        throw new BulkheadError(
          'REFUSED',
          `Devices are enrolled under the topic ${before}; this certificate has another.`,
          {
            remedy: 'At Apple, renew the old certificate with the same account instead of making a new one.',
          },
        )
      const digest = pushDigest(statement, trusted).toString('hex')
      await leaves.append({ type: 'push', unique: `push:${digest}`, certificate: approved.certificate, digest })
      const { at } = approved
      imported = { pem: toPem('CERTIFICATE', certificate.der), key: keyPem(key), certificate, topic, account, at }
      writeWhole(dir, IMPORTED, JSON.stringify({ certificate: imported.pem, key: imported.key, account, at }))
      changed()
      return show()
    },
  }
}

const IMPORTED = 'push.json'
const PENDING = /^push-[0-9a-f]{16}\.key$/
const pendingName = (spki: Buffer) => `push-${sha256Hex(spki).slice(0, 16)}.key`

function keptPlaceholder(dir: string, random: Options['random']): string {
  const path = join(dir, 'push-placeholder')
  if (!existsSync(path)) writeWhole(dir, 'push-placeholder', `com.apple.mgmt.External.${randomUuid(random)}`)
  return readFileSync(path, 'utf8')
}

function loadImported(dir: string): Imported | undefined {
  const path = join(dir, IMPORTED)
  if (!existsSync(path)) return undefined
  const {
    certificate: pem,
    key,
    account,
    at,
  } = JSON.parse(readFileSync(path, 'utf8')) as Record<'certificate' | 'key' | 'account', string> & { at: number }
  const certificate = decodeCertificate(fromPem('CERTIFICATE', pem))
  return { pem, key, account, at, certificate, topic: certificate.subjectUid ?? '' }
}

function requireFresh(at: number, before: number | undefined, now: number) {
  if (at <= now - LIFE || at > now + AHEAD)
    throw new BulkheadError('EXPIRED', 'The approval of this push certificate is not of this hour.', {
      remedy: 'Import it again, and see that the clocks of both machines are right.',
    })
  if (before !== undefined && at < before)
    throw new BulkheadError('CONFLICT', 'A push certificate was imported after this approval was made.', {
      remedy: 'Look at it with bulkhead push show, and import again if another should stand.',
    })
}

const another = (what: string) =>
  new BulkheadError('UNPROVEN', `The ${what} is not the one that was approved for push. Nothing was stored.`, {
    remedy: 'Import the file that Apple gave, with your passkey: bulkhead push import FILE --account A --passkey FILE',
  })

/** The key of a CSR of ours, or the present one. Throws CONFLICT where the certificate is for another. */
function keyFor(dir: string, { spki }: Certificate): KeyObject {
  const path = join(dir, pendingName(spki))
  const key = existsSync(path) ? createPrivateKey(readFileSync(path)) : undefined
  if (key && spkiOf(key).equals(spki)) return key
  throw new BulkheadError('CONFLICT', 'The certificate was made for another key than ours.', {
    remedy: 'Make a request here, have it signed, upload it at Apple, and import what Apple gives for it.',
  })
}

function topicOf({ subjectUid, notBefore, notAfter }: Certificate, now: number): string {
  if (subjectUid === undefined || !TOPIC.test(subjectUid))
    throw new BulkheadError('BAD_REQUEST', 'The certificate names no push topic (UID com.apple.mgmt.…).', {
      remedy: 'Import the certificate for device management that identity.apple.com gives.',
    })
  if (notAfter.getTime() <= now * 1000) throw new BulkheadError('EXPIRED', 'The push certificate has expired already.')
  if (notBefore.getTime() > (now + 86_400) * 1000)
    throw new BulkheadError('BAD_REQUEST', 'The push certificate is not valid yet.')
  return subjectUid
}

function forgetOldest(dir: string) {
  const pending = readdirSync(dir).filter(name => PENDING.test(name))
  const byAge = pending.sort((a, b) => statSync(join(dir, a)).mtimeMs - statSync(join(dir, b)).mtimeMs)
  for (const name of byAge.slice(0, Math.max(0, pending.length - MOST_PENDING + 1))) rmSync(join(dir, name))
}

function writeWhole(dir: string, name: string, text: string) {
  const fresh = join(dir, `${name}.new`)
  // Node's permission model forbids fsync: O_SYNC makes the write itself wait for the disk.
  const { O_WRONLY, O_CREAT, O_TRUNC, O_SYNC } = constants
  const file = openSync(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_SYNC, SECRET)
  writeSync(file, text)
  closeSync(file)
  renameSync(fresh, join(dir, name))
}
