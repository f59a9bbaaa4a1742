/**
 * What an order can do, computed from its bytes and never claimed. Everything is an allow-list: a request type, payload,
 * setting, key or declaration that is not named here as something less is `destroy`. The question asked of each was
 * what an attacker could do with it: run code, read traffic, add trust, be given somebody's password, or take a device
 * out of use is never `change`. The highest class found wins.
 *
 * These rules run on the server and in the administrator's browser, each with its own reader of property lists (class.ts is the
 * server's): nothing here may need Node.
 *
 * Not seen here: what is already on a device. A profile replaces one with the same identifier, so a harmless one can
 * take the place of, for example, a content filter. Callers keep identifiers unique to what they hold.
 */
import { keysOfCommand } from '../wire/apple/check.ts'
import { isDict, own, stringAt } from '../wire/apple/dict.ts'
import { type Key, PAYLOADS } from '../wire/apple/facts.generated.ts'
import type { PlistDict, PlistValue } from '../wire/plist/value.ts'

export const CLASSES = ['read', 'change', 'trust', 'destroy'] as const
export type OrderClass = (typeof CLASSES)[number]

/** `mdmProfile` is the identifier of our enrolment profile. Without it, removing any profile is `destroy`. */
export type ClassOptions = {
  mdmProfile?: string
  /** The property list in a profile. Throws for anything that is not exactly one. */
  decode: (bytes: Uint8Array) => PlistValue
}

type Rule = (dict: PlistDict, options: ClassOptions) => OrderClass

/** The highest of the classes, `read` of none. */
export function highest(classes: Iterable<OrderClass>): OrderClass {
  let top = 0
  for (const one of classes) top = Math.max(top, CLASSES.indexOf(one))
  return CLASSES[top]!
}

/** The class of a Command dictionary (the inner one, with RequestType). Never throws: what is not understood is `destroy`. */
export function classOf(command: PlistDict, options: ClassOptions): OrderClass {
  const type = stringAt(command, 'RequestType')
  const rule = type === undefined ? undefined : COMMAND_RULES.get(type)
  if (type === undefined || rule === undefined) return 'destroy'
  if (hasUnknownKey(command, [...(keysOfCommand(type) ?? []), ...COMMAND_KEYS])) return 'destroy'
  return rule(command, options)
}

/** The class of a configuration profile. Signed, encrypted and undecodable ones are `destroy`: nobody can say what they do. */
export function classOfProfile(profile: Uint8Array, options: ClassOptions): OrderClass {
  const decoded = decodedOrNothing(profile, options)
  return decoded === undefined || !isDict(decoded) ? 'destroy' : classOfContent(decoded, options)
}

/**
 * The class of a declaration. Some types depend on their payload, and the legacy ones on the profile they link to: what
 * is needed and not given makes it `destroy`.
 */
export function classOfDeclaration(
  type: string,
  payload: unknown,
  profile: Uint8Array | undefined,
  options: ClassOptions,
): OrderClass {
  if (LEGACY_DECLARATIONS.has(type)) return profile === undefined ? 'destroy' : classOfProfile(profile, options)
  if (type === 'com.apple.configuration.passcode.settings') return classOfPasscodeSettings(payload)
  return DECLARATION_CLASSES.get(type) ?? 'destroy'
}

// ---- rules

const is =
  (one: OrderClass): Rule =>
  () =>
    one

/** `base`, or the highest class of the keys that are there. */
const unless =
  (base: OrderClass, keys: Readonly<Record<string, OrderClass>>): Rule =>
  dict =>
    highest([base, ...Object.entries(keys).flatMap(([key, raised]) => (Object.hasOwn(dict, key) ? [raised] : []))])

const onlyFor = (names: readonly string[], rule: Rule): [string, Rule][] => names.map(name => [name, rule])

// ---- commands

const COMMAND_KEYS: readonly Key[] = [
  { name: 'RequestType', type: 'string' },
  { name: 'RequestRequiresNetworkTether', type: 'boolean' },
]

