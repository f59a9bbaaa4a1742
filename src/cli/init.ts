import { createPublicKey, generateKeyPairSync, type KeyObject, randomBytes, randomUUID, sign } from 'node:crypto'
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { BulkheadError } from '../base/errors.ts'
import { toBase64 } from '../people/bytes.ts'
import { type KeyPair, makeKeyPair } from '../people/keys.ts'
import { makeShares } from '../people/recovery.ts'
import { type CompartmentName, compartment } from '../supervisor/compartments.ts'
import { loopbacks, pickPort } from '../supervisor/ports.ts'
import { canonical } from '../trust/canonical.ts'
import { type Policy, ROLES } from '../trust/policy.ts'
import { genesisDigestOf, type Member, openGenesis, type Passkey, type Roster } from '../trust/roster.ts'
import { generateVaultKeys } from '../vault/keys.ts'
import { rawPublic } from '../wire/hpke.ts'
import { encodeName, issueCertificate } from '../wire/pkcs/certificate.ts'
import { encodeVkey, vkeyOf } from '../wire/tlog/note.ts'
import { type Args, list, text, whole } from './args.ts'
import { freezeCodeHashes, makeFreezeCodes, writeFreezeCodes } from './freezecodes.ts'
import {
  dataPath,
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
import { writeShareBeside } from './people/unlock.ts'

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
  /** The root unit's public key (X25519, base64), where the set-up page made it. */
  unitKey?: string
  /** SHA-256 of the paper codes that freeze. */
  freezeCodes?: string[]
  /** What of the policy is to be another than usual. */
  policy?: Partial<Policy>
}

/**
 * Makes every compartment's keys and the roster's genesis, offline. Throws USAGE for a name that cannot be one, before anything
 * is made, and CONFLICT where there is a genesis: it is never replaced. What it could not finish, it can begin again.
 */
export async function initHome(options: InitOptions): Promise<{ genesisDigest: string }> {
  checkNames(options)
  const home = prepareHome(options.home)
  removeUnfinished(home)
  const origin = `http://localhost:${options.appPort}`
  const members = makeMembers(options, origin)
  const made = options.unitKey === undefined ? await makeKeyPair() : undefined
  const unitKey = options.unitKey ?? toBase64(made!.publicKey)
  let genesis: string
  try {
    const keys = makeKeys(home, options.name ?? `bulkhead-${randomBytes(4).toString('hex')}`)
    genesis = canonical(makeGenesis(members, origin, keys, unitKey, options))
    openGenesis(genesis, genesisDigestOf(genesis)) // what nobody could open is not written
    writeWhole(genesisPath(home), genesis, 0o644)
  } catch (error) {
    for (const file of Object.values(options.software ?? {})) rmSync(file, { force: true }) // made here, a moment ago
    throw error
  }
  const genesisDigest = genesisDigestOf(genesis)
  const file = Object.values(options.software ?? {})[0]
  if (made && file !== undefined) await keepUnitKey(made, genesis, file)
  const config = readHomeConfig(home)
  writeHomeConfig(home, { ...config, genesisDigest, ports: { ...config.ports, app: options.appPort } })
  return { genesisDigest }
}

/** The root's private half: sealed to the owner's passkey, and on paper, both beside the passkey's file and proved before this returns. */
async function keepUnitKey(key: KeyPair, genesis: string, file: string) {
  const { roster, genesisDigest } = openGenesis(genesis, genesisDigestOf(genesis))
  const [unit] = roster.units
  const { id, alias, publicKey } = unit!
  await writeShareBeside(file, key, id, genesisDigest)
  const of = { installation: roster.name, unit: id, alias, publicKey, genesisDigest }
  const shares = await makeShares(key.privateKey, of, RECOVERY)
  for (const [at, share] of shares.entries()) writeWhole(`${file}.recovery-${at + 1}.txt`, share, 0o600)
}

const now = () => Math.floor(Date.now() / 1000)

const NAME = /^[a-z0-9][a-z0-9.-]{0,60}$/
const ALIAS = /^[a-z0-9][a-z0-9-]{0,62}$/

function checkNames({ name, owner, software = {} }: InitOptions) {
  if (name !== undefined && !NAME.test(name))
    throw new BulkheadError('USAGE', `"${name}" cannot be the name of an installation.`, {
      remedy: 'Write at most 61 of a-z, 0-9, - and ., for example --name demo-office: it becomes part of the ledger.',
    })
  for (const alias of [owner, ...Object.keys(software)])
    if (!ALIAS.test(alias))
      throw new BulkheadError('USAGE', `"${alias}" cannot be the alias of a member.`, {
        remedy: 'Write at most 63 of a-z, 0-9 and -, for example brisk-heron. Aliases are public: they name nobody.',
      })
}

