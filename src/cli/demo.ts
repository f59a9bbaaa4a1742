import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import pg from 'pg'
import { BulkheadError } from '../base/errors.ts'
import { commonFlags } from '../supervisor/flags.ts'
import { runningSupervisor } from '../supervisor/lock.ts'
import { migratorRole } from '../supervisor/migrate.ts'
import { loopbacks, pickPort } from '../supervisor/ports.ts'
import { databaseFromUrl, embeddedDatabase, secret } from '../supervisor/postgres.ts'
import { programRoot } from '../supervisor/program.ts'
import type { Supervisor } from '../supervisor/supervisor.ts'
import { deviceAlias } from '../trust/alias.ts'
import { type Args, whole } from './args.ts'
import { freezeCodeHashes, makeFreezeCodes, writeFreezeCodes } from './freezecodes.ts'
import { checkOwner, isInitialised, prepareHome, readHomeConfig } from './home.ts'
import { initHome } from './init.ts'
import { type Neighbour, startNeighbour } from './neighbour.ts'
import { loadPasskey } from './passkey.ts'
import { employ, type OfficeDevice, staffFile, type Typist } from './staff.ts'
import { buildWeb, startOptions, untilStopped } from './up.ts'

/**
 * A simulated office to look at. It is made by the same commands that a person would type, approved with a software passkey;
 * its devices live in a process of their own and know the server by public HTTP only.
 */
const OWNER = 'demo-owner'
const SECOND = 'demo-second' // what destroys takes two members
const APP_PORT = 4780
const say = (line: string) => void process.stderr.write(`${line}\n`)
const folderOf = (home: string) => join(home, 'demo')
const passkeyOf = (home: string, alias = OWNER) => join(folderOf(home), `${alias === OWNER ? 'owner' : alias}.passkey`)
/** Written when the office is complete: which alias uses which device. */
const registerOf = (home: string) => join(folderOf(home), 'office.json')
type Register = { people: number; devices: OfficeDevice[] }

export async function run(args: Args): Promise<number> {
  const { home } = args
  if (isOpen(home)) return showAgain(home)
  buildWeb(say)
  const isNew = await makeHome(home, whole(args, 'app-port', 0, 65_535) ?? APP_PORT)
  delete args.values['app-port'] // it is in the genesis now
  const office = await startOffice(home)
  let witness: Neighbour | undefined
  try {
    witness = await startNeighbour(home, folderOf(home))
    const { apnsUrl, apnsCa, invitations } = await office.ask<Opened>({ t: 'open' })
    return await untilStopped(
      { ...startOptions(args), apnsUrl, apnsCa, witnesses: [witness.address] },
      async ({ urls }) => {
        if (isNew) await furnish(home, urls, invitations, office)
        else await office.ask({ t: 'enrol', edgeUrl: urls.edge, profileUrls: {} })
        greet(home, urls, readRegister(home))
      },
    )
  } finally {
    office.stop()
    witness?.stop()
  }
}
type Urls = Supervisor['urls']

const readRegister = (home: string) => JSON.parse(readFileSync(registerOf(home), 'utf8')) as Register
const isOpen = (home: string) => existsSync(registerOf(home)) && runningSupervisor(home) !== undefined

/** Somebody who lost the terminal wants the link, not an error. */
function showAgain(home: string): number {
  checkOwner(home)
  say(`It is open already, in process ${runningSupervisor(home)?.pid}: this command starts nothing, and ends now.`)
  greet(home, { app: `http://localhost:${readHomeConfig(home).ports.app}` }, readRegister(home))
  return 0
}

type Opened = { apnsUrl: string; apnsCa: string; invitations: Record<string, number> }