const COMMAND_RULES = new Map<string, Rule>([
  ...onlyFor(
    [
      'ActiveNSExtensions',
      'AvailableOSUpdates',
      'CertificateList',
      'ContentCachingInformation',
      'DeviceInformation',
      'InstalledApplicationList',
      'ManagedApplicationAttributes',
      'ManagedApplicationConfiguration',
      'ManagedApplicationList',
      'ManagedMediaList',
      'NSExtensionMappings',
      'OSUpdateStatus',
      'ProfileList',
      'ProvisioningProfileList',
      'Restrictions',
      'SecurityInfo',
      'UserList',
    ],
    is('read'),
  ),
  ['ManagedApplicationFeedback', unless('read', { DeleteFeedback: 'change' })],
  ...onlyFor(
    [
      // Where a person is: in Lost Mode only, which took `destroy`, and still in one approver's name.
      'DeviceLocation',
      'DeviceConfigured',
      'DisableRemoteDesktop',
      'LOMSetupRequest',
      'LogOutUser',
      'PlayLostModeSound',
      'RemoveMedia',
      'ScheduleOSUpdate',
      'ScheduleOSUpdateScan',
      'StopMirroring',
      'UserConfigured',
      'ValidateApplications',
    ],
    is('change'),
  ),
  ['RestartDevice', unless('change', { KextPaths: 'trust', RebuildKernelCache: 'trust' })],
  ...onlyFor(
    [
      'ApplyRedemptionCode',
      'InstallApplication',
      'InstallEnterpriseApplication',
      'InstallMedia',
      'InstallProvisioningProfile',
      'InviteToProgram',
      'RefreshCellularPlans',
      'RemoveProvisioningProfile',
    ],
    is('trust'),
  ),
  ['InstallProfile', (command, options) => classOfData(own(command, 'Payload'), options)],
  ['RemoveProfile', classOfRemoval],
  ['Settings', classOfSettings],
  ['DeclarativeManagement', classOfSynchronisation],
])

/** Known request types that are `destroy` by decision. A test finds every type of the schema in exactly one table. */
export const DESTROY_COMMANDS: ReadonlySet<string> = new Set([
  'AccountConfiguration', // makes administrators
  'ActivationLockBypassCode', // a secret that frees a stolen device
  'ClearActivationLockBypassCode',
  'ClearPasscode',
  'ClearRestrictionsPassword',
  'DeleteUser',
  'DeviceLock',
  'DisableLostMode',
  'EnableLostMode',
  'EnableRemoteDesktop', // a remote hand on the screen
  'EraseDevice',
  'LOMDeviceRequest', // cuts power
  'RemoveApplication', // takes its data with it
  'RequestMirroring', // sends the screen elsewhere
  'RequestUnlockToken',
  'RotateFileVaultKey',
  'SetAutoAdminPassword',
  'SetFirmwarePassword',
  'SetRecoveryLock',
  'ShutDownDevice',
  'UnlockUserAccount',
  'VerifyFirmwarePassword', // carries the password
  'VerifyRecoveryLock',
])

/** Every request type that has a rule below `destroy`, for the table's test. */
export const RULED_COMMANDS: ReadonlySet<string> = new Set(COMMAND_RULES.keys())

/** Our profile, and what may be a part or another spelling of it, is `destroy`. What another profile protected is lost: `trust`. */
function classOfRemoval(command: PlistDict, { mdmProfile }: ClassOptions): OrderClass {
  const identifier = stringAt(command, 'Identifier')
  if (mdmProfile === undefined || identifier === undefined) return 'destroy'
  return plain(identifier).startsWith(plain(mdmProfile)) ? 'destroy' : 'trust'
}

const plain = (identifier: string) => identifier.normalize('NFKC').trim().toLowerCase()

function classOfSettings(command: PlistDict): OrderClass {
  const items = own(command, 'Settings')
  if (!Array.isArray(items)) return 'destroy'
  return highest(items.map(item => (isDict(item) && SETTING_CLASSES.get(stringAt(item, 'Item') ?? '')) || 'destroy'))
}

const classes = (names: readonly string[], one: OrderClass): [string, OrderClass][] => names.map(name => [name, one])

const SETTING_CLASSES = new Map<string, OrderClass>([
  ...classes(
    [
      'AccessibilitySettings',
      'AppAnalytics',
      'Bluetooth',
      'DataRoaming',
      'DeviceName',
      'DiagnosticSubmission',
      'HostName',
      'OrganizationInfo',
      'PasscodeLockGracePeriod',
      'PersonalHotspot',
      'SoftwareUpdateSettings',
      'TimeZone',
      'VoiceRoaming',
      'Wallpaper',
    ],
    'change',
  ),
  // An app's configuration names its server; its attributes name its VPN, filter and DNS proxy.
  ...classes(['ApplicationAttributes', 'ApplicationConfiguration', 'MDMOptions'], 'trust'),
])

