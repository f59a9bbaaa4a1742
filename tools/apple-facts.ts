/**
 * Writes `src/wire/apple/facts.generated.ts` from Apple's device-management schema. Run by hand when a newer schema is
 * released: `bin/node tools/apple-facts.ts <schema folder>`. Only names, types and access rights are taken, no prose.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'

type Support = {
  introduced?: string
  accessrights?: string
  supervised?: boolean
  userchannel?: boolean
  sharedipad?: { userchannel?: boolean }
}
type SchemaKey = {
  key: string
  type: string
  presence?: string
  content?: string
  rangelist?: unknown[]
  subkeys?: SchemaKey[]
  supportedOS?: Record<string, Support>
}
type SchemaFile = {
  payload?: {
    requesttype?: string
    payloadtype?: string
    declarationtype?: string
    supportedOS?: Record<string, Support>
  }
  payloadkeys?: SchemaKey[]
}
type Key = { name: string; type: string; required?: true; rights?: number; values?: unknown[]; keys?: Key[] }
type Row = { line: string; by: string }

const PLATFORMS = ['iOS', 'macOS', 'tvOS', 'visionOS', 'watchOS'] as const
const TARGET = join(import.meta.dirname, '../src/wire/apple/facts.generated.ts')

/** The schema names rights in its tables and gives the values in the description of `AccessRights`: matched by subject. */
const SUBJECTS: Record<string, RegExp> = {
  AllowInspection: /inspection of installed configuration profiles/,
  AllowInstallationRemoval: /installation and removal of configuration profiles/,
  AllowPasscodeRemovalAndLock: /device lock/,
  AllowDeviceErase: /device erase/,
  AllowQueryDeviceInformation: /device information/,
  AllowQueryNetworkInformation: /network information/,
  AllowProvisioningInspection: /inspection of installed provisioning/,
  AllowProvisioningInstallationRemoval: /installation and removal of provisioning/,
  AllowQueryApplications: /installed applications/,
  AllowQueryRestrictions: /restriction-related/,
  AllowQuerySecurity: /security-related/,
  AllowSettings: /settings/,
  AllowAppInstallation: /app management/,
}
/** The schema calls some rights by two names. */
const ALIASES: Record<string, string> = {
  DeviceLockAndRemovePasscode: 'AllowPasscodeRemovalAndLock',
  QueryInstalledApps: 'AllowQueryApplications',
}
const NO_RIGHT = new Set([undefined, 'None', 'n/a', 'Special Case'])

const folder = process.argv[2]
if (folder === undefined) throw new Error('usage: bin/node tools/apple-facts.ts <schema folder>')
const rights = readRights(join(folder, 'mdm/profiles/com.apple.mdm.yaml'))
const text = render()
writeFileSync(TARGET, text)
console.log(`${TARGET}: ${text.length} characters`)

function load(file: string): SchemaFile {
  return parse(readFileSync(file, 'utf8')) as SchemaFile
}

function loadAll(...path: string[]): SchemaFile[] {
  const at = join(folder!, ...path)
  const names = readdirSync(at, { recursive: true, encoding: 'utf8' }).filter(name => name.endsWith('.yaml'))
  return names.sort().map(name => load(join(at, name)))
}

/** Values, not bit positions: 1, 2, 4 … 4096. Anything else in the schema stops the generator. */
function readRights(file: string): Record<string, number> {
  const content = load(file).payloadkeys?.find(key => key.key === 'AccessRights')?.content ?? ''
  const lines = [...content.matchAll(/^\* '(\d+)': (.+)$/gm)]
  const found: Record<string, number> = {}
  for (const [name, subject] of Object.entries(SUBJECTS)) {
    const matching = lines.filter(line => subject.test(line[2]!))
    if (matching.length !== 1) throw new Error(`${name}: ${matching.length} lines of the schema fit, expected 1`)
    found[name] = Number(matching[0]![1])
  }
  const sum = Object.values(found).reduce((a, b) => a | b, 0)
  if (sum !== 8191 || new Set(Object.values(found)).size !== 13 || lines.length !== 13)
    throw new Error('access rights are no longer the 13 values 1 to 4096')
  return found
}

function rightOf(name: string | undefined): number {
  if (NO_RIGHT.has(name)) return 0
  const value = rights[ALIASES[name!] ?? name!]
  if (value === undefined) throw new Error(`unknown access right ${name}`)
  return value
}

/** A folder of a home screen may hold folders: such a schema refers to itself, and is cut where it repeats. */
function keysOf(keys: SchemaKey[] | undefined, above: readonly SchemaKey[] = []): Key[] {
  return (keys ?? []).map(key => keyOf(key, above))
}

function keyOf(key: SchemaKey, above: readonly SchemaKey[]): Key {
  const fact: Key = { name: key.key, type: key.type.replaceAll(/[<>]/g, '') }
  if (key.presence === 'required') fact.required = true
  const needed = Object.values(key.supportedOS ?? {}).reduce((sum, on) => sum | rightOf(on.accessrights), 0)
  if (needed !== 0) fact.rights = needed
  if (key.rangelist !== undefined) fact.values = key.rangelist
  if (key.subkeys !== undefined && !above.includes(key)) fact.keys = keysOf(key.subkeys, [...above, key])
  return fact
}

function supportOf(file: SchemaFile, platform: string) {
  const on = file.payload?.supportedOS?.[platform]
  if (on === undefined || on.introduced === 'n/a') return null
  return {
    introduced: String(on.introduced),
    supervised: on.supervised === true,
    userChannel: (on.userchannel ?? on.sharedipad?.userchannel) === true,
    rights: rightOf(on.accessrights),
  }
}