/** True where the office has still to be furnished. A demo that was cut off while it was made is made again. Throws CONFLICT for anybody else's home. */
async function makeHome(home: string, wantedPort: number): Promise<boolean> {
  checkOwner(home)
  if (existsSync(registerOf(home))) return false
  const holder = runningSupervisor(home)
  if (holder)
    throw new BulkheadError('CONFLICT', `Another process (${holder.pid}) makes this demo now.`, {
      remedy: `Let it finish, or stop it: kill ${holder.pid}`,
    })
  if (existsSync(passkeyOf(home))) rmSync(home, { recursive: true })
  else if (isInitialised(home))
    throw new BulkheadError('CONFLICT', `${home} is an installation of its own, not a demo.`, {
      remedy: 'Start it with bulkhead up, or give the demo another --home.',
    })
  say('Making the demo office, once …')
  mkdirSync(folderOf(prepareHome(home)), { recursive: true })
  const appPort = await pickPort(loopbacks, wantedPort)
  const software = { [OWNER]: passkeyOf(home), [SECOND]: passkeyOf(home, SECOND) }
  const codes = makeFreezeCodes()
  writeFreezeCodes(`${passkeyOf(home)}.freeze-codes`, codes)
  const freezeCodes = freezeCodeHashes(codes)
  await initHome({ home, owner: OWNER, software, appPort, name: 'demo-office', freezeCodes })
  return true
}

async function furnish(home: string, urls: Urls, invitations: Opened['invitations'], office: Office) {
  const type = typist(home)
  const { csr } = await type<{ csr: string }>('push', 'csr')
  const { certificate } = await office.ask<{ certificate: string }>({ t: 'certify', csr })
  const certificatePath = join(folderOf(home), 'push.pem')
  writeFileSync(certificatePath, certificate)
  await type('push', 'import', certificatePath, '--account', 'demo@example.org', '--passkey', passkeyOf(home))

  const standing = [
    '--action',
    'DeviceInformation',
    '--trigger',
    'enrolment',
    '--reason',
    'so that device pages show facts',
  ]
  const { order: inventory } = await type<{ order: string }>('standing', 'create', ...standing)
  await type('standing', 'approve', inventory, '--passkey', passkeyOf(home))

  say('Enrolling 60 simulated devices …')
  const profileUrls: Record<string, string> = {}
  for (const [name, uses] of Object.entries(invitations)) profileUrls[name] = await invite(type, home, name, uses)
  const found = await office.ask<Register>({ t: 'enrol', edgeUrl: urls.edge, profileUrls })
  const inState = (state: string) => found.devices.filter(device => device.state === state).map(({ device }) => device)

  say(`Putting ${found.people} made-up people into the sealed directory …`)
  const devices = await employ(type, folderOf(home), passkeyOf(home), found)

  const lost = [
    '--action',
    'EnableLostMode',
    '--set',
    'Message=Please call the front desk',
    '--set',
    'PhoneNumber=+32 2 555 01 00',
  ]
  const { order } = await type<{ order: string }>(
    'order',
    'create',
    ...lost,
    ...each(inState('lost')),
    '--reason',
    'reported as lost',
  )
  await type('order', 'approve', order, '--passkey', passkeyOf(home))
  await type('order', 'approve', order, '--passkey', passkeyOf(home, SECOND))
  const macs = found.devices
    .filter(({ model, state }) => model === 'mac' && state === 'in use')
    .map(({ device }) => device)
  await type('group', 'create', 'finance', '--passkey', passkeyOf(home))
  await type('group', 'add', 'finance', ...macs.slice(0, 5), '--passkey', passkeyOf(home))
  const waiting = ['--action', 'RestartDevice', '--group', 'finance', '--reason', 'after the update of the weekend']
  await type('order', 'create', ...waiting)
  await office.ask({ t: 'visit' })
  await passTime(home, inState('silent'))
  writeFileSync(registerOf(home), `${JSON.stringify({ ...found, devices }, null, 2)}\n`, { mode: 0o600 })
}

const each = (devices: string[]) => devices.flatMap(device => ['--device', device])
const SHORT_LIFE = '20' // days: less than the month in which a certificate is renewed

async function invite(type: Typist, home: string, name: string, uses: number): Promise<string> {
  const [tier, short] = name.split(' ')
  const line = ['--platform', 'apple', '--tier', tier!, '--uses', String(uses), '--passkey', passkeyOf(home)]
  if (short) line.push('--identity-days', SHORT_LIFE)
  return (await type<{ profileUrl: string }>('invite', 'create', ...line)).profileUrl
}