/** Known settings that are `destroy` by decision: they decide whose data stays on a shared device, and who signs in. */
export const DESTROY_SETTINGS: ReadonlySet<string> = new Set(['MaximumResidentUsers', 'SharedDeviceConfiguration'])
export const RULED_SETTINGS: ReadonlySet<string> = new Set(SETTING_CLASSES.keys())

const MAX_TOKENS_BYTES = 4096

/** Asks for a synchronisation: what comes of it is classed declaration by declaration. Data may only be the two tokens. */
function classOfSynchronisation(command: PlistDict): OrderClass {
  const data = own(command, 'Data')
  if (data === undefined) return 'change'
  if (!(data instanceof Uint8Array) || data.length > MAX_TOKENS_BYTES) return 'destroy'
  const tokens = jsonOf(data)
  const inner = onlyKeys(tokens, ['SyncTokens']) ? (tokens as { SyncTokens?: unknown }).SyncTokens : undefined
  if (!onlyKeys(inner, ['DeclarationsToken', 'Timestamp'])) return 'destroy'
  return Object.values(inner as object).every(value => typeof value === 'string') ? 'change' : 'destroy'
}

// ---- profiles

/** Keys that Apple's common table lacks and that say nothing about what a payload does. */
const TOLERATED_KEYS: readonly Key[] = [{ name: 'PayloadEnabled', type: 'boolean' }]

const payloadKeys = new Map(PAYLOADS.map(fact => [fact.type, fact.keys]))
const commonKeys = [...(payloadKeys.get('CommonPayloadKeys') ?? []), ...TOLERATED_KEYS]
const profileKeys = [...(payloadKeys.get('TopLevel') ?? []), ...TOLERATED_KEYS]

/** What a profile is, rather than what its payloads do: those that hide or remove something. */
const PROFILE_RULE = unless('change', { EncryptedPayloadContent: 'destroy', HasRemovalPasscode: 'trust' })

function classOfContent(profile: PlistDict, options: ClassOptions): OrderClass {
  const content = own(profile, 'PayloadContent')
  if (own(profile, 'PayloadType') !== 'Configuration' || (own(profile, 'IsEncrypted') ?? false) !== false)
    return 'destroy'
  if (!Array.isArray(content) || hasUnknownKey(profile, profileKeys)) return 'destroy'
  if (replacesEnrolment(profile, content, options)) return 'destroy'
  return highest([PROFILE_RULE(profile, options), ...content.map(payload => classOfPayload(payload, options))])
}

/** A profile under our identifier that has no MDM payload would remove ours. */
function replacesEnrolment(profile: PlistDict, content: PlistValue[], { mdmProfile }: ClassOptions): boolean {
  if (mdmProfile === undefined) return false
  if (plain(stringAt(profile, 'PayloadIdentifier') ?? '') !== plain(mdmProfile)) return false
  return !content.some(payload => isDict(payload) && own(payload, 'PayloadType') === 'com.apple.mdm')
}

function classOfPayload(payload: PlistValue, options: ClassOptions): OrderClass {
  if (!isDict(payload)) return 'destroy'
  const type = stringAt(payload, 'PayloadType')
  if (type === undefined) return 'destroy'
  if (TRUST_PAYLOADS.has(type)) return 'trust'
  const rule = PAYLOAD_RULES.get(type)
  if (rule === undefined) return 'destroy'
  const known = [...(payloadKeys.get(type) ?? []), ...commonKeys]
  return hasUnknownKey(payload, known) ? 'destroy' : rule(payload, options)
}

const PAYLOAD_RULES = new Map<string, Rule>([
  // maxFailedAttempts erases; a pattern nothing fits locks out.
  ['com.apple.mobiledevice.passwordpolicy', unless('change', { customRegex: 'destroy', maxFailedAttempts: 'destroy' })],
  ['com.apple.applicationaccess', classOfRestrictions()],
  ['com.apple.wifi.managed', classOfWifi],
  ['com.apple.webClip.managed', classOfWebClip],
  ['com.apple.google-oauth', unless('change', { CommunicationServiceRules: 'trust', VPNUUID: 'trust' })],
  ['com.apple.SoftwareUpdate', unless('change', { CatalogURL: 'trust' })],
  // A screen saver is a program.
  [
    'com.apple.screensaver',
    unless('change', { loginWindowModulePath: 'trust', moduleName: 'trust', modulePath: 'trust' }),
  ],
  ['com.apple.screensaver.user', unless('change', { moduleName: 'trust', modulePath: 'trust' })],
  ['com.apple.declarations', classOfDeclarationPayload],
  ...onlyFor(
    [
      'com.apple.Dictionary',
      'com.apple.DiscRecording',
      'com.apple.SetupAssistant.managed',
      'com.apple.ShareKitHelper',
      'com.apple.appstore',
      'com.apple.conferenceroomdisplay',
      'com.apple.dashboard',
      'com.apple.desktop',
      'com.apple.dock',
      'com.apple.finder',
      'com.apple.gamed',
      'com.apple.homescreenlayout',
      'com.apple.ironwood.support',
      'com.apple.mcxMenuExtras',
      'com.apple.networkusagerules',
      'com.apple.notificationsettings',
      'com.apple.preference.security',
      'com.apple.preference.users',
      'com.apple.shareddeviceconfiguration',
      'com.apple.systempreferences',
      'com.apple.systemuiserver',
      'com.apple.tvremote',
      'com.apple.universalaccess',
      'loginwindow',
    ],
    is('change'),
  ),
])