/** Keys without a genesis, in a home where nothing ever ran, are what an init left that was cut off. */
function removeUnfinished(home: string) {
  if (isInitialised(home))
    throw new BulkheadError('CONFLICT', 'This home is initialised already.', {
      remedy: 'Use another --home. A genesis is never replaced.',
    })
  const used = readdirSync(dataPath(home, 'ledger')).length > 0
  if (existsSync(genesisPath(home)) || readHomeConfig(home).genesisDigest !== undefined || used)
    throw new BulkheadError('CONFLICT', 'This home was initialised, and has lost its genesis or its digest.', {
      remedy: 'Put genesis.json and config.json back from a backup, or use another --home.',
    })
  for (const part of KEYED)
    for (const file of readdirSync(keysPath(home, part))) rmSync(join(keysPath(home, part), file))
}

const KEYED = ['vault', 'edge', 'ledger'] as const

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
  for (const part of KEYED) handOver(at(part), part)
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

function makeGenesis(
  members: Member[],
  origin: string,
  { name, ...keys }: PublicKeys,
  unitKey: string,
  { freezeCodes = [], policy }: InitOptions,
): Roster {
  return {
    type: 'bulkhead-roster/v1',
    version: 0,
    previous: '',
    name,
    createdAt: now(),
    members,
    policy: {
      quorum: { read: 1, change: 1, trust: 2, destroy: 2 }, // one person alone neither destroys nor changes whom devices trust
      softwarePasskeys: members.some(({ passkeys }) => passkeys.some(({ software }) => software)),
      longestOrder: 90 * 86_400,
      freezeCodes,
      ...policy,
    },
    app: { origin, rpId: 'localhost' },
    units: [rootUnit(members[0]!, unitKey)],
    keys,
    standing: ['renew-identity'],
  }
}

/** Paper shares of the root's key: any two of three give it back. */
const RECOVERY = { needed: 2, shares: 3 }

/** `unitKey`: its public half, base64. The owner reads there; whoever else does is added to the roster. */
const rootUnit = (owner: Member, unitKey: string): Roster['units'][number] => ({
  id: randomUUID(),
  alias: 'root',
  publicKey: unitKey,
  operators: [owner.id],
  recovery: RECOVERY,
})

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
    throw new BulkheadError(
      'USAGE',
      'init needs --software-passkey FILE, and --owner ALIAS unless the first member is to be called owner.',
      {
        remedy:
          'For example: bulkhead init --home DIR --owner brisk-heron --software-passkey owner.passkey. For a real passkey run bulkhead up instead: its first page makes one.',
      },
    )
  const software: Record<string, string> = { [owner]: file }
  for (const one of list(args, 'member')) {
    const [alias, path] = splitMember(one)
    if (Object.hasOwn(software, alias))
      throw new BulkheadError('USAGE', `Two members are called ${alias}.`, { remedy: 'Give each an alias of its own.' })
    software[alias] = path
  }
  const codesFile = `${file}.freeze-codes`
  for (const path of [...Object.values(software), codesFile])
    if (existsSync(path))
      throw new BulkheadError('CONFLICT', `${path} exists already.`, {
        remedy: 'Name a file that does not exist yet; it will be made.',
      })
  const appPort = whole(args, 'app-port', 1, 65_535) ?? (await pickPort(loopbacks))
  const name = text(args, 'name')
  const codes = makeFreezeCodes()
  const policy = readPolicy(text(args, 'policy'))
  const { genesisDigest } = await initHome({
    home: args.home,
    owner,
    software,
    appPort,
    freezeCodes: freezeCodeHashes(codes),
    ...(name === undefined ? {} : { name }),
    ...(policy === undefined ? {} : { policy }),
  })
  writeFreezeCodes(codesFile, codes)
  process.stdout.write(
    `${JSON.stringify({ home: args.home, genesisDigest, members: Object.keys(software), app: `http://localhost:${appPort}`, freezeCodes: codesFile })}\n`,
  )
  process.stderr.write(
    'Software passkeys are keys in files: whoever copies the file can approve. Use real passkeys in production.\n' +
      `${codes.length} paper codes that freeze every delivery are in ${codesFile}: print them, keep them apart, and delete the file.\n`,
  )
  return 0
}

/** Its shape is checked with the genesis that it becomes part of. */
function readPolicy(file: string | undefined): Partial<Policy> | undefined {
  if (file === undefined) return undefined
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Partial<Policy>
  } catch (cause) {
    throw new BulkheadError('NOT_FOUND', `${file} cannot be read as JSON.`, {
      remedy: 'Write for example {"coolingOff":86400,"quorum":{"read":1,"change":1,"trust":2,"destroy":3}}',
      cause,
    })
  }
}

function splitMember(one: string): [string, string] {
  const at = one.indexOf('=')
  if (at < 1 || at === one.length - 1)
    throw new BulkheadError('USAGE', `--member ${one} is not ALIAS=FILE.`, {
      remedy: 'Write for example --member bea=bea.passkey',
    })
  return [one.slice(0, at), one.slice(at + 1)]
}