/** What only time can do: these devices were last seen a month ago. */
async function passTime(home: string, silent: string[]) {
  const url = process.env.DATABASE_URL
  const client = new pg.Client(
    url
      ? { ...databaseFromUrl(url), user: migratorRole, password: secret(home, migratorRole) }
      : embeddedDatabase(home, migratorRole, secret(home, migratorRole), 'bulkhead'),
  )
  await client.connect()
  const device =
    "last_seen = now() - interval '34 days', facts_at = now() - interval '34 days', enrolled_at = now() - interval '200 days'"
  await client.query(`update edge.device set ${device} where device_id = any ($1)`, [silent])
  await client.query("update edge.result set at = now() - interval '34 days' where device_id = any ($1)", [silent])
  await client.end()
}

/** Commands as a person types them. */
function typist(home: string): Typist {
  const run = promisify(execFile)
  return async (...line) =>
    JSON.parse((await run(join(programRoot, 'bin/bulkhead'), [...line, '--home', home, '--json'])).stdout)
}

type Office = { ask<T>(request: object): Promise<T>; stop(): void }

async function startOffice(home: string): Promise<Office> {
  const child = spawn(process.execPath, [...commonFlags, join(programRoot, 'simulator/demo.ts'), '--home', home], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  })
  await answerOf(child)
  return {
    ask: request => {
      child.send(request)
      return answerOf(child)
    },
    stop: () => child.connected && child.disconnect(),
  }
}

async function answerOf<T>(child: ChildProcess): Promise<T> {
  const ended = once(child, 'exit').then(() => [{ error: 'the process ended' }])
  const [{ result, error }] = (await Promise.race([once(child, 'message'), ended])) as [{ result?: T; error?: string }]
  if (error !== undefined) throw new BulkheadError('INTERNAL', `The simulated office failed: ${error}`)
  return result!
}

/** What the app takes a software passkey from: `alias.credential.prf.key`. */
export function linkOf(file: string): string {
  const { alias, credentialId, privateKey, prfSecret } = loadPasskey(file)
  const base64url = (text: string) => Buffer.from(text, 'base64').toString('base64url')
  return [alias, credentialId, base64url(prfSecret), base64url(privateKey.replaceAll(/-----[^-]+-----|\s/g, ''))].join(
    '.',
  )
}

function greet(home: string, urls: Pick<Urls, 'app'>, { people, devices }: Register) {
  const states = Map.groupBy(devices, ({ state }) => state)
  say(`
The demo office is open: ${people} people under aliases, ${devices.length} simulated devices.

  Open   ${urls.app}/sign-in#passkey=${linkOf(passkeyOf(home))}

It opens the sign-in page: press “Sign in as ${OWNER}”. That is a software passkey: a key in a file, good for trying out, never for real devices.
Its file, for --passkey on the command line:  ${passkeyOf(home)}
What can destroy takes two members. The second is ${SECOND}, in another browser profile:

         ${urls.app}/sign-in#passkey=${linkOf(passkeyOf(home, SECOND))}

Where to look first:
${[...states]
  .map(
    ([state, list]) =>
      `  ${state.padEnd(28)} ${list.length.toString().padStart(2)}   ${list
        .slice(0, 3)
        .map(({ device }) => deviceAlias(device))
        .join(', ')}`,
  )
  .join('\n')}

People: who has which device stands there under aliases, and their names are sealed: unlock with the passkey, sign a grant, show them.
Their made-up names in clear are in ${staffFile(folderOf(home))}; the server never had them.
A witness cosigns the ledger's heads from a process of its own. In production it must live in other hands: bulkhead witness --help
Enrol one more and watch:  npm run device -- iphone --home ${home}
The command line:          bin/bulkhead device list --home ${home}
Ctrl-C ends everything; npm start opens the same office again. To start over, stop it and delete ${home}.
`)
}