function commands(): Row[] {
  return loadAll('mdm/commands').map(file => {
    const requestType = file.payload!.requesttype!
    const platforms = Object.fromEntries(PLATFORMS.map(name => [name, supportOf(file, name)]))
    // What DeviceInformation can be asked is a table of its own, because every query has its right.
    const keys = keysOf(file.payloadkeys)
    if (requestType === 'DeviceInformation') delete keys[0]!.keys![0]!.keys
    return { by: requestType, line: JSON.stringify({ requestType, platforms, keys }) }
  })
}

function queries(): Row[] {
  const file = load(join(folder!, 'mdm/commands/information.device.yaml'))
  const found = file.payloadkeys![0]!.subkeys![0]!.subkeys!
  return found.map(key => {
    const platforms = PLATFORMS.map(name => {
      const on = key.supportedOS?.[name]
      return [name, supportOf(file, name) === null || on?.introduced === 'n/a' ? null : rightOf(on?.accessrights)]
    })
    return { by: key.key, line: JSON.stringify({ name: key.key, rights: Object.fromEntries(platforms) }) }
  })
}

function checkins(): Row[] {
  return loadAll('mdm/checkin').map(file => {
    const messageType = file.payload!.requesttype!
    return { by: messageType, line: JSON.stringify({ messageType, keys: keysOf(file.payloadkeys) }) }
  })
}

/** Several schema files may describe one payload type: their keys are joined, and required only where all require them. */
function payloads(): Row[] {
  const byType = new Map<string, { platforms: Set<string>; keys: Map<string, Key> }>()
  for (const file of loadAll('mdm/profiles')) {
    const type = file.payload!.payloadtype!
    const platforms = PLATFORMS.filter(name => supportOf(file, name) !== null)
    const seen = byType.get(type)
    const keys = new Map(keysOf(file.payloadkeys).map(key => [key.name, key]))
    if (seen === undefined) byType.set(type, { platforms: new Set(platforms), keys })
    else merge(seen, platforms, keys)
  }
  return [...byType].map(([type, { platforms, keys }]) => ({
    by: type,
    line: JSON.stringify({ type, platforms: PLATFORMS.filter(name => platforms.has(name)), keys: [...keys.values()] }),
  }))
}

function merge(
  into: { platforms: Set<string>; keys: Map<string, Key> },
  platforms: readonly string[],
  keys: Map<string, Key>,
) {
  for (const platform of platforms) into.platforms.add(platform)
  for (const [name, key] of into.keys) if (!keys.has(name)) delete key.required
  for (const [name, { required: _, ...key }] of keys) if (!into.keys.has(name)) into.keys.set(name, key)
}

function declarations(): Row[] {
  return loadAll('declarative/declarations')
    .map(file => file.payload?.declarationtype)
    .filter(type => type !== undefined && type !== 'any')
    .map(type => ({ by: type!, line: JSON.stringify({ type, kind: type!.split('.')[2] }) }))
}

function table(name: string, type: string, rows: Row[]): string {
  const lines = rows.sort((a, b) => (a.by < b.by ? -1 : 1)).map(row => `  ${row.line},`)
  return `export const ${name}: readonly ${type}[] = [\n${lines.join('\n')}\n]\n`
}

function render(): string {
  return `// Written by tools/apple-facts.ts. Do not edit: change the generator, or run it with a newer schema.
// Names and types are from Apple's device-management schema, Copyright (c) 2022-2024 Apple Inc., MIT licence.

export type Platform = ${PLATFORMS.map(name => `'${name}'`).join(' | ')}
export type KeyType = 'string' | 'integer' | 'real' | 'boolean' | 'data' | 'date' | 'array' | 'dictionary' | 'any'
/** One key of a dictionary; under an array, one kind of its items. \`rights\` is what using the key needs. */
export type Key = {
  readonly name: string
  readonly type: KeyType
  readonly required?: true
  readonly rights?: number
  readonly values?: readonly (string | number | boolean)[]
  readonly keys?: readonly Key[]
}
/** \`rights\` is a sum of AccessRights values; 0 means none. */
export type Support = { readonly introduced: string; readonly supervised: boolean; readonly userChannel: boolean; readonly rights: number }
export type CommandFact = { readonly requestType: string; readonly platforms: Readonly<Record<Platform, Support | null>>; readonly keys: readonly Key[] }
export type CheckinFact = { readonly messageType: string; readonly keys: readonly Key[] }
export type PayloadFact = { readonly type: string; readonly platforms: readonly Platform[]; readonly keys: readonly Key[] }
export type DeclarationFact = { readonly type: string; readonly kind: string }
/** A DeviceInformation query: the right it needs on each platform, null where the platform does not know it. */
export type QueryFact = { readonly name: string; readonly rights: Readonly<Record<Platform, number | null>> }

/** Values to be summed, not bit positions. */
export const ACCESS_RIGHTS = {
${Object.entries(rights)
  .sort((a, b) => a[1] - b[1])
  .map(([name, value]) => `  ${name}: ${value},`)
  .join('\n')}
} as const

${table('COMMANDS', 'CommandFact', commands())}
${table('QUERIES', 'QueryFact', queries())}
${table('CHECKINS', 'CheckinFact', checkins())}
${table('PAYLOADS', 'PayloadFact', payloads())}
${table('DECLARATIONS', 'DeclarationFact', declarations())}`
}
