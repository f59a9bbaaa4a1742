import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, randomBytes, sign } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { BulkheadError } from '../base/errors.ts'
import type { Approval } from '../trust/approval.ts'
import type { Passkey, Roster, Trusted } from '../trust/roster.ts'
import { type Args, needed } from './args.ts'
import { show } from './output.ts'

/** A passkey in a file: for tests, the demo and first steps. Whoever copies the file can approve; the roster says whether it counts. */
export type SoftwarePasskey = {
  alias: string
  credentialId: string // base64url
  privateKey: string // PKCS#8 PEM, P-256
  prfSecret: string // 32 bytes, base64
}

/** Makes the file, readable by its owner alone. Throws CONFLICT where there is one. */
export function createSoftwarePasskey(file: string, alias: string): SoftwarePasskey {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const passkey = {
    alias,
    credentialId: randomBytes(32).toString('base64url'),
    privateKey: privateKey.export({ format: 'pem', type: 'pkcs8' }).toString(),
    prfSecret: randomBytes(32).toString('base64'),
  }
  try {
    writeFileSync(file, `${JSON.stringify(passkey, null, 2)}\n`, { mode: 0o600, flag: 'wx', flush: true })
  } catch (cause) {
    const taken = (cause as NodeJS.ErrnoException).code === 'EEXIST'
    throw new BulkheadError(
      taken ? 'CONFLICT' : 'BAD_REQUEST',
      `${file} ${taken ? 'exists already' : 'cannot be written'}.`,
      {
        remedy: 'Name a file that does not exist yet.',
        cause,
      },
    )
  }
  return passkey
}

/** Throws NOT_FOUND, or MALFORMED where the file is no software passkey. */
export function loadPasskey(file: string): SoftwarePasskey {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (cause) {
    throw new BulkheadError('NOT_FOUND', `The passkey ${file} cannot be read.`, {
      remedy: 'Name a file that you may read.',
      cause,
    })
  }
  try {
    const passkey = JSON.parse(text) as SoftwarePasskey
    if (createPrivateKey(passkey.privateKey).asymmetricKeyType === 'ec' && typeof passkey.credentialId === 'string')
      return passkey
  } catch {}
  throw new BulkheadError('MALFORMED', `${file} is no software passkey.`, {
    remedy: 'Make one: bulkhead passkey create FILE --alias ALIAS',
  })
}

/** What the roster holds of it. */
export function publicPasskey(passkey: SoftwarePasskey, origins: string[]): Passkey {
  const key = createPublicKey(createPrivateKey(passkey.privateKey))
  const publicKey = key.export({ format: 'der', type: 'spki' }).toString('base64')
  return { id: passkey.credentialId, publicKey, algorithm: 'ES256', software: true, origins }
}

const PRESENT_AND_VERIFIED = 0x05

/** A WebAuthn assertion over a digest that the caller worked out itself: a digest that a server gave is never signed. */
export function approve(passkey: SoftwarePasskey, digest: Buffer, roster: Pick<Roster, 'app'>): Approval {
  const client = {
    type: 'webauthn.get',
    challenge: digest.toString('base64url'),
    origin: roster.app.origin,
    crossOrigin: false,
  }
  const clientData = Buffer.from(JSON.stringify(client))
  const rpIdHash = createHash('sha256').update(roster.app.rpId).digest()
  const authenticator = Buffer.concat([rpIdHash, Buffer.from([PRESENT_AND_VERIFIED, 0, 0, 0, 0])])
  const signed = Buffer.concat([authenticator, createHash('sha256').update(clientData).digest()])
  return {
    credentialId: passkey.credentialId,
    clientDataJSON: clientData.toString('base64url'),
    authenticatorData: authenticator.toString('base64url'),
    signature: sign('sha256', signed, passkey.privateKey).toString('base64url'),
  }
}

/** Says who the passkey is before anything is signed. Throws REFUSED where the roster does not hold it. */
export function memberOf(passkey: SoftwarePasskey, trusted: Trusted) {
  const found = trusted.passkeys.get(passkey.credentialId)
  if (found) return found.member
  throw new BulkheadError('REFUSED', 'The roster does not hold this passkey.', {
    remedy: 'Use the passkey of a member of this installation.',
  })
}

export async function run(args: Args): Promise<number> {
  const [file] = args.words
  const passkey = createSoftwarePasskey(file!, needed(args, 'alias'))
  const { id, publicKey, algorithm, software } = publicPasskey(passkey, [])
  const publicPart = `${file}.public.json`
  const { alias } = passkey
  writeFileSync(publicPart, `${JSON.stringify({ alias, id, publicKey, algorithm, software }, null, 2)}\n`)
  return show(
    args,
    { file, publicPart, alias, credentialId: id, publicKey },
    () =>
      `${file}: a software passkey for ${alias}. It counts once a roster names it.\n` +
      `Give ${publicPart} to an owner: bulkhead roster propose --add-member ${alias}=FILE\n`,
  )
}
