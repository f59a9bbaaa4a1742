import { chmodSync, chownSync, lstatSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Config, DatabaseConfig, Listen, Urls } from '../base/config.ts'
import { BulkheadError } from '../base/errors.ts'
import { dataPath, genesisPath, isRoot, keysPath, ownPath, socketPath, writeWhole } from '../cli/home.ts'
import { type CompartmentName, calleesOf, compartment } from './compartments.ts'

/** What all compartments of one start have in common. */
export type Plan = {
  home: string
  program: string
  genesisDigest: string
  listen: Record<'edge' | 'edgeTls' | 'console' | 'app' | 'ledger', Listen>
  urls: Urls
  databases: Partial<Record<CompartmentName, DatabaseConfig>>
  publicUrl?: string
  tls?: { cert: string; key: string }
  apns?: { url?: string; ca?: string }
  trustedProxy?: string
  witnesses?: string[]
  setup?: { code: string }
}

/** The configuration of one compartment: what is not in it, it does not know. Pure but for the paths it names. */
export function configOf(plan: Plan, name: CompartmentName): Config {
  const { home } = plan
  const row = compartment(name)
  const own = (file: string) => join(ownPath(home, name), file)
  const database = row.database ? plan.databases[name] : undefined
  return {
    name,
    home,
    genesis: genesisPath(home),
    genesisDigest: plan.genesisDigest,
    ...(database && { database }),
    serves: Object.fromEntries(row.callers.map(caller => [caller, socketPath(home, name, caller)])),
    calls: Object.fromEntries(calleesOf(name).map(callee => [callee, socketPath(home, callee, name)])),
    listen: listensOf(plan, name),
    urls: plan.urls,
    ...(plan.publicUrl !== undefined && { publicUrl: plan.publicUrl }),
    ...(name === 'edge' && plan.tls && { tls: { cert: own('tls-cert.pem'), key: own('tls-key.pem') } }),
    ...(name === 'edge' && plan.trustedProxy !== undefined && { trustedProxy: plan.trustedProxy }),
    ...(name === 'vault' &&
      plan.apns && { apns: { ...plan.apns, ...(plan.apns.ca !== undefined && { ca: own('apns-ca.pem') }) } }),
    ...(name === 'ledger' && plan.witnesses && { witnesses: plan.witnesses }),
    ...(name === 'app' && { webDir: join(plan.program, 'web/dist') }),
    ...(name === 'app' && plan.setup && { setup: plan.setup }),
    dataDir: dataPath(home, name),
    keysDir: keysPath(home, name),
  }
}

function listensOf({ listen }: Plan, name: CompartmentName): Config['listen'] {
  if (name === 'edge') return { http: listen.edge, tls: listen.edgeTls }
  if (name === 'console' || name === 'app' || name === 'ledger') return { http: listen[name] }
  return {}
}

/** Writes a compartment's configuration and gives it what is its own. As root, the files stay root's and only its group reads them. */
export function configure(plan: Plan, name: CompartmentName) {
  const { home } = plan
  const { uid } = compartment(name)
  const give = (file: string, text: string) =>
    writeWhole(join(ownPath(home, name), file), text, isRoot() ? 0o640 : 0o600, isRoot() ? uid : undefined)
  give('config.json', `${JSON.stringify(configOf(plan, name), null, 2)}\n`)
  if (name === 'edge' && plan.tls) {
    give('tls-cert.pem', readGiven(plan.tls.cert, '--tls-cert'))
    give('tls-key.pem', readGiven(plan.tls.key, '--tls-key'))
  }
  if (name === 'vault' && plan.apns?.ca !== undefined) give('apns-ca.pem', readGiven(plan.apns.ca, '--apns-ca'))
  if (!isRoot()) return
  lendKeys(keysPath(home, name), uid)
  checkData(dataPath(home, name), uid)
}

/** The folder is root's, so that no name in it is the compartment's choice. */
function lendKeys(folder: string, group: number) {
  for (const path of readdirSync(folder).map(name => join(folder, name))) {
    if (!lstatSync(path).isFile()) continue
    chownSync(path, 0, group)
    chmodSync(path, 0o640)
  }
}

/**
 * In its data a compartment chooses the names, so root changes nothing there and follows nothing: a link would lead it to
 * somebody else's files. What came in by another hand, from a backup for example, is said. Throws HOME_UNUSABLE.
 */
function checkData(folder: string, uid: number) {
  const foreign = readdirSync(folder).find(name => lstatSync(join(folder, name)).uid !== uid)
  if (foreign === undefined) return
  throw new BulkheadError('HOME_UNUSABLE', `${JSON.stringify(foreign)} in ${folder} belongs to another user.`, {
    remedy: `If you put it there, run: chown -hR ${uid}:${uid} ${folder}`,
  })
}

function readGiven(path: string, option: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new BulkheadError('BAD_REQUEST', `${path} (${option}) cannot be read.`, {
      remedy: 'Name a PEM file that you may read.',
      cause,
    })
  }
}