/** Accounts are here because the person's password goes to the host that the payload names. */
const TRUST_PAYLOADS: ReadonlySet<string> = new Set([
  'com.apple.ADCertificate.managed',
  'com.apple.AIM.account',
  'com.apple.AssetCache.managed',
  'com.apple.NSExtension',
  'com.apple.SystemConfiguration',
  'com.apple.TCC.configuration-profile-policy',
  'com.apple.airplay',
  'com.apple.airplay.security',
  'com.apple.airprint',
  'com.apple.apn.managed',
  'com.apple.associated-domains',
  'com.apple.caldav.account',
  'com.apple.carddav.account',
  'com.apple.cellular',
  'com.apple.cellularprivatenetwork.managed',
  'com.apple.configurationprofile.identification',
  'com.apple.dnsProxy.managed',
  'com.apple.dnsSettings.managed',
  'com.apple.domains',
  'com.apple.eas.account',
  'com.apple.education',
  'com.apple.ews.account',
  'com.apple.extensiblesso',
  'com.apple.familycontrols.contentfilter',
  'com.apple.fileproviderd',
  'com.apple.firstactiveethernet.managed',
  'com.apple.firstethernet.managed',
  'com.apple.font', // font parsers have been a way in
  'com.apple.globalethernet.managed',
  'com.apple.jabber.account',
  'com.apple.ldap.account',
  'com.apple.loginitems.managed',
  'com.apple.mail.managed',
  'com.apple.mcxloginscripts',
  'com.apple.mcxprinting',
  'com.apple.mdm',
  'com.apple.osxserver.account',
  'com.apple.profileRemovalPassword',
  'com.apple.proxy.http.global',
  'com.apple.relay.managed',
  'com.apple.secondactiveethernet.managed',
  'com.apple.secondethernet.managed',
  'com.apple.security.acme',
  'com.apple.security.certificatepreference',
  'com.apple.security.certificaterevocation',
  'com.apple.security.certificatetransparency',
  'com.apple.security.firewall',
  'com.apple.security.identitypreference',
  'com.apple.security.pem',
  'com.apple.security.pkcs1',
  'com.apple.security.pkcs12',
  'com.apple.security.root',
  'com.apple.security.scep',
  'com.apple.security.wapi-identity',
  'com.apple.servicemanagement',
  'com.apple.sso',
  'com.apple.subscribedcalendar.account',
  'com.apple.syspolicy.kernel-extension-policy',
  'com.apple.system-extension-policy',
  'com.apple.system.logging',
  'com.apple.systempolicy.control',
  'com.apple.systempolicy.managed',
  'com.apple.systempolicy.rule',
  'com.apple.thirdactiveethernet.managed',
  'com.apple.thirdethernet.managed',
  'com.apple.vpn.managed',
  'com.apple.vpn.managed.applayer',
  'com.apple.vpn.managed.appmapping',
  'com.apple.webcontent-filter',
])

/** Known payloads that are `destroy` by decision. */
export const DESTROY_PAYLOADS: ReadonlySet<string> = new Set([
  '.GlobalPreferences', // logs out after a time
  'com.apple.DirectoryService.managed', // a directory decides who is an administrator
  'com.apple.MCX', // guests, mobile accounts and disk keys in one type
  'com.apple.MCX.FileVault2',
  'com.apple.MCX.TimeMachine', // copies the disk elsewhere
  'com.apple.ManagedClient.preferences', // any setting of any program
  'com.apple.app.lock',
  'com.apple.applicationaccess.new',
  'com.apple.asam',
  'com.apple.familycontrols.timelimits.v2',
  'com.apple.lom',
  'com.apple.loginwindow', // who may log in
  'com.apple.security.FDERecoveryKeyEscrow',
  'com.apple.security.FDERecoveryRedirect',
  'com.apple.security.smartcard', // locks out who has none
  'com.apple.systemmigration',
  'com.apple.xsan',
  'com.apple.xsan.preferences',
])

