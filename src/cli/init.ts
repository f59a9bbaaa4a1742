import { createPublicKey, generateKeyPairSync, type KeyObject, randomBytes, randomUUID, sign } from 'node:crypto'
import { chmodSync, chownSync, copyFileSync, existsSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { BulkheadError } from '../base/errors.ts'
import { type CompartmentName, compartment } from '../supervisor/compartments.ts'
import { pickPort } from '../supervisor/ports.ts'
import { canonical } from '../trust/canonical.ts'
import { genesisDigestOf, type Member, openGenesis, type Passkey, ROLES, type Roster } from '../trust/roster.ts'
import { generateVaultKeys } from '../vault/keys.ts'
import { rawPublic } from '../wire/hpke.ts'
import { encodeName, issueCertificate } from '../wire/pkcs/certificate.ts'
import { encodeVkey, vkeyOf } from '../wire/tlog/note.ts'
import { type Args, list, text, whole } from './args.ts'
import {
  genesisPath,
  isInitialised,
  isRoot,
  keysPath,
  prepareHome,
  readHomeConfig,
  writeHomeConfig,
  writeWhole,
} from './home.ts'
import { createSoftwarePasskey, publicPasskey } from './passkey.ts'

/** What a genesis is made of: members with their passkeys, and where the app lives. */
export type InitOptions = {
  home: string
  owner: string
  /** A real passkey's public part, from the set-up page. */
  credential?: object
  /** Files to make software passkeys in: alias → file. */
  software?: Record<string, string>
  appPort: number
  name?: string
}

/** Makes every compartment's keys and the roster's genesis, offline. Throws CONFLICT where there is one: it is never replaced. */
export async function initHome(options: InitOptions): Promise<{ genesisDigest: string }> {
  const home = prepareHome(options.home)
  if (isInitialised(home))
    throw new BulkheadError('CONFLICT', 'This home is initialised already.', {
      remedy: 'Use another --home. A genesis is never replaced.',
    })
  const origin = `http://localhost:${options.appPort}`
  const members = makeMembers(options, origin)
  const keys = makeKeys(home, options.name ?? `bulkhead-${randomBytes(4).toString('hex')}`)
  const genesis = canonical(makeGenesis(members, origin, keys))
  const genesisDigest = genesisDigestOf(genesis)
  openGenesis(genesis, genesisDigest) // what nobody could open is not written
  writeWhole(genesisPath(home), genesis, 0o644)
  const config = readHomeConfig(home)
  writeHomeConfig(home, { ...config, genesisDigest, ports: { ...config.ports, app: options.appPort } })
  return { genesisDigest }
}

const now = () => Math.floor(Date.now() / 1000)

function makeMembers({ owner, credential, software = {} }: InitOptions, origin: string): Member[] {
  const member = (alias: string, passkey: Passkey): Member => ({
    id: randomUUID(),
    alias,
    roles: [...ROLES],
    passkeys: [passkey],
  })
  const members = Object.entries(software).map(([alias, file]) =>
    member(alias, publicPasskey(createSoftwarePasskey(file, alias), [origin])),
  )
  if (credential) members.unshift(member(owner, { ...(credential as Passkey), software: false, origins: [origin] }))
  if (members.length === 0)
    throw new BulkheadError('USAGE', 'A genesis needs a passkey.', {
      remedy: 'Give --software-passkey FILE, or run bulkhead up and use the set-up page.',
    })
  return members
}

type PublicKeys = { name: string } & Roster['keys']

function makeKeys(home: string, name: string): PublicKeys {
  const at = (part: CompartmentName) => keysPath(home, part)
  const vault = generateVaultKeys(at('vault'), { name, now: Date.now(), random: randomBytes })
  copyFileSync(join(at('vault'), 'path-token.key'), join(at('edge'), 'path-token.key'))
  const delivery = generateKeyPairSync('x25519').privateKey
  writeKey(at('edge'), 'delivery.key', delivery)
  makeTlsIdentity(at('edge'))
  const [main, control, clock] = ['main', 'control', 'clock'].map(log => {
    const { privateKey } = generateKeyPairSync('ed25519')
    writeKey(at('ledger'), `${log}.key`, privateKey)
    return encodeVkey(vkeyOf(`${name}/${log}`, log === 'clock' ? 4 : 1, createPublicKey(privateKey)))
  })
  for (const part of ['vault', 'edge', 'ledger'] as const) handOver(at(part), part)
  return {
    name,
    voucher: vault.voucher,
    seal: vault.seal,
    delivery: rawPublic(delivery).toString('base64'),
    ledgerMain: main!,
    ledgerControl: control!,
    ledgerClock: clock!,
  }
}

function makeGenesis(members: Member[], origin: string, { name, ...keys }: PublicKeys): Roster {
  return {
    type: 'bulkhead-roster/v1',
    version: 0,
    previous: '',
    name,
    createdAt: now(),
    members,
    policy: {
      quorum: { read: 1, change: 1, trust: 1, destroy: 1 },
      softwarePasskeys: members.some(({ passkeys }) => passkeys.some(({ software }) => software)),
      longestOrder: 90 * 86_400,
    },
    app: { origin, rpId: 'localhost' },
    units: [{ id: randomUUID(), alias: 'root', publicKey: keys.seal }],
    keys,
    standing: ['renew-identity'],
  }
}

function writeKey(dir: string, file: string, key: KeyObject) {
  writeFileSync(join(dir, file), key.export({ format: 'pem', type: 'pkcs8' }), { mode: 0o600, flush: true })
}

const TLS_YEARS = 10

/** For mutual TLS on loopback and behind a proxy; with --tls-cert the operator's own certificate takes its place. */
function makeTlsIdentity(dir: string) {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const name = encodeName({ CN: 'localhost' })
  const der = issueCertificate(
    {
      serial: Buffer.concat([Buffer.from([1]), randomBytes(15)]),
      issuer: name,
      subject: name,
      notBefore: new Date(Date.now() - 86_400_000),
      notAfter: new Date(Date.now() + TLS_YEARS * 365 * 86_400_000),
      spki: publicKey.export({ format: 'der', type: 'spki' }),
      keyUsage: ['digitalSignature'],
      extendedKeyUsage: ['serverAuth'],
      subjectAltNames: { dns: ['localhost'], ip: [Buffer.from([127, 0, 0, 1])] },
      signature: 'ecdsa-sha256',
    },
    bytes => sign('sha256', bytes, privateKey),
  )
  writeKey(dir, 'tls.key', privateKey)
  writeFileSync(
    join(dir, 'tls.crt'),
    `-----BEGIN CERTIFICATE-----\n${der
      .toString('base64')
      .match(/.{1,64}/g)!
      .join('\n')}\n-----END CERTIFICATE-----\n`,
    { mode: 0o600 },
  )
}

/** As root the keys stay root's: their compartment reads them and cannot replace them. */
function handOver(dir: string, part: CompartmentName) {
  for (const file of readdirSync(dir)) {
    const path = join(dir, file)
    if (isRoot()) chownSync(path, 0, compartment(part).uid)
    chmodSync(path, isRoot() ? 0o640 : 0o600)
  }
}

/** `bulkhead init`. */
export async function run(args: Args): Promise<number> {
  const owner = text(args, 'owner') ?? 'owner'
  const file = text(args, 'software-passkey')
  if (file === undefined)
    throw new BulkheadError('USAGE', 'init needs --software-passkey FILE.', {
      remedy: 'For a real passkey run bulkhead up instead: its first page makes one.',
    })
  const software: Record<string, string> = { [owner]: file }
  for (const one of list(args, 'member')) {
    const [alias, path] = splitMember(one)
    if (Object.hasOwn(software, alias))
      throw new BulkheadError('USAGE', `Two members are called ${alias}.`, { remedy: 'Give each an alias of its own.' })
    software[alias] = path
  }
  for (const path of Object.values(software))
    if (existsSync(path))
      throw new BulkheadError('CONFLICT', `${path} exists already.`, {
        remedy: 'Name a file that does not exist yet; it will be made.',
      })
  const appPort = whole(args, 'app-port', 1, 65_535) ?? (await pickPort('127.0.0.1'))
  const name = text(args, 'name')
  const { genesisDigest } = await initHome({
    home: args.home,
    owner,
    software,
    appPort,
    ...(name === undefined ? {} : { name }),
  })
  process.stdout.write(
    `${JSON.stringify({ home: args.home, genesisDigest, members: Object.keys(software), app: `http://localhost:${appPort}` })}\n`,
  )
  process.stderr.write(
    'Software passkeys are keys in files: whoever copies the file can approve. Use real passkeys in production.\n',
  )
  return 0
}

function splitMember(one: string): [string, string] {
  const at = one.indexOf('=')
  if (at < 1 || at === one.length - 1)
    throw new BulkheadError('USAGE', `--member ${one} is not ALIAS=FILE.`, {
      remedy: 'Write for example --member bea=bea.passkey',
    })
  return [one.slice(0, at), one.slice(at + 1)]
}
