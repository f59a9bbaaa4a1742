import { randomBytes, X509Certificate } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { BulkheadError } from '../base/errors.ts'
import type { Push } from '../console/api.ts'
import { canonical } from '../trust/canonical.ts'
import { accountDigest, type PushStatement, pushDigest } from '../trust/push.ts'
import { sha256Hex } from '../trust/statement.ts'
import { decodeCertificate } from '../wire/pkcs/certificate.ts'
import { type Args, needed, text } from './args.ts'
import { consoleClient, openHome } from './client.ts'
import { openRoster } from './follow.ts'
import { pairs, say, show, when } from './output.ts'
import { approve, loadPasskey, memberOf } from './passkey.ts'

export async function run(args: Args): Promise<number> {
  const verb = args.command.split(' ')[1]
  if (verb === 'csr') return csr(args)
  if (verb === 'import') return load(args)
  return shown(args, await consoleClient(args.home).get<Push>('/api/push'))
}

async function csr(args: Args): Promise<number> {
  const organisation = openHome(args.home).roster.name
  const made = await consoleClient(args.home).post<{ csr: string }>('/api/push/csr', { organisation })
  const out = text(args, 'out')
  if (out === undefined) return show(args, made, () => made.csr)
  writeFileSync(out, made.csr)
  return show(args, { ...made, file: out }, () => `The request is in ${out}. Its key never leaves the vault.\n`)
}

async function load(args: Args): Promise<number> {
  const [file] = args.words
  const account = needed(args, 'account')
  const trusted = await openRoster(args.home)
  const passkey = loadPasskey(needed(args, 'passkey'))
  const member = memberOf(passkey, trusted)
  const certificate = readCertificate(file!)
  const statement = statementOf(certificate, account)
  const text = canonical(statement)
  const approval = approve(passkey, pushDigest(text, trusted), trusted.roster)
  say(`The topic ${statement.topic}, approved by ${member.alias}.`)
  const asked = { certificate, account, statement: text, approval }
  return shown(args, await consoleClient(args.home).post<Push>('/api/push', asked))
}

/** What is approved, read from the very file. Throws MALFORMED, or BAD_REQUEST where it names no topic. */
function statementOf(pem: string, account: string): PushStatement {
  const { der, subjectUid: topic } = decodeCertificate(derOf(pem))
  if (topic === undefined)
    throw new BulkheadError('BAD_REQUEST', 'The certificate names no push topic (UID com.apple.mgmt.…).', {
      remedy: 'Import the certificate for device management that identity.apple.com gives.',
    })
  const nonce = randomBytes(16).toString('hex')
  return {
    type: 'bulkhead-push-certificate/v1',
    certificate: sha256Hex(der),
    topic,
    account: accountDigest(nonce, account),
    at: Math.floor(Date.now() / 1000),
    nonce,
  }
}

function derOf(pem: string): Buffer {
  try {
    return new X509Certificate(pem).raw
  } catch (cause) {
    throw new BulkheadError('MALFORMED', 'This is no certificate in PEM form.', {
      remedy: 'Name the PEM file that Apple gave you.',
      cause,
    })
  }
}

function readCertificate(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (cause) {
    throw new BulkheadError('NOT_FOUND', `${file} cannot be read.`, {
      remedy: 'Name the PEM file that Apple gave you.',
      cause,
    })
  }
}

function shown(args: Args, push: Push): number {
  const note = push.placeholder
    ? 'No push certificate yet: devices must be woken by hand, and enrol again once there is one.\n'
    : ''
  return show(
    args,
    push,
    () =>
      `${pairs([
        ['topic', push.topic],
        ['until', push.expiresAt === null ? 'never' : when(push.expiresAt)],
        ['account', push.account ?? 'none'],
      ])}${note}`,
  )
}