export const RULED_PAYLOADS: ReadonlySet<string> = new Set([...PAYLOAD_RULES.keys(), ...TRUST_PAYLOADS])

/** Restrictions take away; these few open something, or can cut a device off. */
function classOfRestrictions(): Rule {
  return unless('change', {
    allowListedAppBundleIDs: 'trust',
    allowManagedToWriteUnmanagedContacts: 'trust',
    allowOTAPKIUpdates: 'trust',
    allowUSBRestrictedMode: 'trust',
    allowUnmanagedToReadManagedContacts: 'trust',
    allowUnpairedExternalBootToRecovery: 'trust',
    autonomousSingleAppModePermittedAppIDs: 'trust',
    forceBypassScreenCaptureAlert: 'trust',
    forceClassroomAutomaticallyJoinClasses: 'trust',
    forceClassroomUnpromptedAppAndDeviceLock: 'trust',
    forceClassroomUnpromptedScreenObservation: 'trust',
    forceWiFiToAllowedNetworksOnly: 'destroy',
    forceWiFiWhitelisting: 'destroy',
    whitelistedAppBundleIDs: 'trust',
  })
}

/** A closed network with a password. Proxies, certificates and open networks let somebody else into the traffic. */
function classOfWifi(payload: PlistDict): OrderClass {
  const proxy = own(payload, 'ProxyType') ?? 'None'
  const closed = ['WPA', 'WPA2', 'WPA3'].includes(stringAt(payload, 'EncryptionType') ?? '')
  const routed = Object.keys(payload).some(key => /^(Proxy(?!Type$)|EAP|PayloadCertificate|TLS)/.test(key))
  const roams = (own(payload, 'IsHotspot') ?? false) !== false || Object.hasOwn(payload, 'CaptiveBypass')
  return proxy === 'None' && closed && !routed && !roams ? 'change' : 'trust'
}

/** A bookmark that shows where it leads. Without the address bar it can look like any sign-in page. */
function classOfWebClip(payload: PlistDict): OrderClass {
  const secure = /^https:\/\//i.test(stringAt(payload, 'URL') ?? '')
  const bare = ['FullScreen', 'IgnoreManifestScope'].some(key => (own(payload, key) ?? false) !== false)
  return secure && !bare && !Object.hasOwn(payload, 'TargetApplicationBundleIdentifier') ? 'change' : 'trust'
}

// ---- declarations

const LEGACY_DECLARATIONS = new Set(['com.apple.configuration.legacy', 'com.apple.configuration.legacy.interactive'])

const DECLARATION_CLASSES = new Map<string, OrderClass>([
  ['com.apple.configuration.management.status-subscriptions', 'read'],
  ...classes(
    [
      'com.apple.activation.simple',
      'com.apple.asset.useridentity',
      'com.apple.configuration.account.google',
      'com.apple.configuration.diskmanagement.settings',
      'com.apple.configuration.management.test',
      'com.apple.configuration.math.settings',
      'com.apple.configuration.softwareupdate.enforcement.specific',
      'com.apple.configuration.softwareupdate.settings',
      'com.apple.management.organization-info',
      'com.apple.management.properties',
      'com.apple.management.server-capabilities',
    ],
    'change',
  ),
  ...classes(
    [
      'com.apple.asset.credential.acme',
      'com.apple.asset.credential.certificate',
      'com.apple.asset.credential.identity',
      'com.apple.asset.credential.scep',
      'com.apple.asset.credential.userpassword',
      'com.apple.asset.data',
      'com.apple.configuration.account.caldav',
      'com.apple.configuration.account.carddav',
      'com.apple.configuration.account.exchange',
      'com.apple.configuration.account.ldap',
      'com.apple.configuration.account.mail',
      'com.apple.configuration.account.subscribed-calendar',
      'com.apple.configuration.app.managed',
      'com.apple.configuration.safari.extensions.settings',
      'com.apple.configuration.screensharing.connection',
      'com.apple.configuration.screensharing.connection.group',
      'com.apple.configuration.screensharing.host.settings',
      'com.apple.configuration.security.certificate',
      'com.apple.configuration.security.identity',
      'com.apple.configuration.security.passkey.attestation',
      'com.apple.configuration.services.background-tasks',
      'com.apple.configuration.services.configuration-files',
      'com.apple.configuration.watch.enrollment',
    ],
    'trust',
  ),
])

/** Declaration types whose class depends on more than the type, and those with a fixed one. */
export const RULED_DECLARATIONS: ReadonlySet<string> = new Set([
  ...DECLARATION_CLASSES.keys(),
  ...LEGACY_DECLARATIONS,
  'com.apple.configuration.passcode.settings',
])

const PASSCODE_KEYS = [
  'ChangeAtNextAuth',
  'FailedAttemptsResetInMinutes',
  'MaximumGracePeriodInMinutes',
  'MaximumInactivityInMinutes',
  'MaximumPasscodeAgeInDays',
  'MinimumComplexCharacters',
  'MinimumLength',
  'PasscodeReuseLimit',
  'RequireAlphanumericPasscode',
  'RequireComplexPasscode',
  'RequirePasscode',
]

/** Without MaximumFailedAttempts, which erases, and CustomRegex, which can lock out. */
function classOfPasscodeSettings(payload: unknown): OrderClass {
  return onlyKeys(payload, PASSCODE_KEYS) ? 'change' : 'destroy'
}

/** Declarations carried in a profile are `trust` at least; what they link to is not in it. */
function classOfDeclarationPayload(payload: PlistDict, options: ClassOptions): OrderClass {
  const carried = own(payload, 'Declarations')
  if (!Array.isArray(carried)) return 'destroy'
  return highest(['trust', ...carried.map(one => classOfCarried(one, options))])
}

function classOfCarried(bytes: PlistValue, options: ClassOptions): OrderClass {
  const declaration = bytes instanceof Uint8Array ? jsonOf(bytes) : undefined
  if (!isObject(declaration) || typeof declaration.Type !== 'string') return 'destroy'
  return classOfDeclaration(declaration.Type, declaration.Payload, undefined, options)
}

// ---- helpers

function classOfData(data: PlistValue | undefined, options: ClassOptions): OrderClass {
  return data instanceof Uint8Array ? classOfProfile(data, options) : 'destroy'
}

function decodedOrNothing(bytes: Uint8Array, { decode }: ClassOptions): PlistValue | undefined {
  try {
    return decode(bytes)
  } catch {
    return undefined
  }
}

const MAX_JSON_BYTES = 65_536

function jsonOf(bytes: Uint8Array): unknown {
  if (bytes.length > MAX_JSON_BYTES) return undefined
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    const value: unknown = JSON.parse(text)
    return repeatsName(text) ? undefined : value
  } catch {
    return undefined
  }
}

/**
 * Whether an object in this JSON text names a member twice: JSON.parse keeps the last, and a device may keep the first. `text` was
 * parsed already, so only strings and the four brackets matter.
 */
function repeatsName(text: string): boolean {
  const open: (Set<string> | undefined)[] = [] // names of the objects around this place; undefined for an array
  for (const [token, name, colon] of text.matchAll(/("(?:[^"\\]|\\.)*")(\s*:)?|[{}[\]]/g)) {
    if (token === '{') open.push(new Set())
    else if (token === '[') open.push(undefined)
    else if (name === undefined) open.pop()
    else if (colon !== undefined) {
      const names = open.at(-1)
      const read = String(JSON.parse(name)) // another spelling of a name is the same name
      if (names?.has(read)) return true
      names?.add(read)
    }
  }
  return false
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function onlyKeys(value: unknown, allowed: readonly string[]): boolean {
  return isObject(value) && Object.keys(value).every(key => allowed.includes(key))
}

/** Whether a dictionary holds, at any depth that the schema describes, a key that the schema does not know. */
function hasUnknownKey(dict: PlistDict, keys: readonly Key[]): boolean {
  if (keys.some(key => key.name === 'ANY')) return false
  return Object.entries(dict).some(([name, value]) => {
    const key = keys.find(one => one.name === name)
    return key === undefined || hasUnknownWithin(value, key)
  })
}

function hasUnknownWithin(value: PlistValue, key: Key): boolean {
  if (key.keys === undefined || key.keys.length === 0) return false
  if (isDict(value)) return hasUnknownKey(value, key.keys)
  if (!Array.isArray(value)) return false
  const kinds = key.keys
  return value.some(item => kinds.every(kind => hasUnknownWithin(item, kind)))
}
