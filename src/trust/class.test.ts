import assert from 'node:assert/strict'
import { test } from 'node:test'
import { COMMANDS, DECLARATIONS, PAYLOADS } from '../wire/apple/facts.generated.ts'
import { enrolmentProfile, uuidFrom } from '../wire/apple/profile.ts'
import { encodeBinaryPlist, encodeXmlPlist, type PlistDict, type PlistValue } from '../wire/plist/plist.ts'
import {
  classOf,
  classOfDeclaration,
  classOfProfile,
  DESTROY_COMMANDS,
  DESTROY_PAYLOADS,
  DESTROY_SETTINGS,
  highest,
  type OrderClass,
  RULED_COMMANDS,
  RULED_DECLARATIONS,
  RULED_PAYLOADS,
  RULED_SETTINGS,
} from './class.ts'

const OURS = 'eu.example.mdm'
const json = (value: unknown) => new TextEncoder().encode(JSON.stringify(value))
const profile = (content: PlistValue[], rest: PlistDict = {}): PlistDict => ({
  PayloadType: 'Configuration',
  PayloadVersion: 1,
  PayloadIdentifier: 'eu.example.test',
  PayloadUUID: 'U',
  PayloadContent: content,
  ...rest,
})
const install = (content: PlistValue[], rest: PlistDict = {}): PlistDict => ({
  RequestType: 'InstallProfile',
  Payload: encodeXmlPlist(profile(content, rest)),
})
const payload = (type: string, rest: PlistDict = {}): PlistDict => ({
  PayloadType: type,
  PayloadVersion: 1,
  PayloadIdentifier: 'x',
  PayloadUUID: 'V',
  ...rest,
})
const classOfPayload = (type: string, rest: PlistDict = {}) => classOf(install([payload(type, rest)]))

test('every command of the schema is in exactly one table', () => {
  for (const { requestType } of COMMANDS)
    assert.equal(Number(RULED_COMMANDS.has(requestType)) + Number(DESTROY_COMMANDS.has(requestType)), 1, requestType)
  assert.equal(RULED_COMMANDS.size + DESTROY_COMMANDS.size, COMMANDS.length)
})

test('every payload, setting and declaration of the schema is in exactly one table', () => {
  const types = PAYLOADS.map(fact => fact.type).filter(type => type !== 'TopLevel' && type !== 'CommonPayloadKeys')
  for (const type of types) assert.equal(Number(RULED_PAYLOADS.has(type)) + Number(DESTROY_PAYLOADS.has(type)), 1, type)
  const settings = COMMANDS.find(fact => fact.requestType === 'Settings')!.keys[0]!.keys!.map(key => key.name)
  for (const name of settings)
    assert.equal(Number(RULED_SETTINGS.has(name)) + Number(DESTROY_SETTINGS.has(name)), 1, name)
  for (const { type } of DECLARATIONS)
    if (!type.startsWith('com.apple.credential.')) assert.ok(RULED_DECLARATIONS.has(type), type)
  assert.equal(RULED_PAYLOADS.size + DESTROY_PAYLOADS.size, types.length)
})

const EXPECTED: [OrderClass, string[]][] = [
  [
    'read',
    ['DeviceInformation', 'SecurityInfo', 'ProfileList', 'InstalledApplicationList', 'UserList', 'CertificateList'],
  ],
  ['change', ['DeviceConfigured', 'PlayLostModeSound', 'RestartDevice', 'ScheduleOSUpdate', 'DeclarativeManagement']],
  ['trust', ['InstallApplication', 'InstallEnterpriseApplication', 'InstallProvisioningProfile']],
  [
    'destroy',
    [
      'EraseDevice',
      'DeviceLock',
      'ClearPasscode',
      'ShutDownDevice',
      'EnableLostMode',
      'DeleteUser',
      'SetFirmwarePassword',
    ],
  ],
  [
    'destroy',
    ['SetRecoveryLock', 'RequestUnlockToken', 'RotateFileVaultKey', 'SetAutoAdminPassword', 'InstallProfile'],
  ],
  ['destroy', ['RemoveProfile', 'Settings', 'FutureCommand', 'constructor', '__proto__', 'eraseDevice', '']],
]

test('a bare command has the class that the design names', () => {
  for (const [expected, types] of EXPECTED)
    for (const RequestType of types) assert.equal(classOf({ RequestType }), expected, RequestType)
  assert.equal(classOf({}), 'destroy')
  assert.equal(classOf({ RequestType: 7 }), 'destroy')
})

test('a key that nobody knows makes a query and a change destroy', () => {
  assert.equal(classOf({ RequestType: 'ProfileList', ManagedOnly: true, RequestRequiresNetworkTether: false }), 'read')
  assert.equal(classOf({ RequestType: 'ProfileList', AndErase: true }), 'destroy')
  assert.equal(
    classOf({ RequestType: 'ManagedApplicationFeedback', Identifiers: ['a'], DeleteFeedback: true }),
    'change',
  )
  assert.equal(classOf({ RequestType: 'RestartDevice', KextPaths: ['/x'] }), 'trust')
})

test('removing our profile is destroy, however it is spelt; removing another is trust', () => {
  const remove = (Identifier: string, options = { mdmProfile: OURS }) =>
    classOf({ RequestType: 'RemoveProfile', Identifier }, options)
  for (const spelling of [OURS, 'EU.Example.MDM', ` ${OURS} `, `${OURS}.mdm`])
    assert.equal(remove(spelling), 'destroy', spelling)
  assert.equal(remove('eu.example.wifi'), 'trust')
  assert.equal(classOf({ RequestType: 'RemoveProfile', Identifier: 'eu.example.wifi' }), 'destroy')
})

test('settings have the class of their highest item', () => {
  const set = (...Settings: PlistValue[]) => classOf({ RequestType: 'Settings', Settings })
  const zone = { Item: 'TimeZone', TimeZone: 'Europe/Riga' }
  assert.equal(set(zone, { Item: 'Bluetooth', Enabled: true }), 'change')
  assert.equal(set(zone, { Item: 'ApplicationAttributes', Identifier: 'a', Attributes: { VPNUUID: 'v' } }), 'trust')
  assert.equal(set(zone, { Item: 'FutureSetting' }), 'destroy')
  assert.equal(set(zone, { ...zone, Hidden: 1 }), 'destroy')
  assert.equal(set(zone, 'text'), 'destroy')
  assert.equal(set(zone, { TimeZone: 'x' }), 'destroy')
})

test('a profile has the class of its highest payload', () => {
  const passcode = payload('com.apple.mobiledevice.passwordpolicy', { minLength: 6 })
  const root = payload('com.apple.security.root', { PayloadContent: Uint8Array.of(1) })
  assert.equal(classOf(install([passcode])), 'change')
  assert.equal(classOf(install([passcode, root])), 'trust')
  assert.equal(classOf(install([passcode, root, payload('com.example.unknown')])), 'destroy')
  assert.equal(classOf(install([passcode, 'text'])), 'destroy')
  assert.equal(classOf({ ...install([passcode]), ManifestURL: 'x' }), 'destroy')
  assert.equal(classOfProfile(encodeBinaryPlist(profile([passcode]))), 'change')
})

test('a passcode policy that can make the device erase itself or lock its owner out is destroy', () => {
  const type = 'com.apple.mobiledevice.passwordpolicy'
  assert.equal(classOfPayload(type, { maxFailedAttempts: 11 }), 'destroy')
  assert.equal(classOfPayload(type, { maxFailedAttempts: '4' }), 'destroy')
  assert.equal(classOfPayload(type, { customRegex: { passwordContentRegex: '^$' } }), 'destroy')
  assert.equal(classOfPayload(type, { futureKey: 1 }), 'destroy')
  assert.equal(classOfDeclaration('com.apple.configuration.passcode.settings', { MinimumLength: 6 }), 'change')
  assert.equal(classOfDeclaration('com.apple.configuration.passcode.settings', { MaximumFailedAttempts: 4 }), 'destroy')
  assert.equal(classOfDeclaration('com.apple.configuration.passcode.settings'), 'destroy')
})

test('restrictions take away; those that open something or cut off weigh more', () => {
  const type = 'com.apple.applicationaccess'
  assert.equal(classOfPayload(type, { allowCamera: false, blockedAppBundleIDs: ['a'] }), 'change')
  assert.equal(classOfPayload(type, { allowUSBRestrictedMode: false }), 'trust')
  assert.equal(classOfPayload(type, { forceClassroomUnpromptedScreenObservation: true }), 'trust')
  assert.equal(classOfPayload(type, { forceWiFiToAllowedNetworksOnly: true }), 'destroy')
})

test('a closed network is a change; an open one, a proxy, a certificate or a roaming one is trust', () => {
  const wifi = (rest: PlistDict) => classOfPayload('com.apple.wifi.managed', { SSID_STR: 'Office', ...rest })
  const closed = { EncryptionType: 'WPA3', Password: 'secret' }
  assert.equal(wifi(closed), 'change')
  assert.equal(wifi({ ...closed, ProxyType: 'None' }), 'change')
  const open: PlistDict[] = [
    {},
    { EncryptionType: 'None' },
    { EncryptionType: 'WEP' },
    { ...closed, ProxyType: 'Auto' },
    { ...closed, ProxyPACURL: 'http://x' },
    { ...closed, PayloadCertificateUUID: 'c' },
    { ...closed, EAPClientConfiguration: { AcceptEAPTypes: [13] } },
    { ...closed, IsHotspot: true },
    { ...closed, CaptiveBypass: true },
  ]
  for (const one of open) assert.equal(wifi(one), 'trust', JSON.stringify(one))
  assert.equal(wifi({ ...closed, Future: 1 }), 'destroy')
})

test('a bookmark that hides where it leads is trust', () => {
  const clip = (rest: PlistDict) =>
    classOfPayload('com.apple.webClip.managed', { Label: 'Intranet', URL: 'https://x.example', ...rest })
  assert.equal(clip({}), 'change')
  for (const one of [
    { URL: 'http://x' },
    { URL: 'javascript:x' },
    { FullScreen: true },
    { TargetApplicationBundleIdentifier: 'a' },
  ] as PlistDict[])
    assert.equal(clip(one), 'trust', JSON.stringify(one))
})

test('what routes traffic, adds trust, runs code or takes a password is trust', () => {
  const types = [
    'com.apple.security.pkcs12',
    'com.apple.security.scep',
    'com.apple.proxy.http.global',
    'com.apple.vpn.managed',
  ]
  types.push(
    'com.apple.dnsSettings.managed',
    'com.apple.relay.managed',
    'com.apple.webcontent-filter',
    'com.apple.mdm',
    'com.apple.sso',
  )
  types.push(
    'com.apple.TCC.configuration-profile-policy',
    'com.apple.system-extension-policy',
    'com.apple.extensiblesso',
  )
  types.push(
    'com.apple.apn.managed',
    'com.apple.cellular',
    'com.apple.mail.managed',
    'com.apple.caldav.account',
    'com.apple.font',
  )
  for (const type of types) assert.equal(classOfPayload(type), 'trust', type)
  assert.equal(classOfPayload('com.apple.SoftwareUpdate', { CatalogURL: 'http://x' }), 'trust')
  assert.equal(classOfPayload('com.apple.screensaver.user', { modulePath: '/x' }), 'trust')
  assert.equal(classOfPayload('com.apple.app.lock'), 'destroy')
})

test('signed, encrypted, broken and oddly wrapped profiles are destroy', () => {
  const data = (Payload: PlistValue) => classOf({ RequestType: 'InstallProfile', Payload })
  assert.equal(data(Uint8Array.of(0x30, 0x82, 1, 0)), 'destroy')
  assert.equal(data(new Uint8Array()), 'destroy')
  assert.equal(data('text'), 'destroy')
  assert.equal(data(encodeXmlPlist(['x'])), 'destroy')
  const rests: PlistDict[] = [
    { IsEncrypted: true },
    { IsEncrypted: 1 },
    { EncryptedPayloadContent: Uint8Array.of(1) },
    { PayloadType: 'Profile Service' },
    { PayloadContent: { URL: 'https://x' } },
    { FutureKey: 1 },
  ]
  for (const rest of rests) assert.equal(classOf(install([], rest)), 'destroy', JSON.stringify(rest))
  assert.equal(classOf(install([], { HasRemovalPasscode: true })), 'trust')
})

test('a profile whose keys stand twice, so that two readers could differ, is destroy', () => {
  const xml = new TextDecoder().decode(encodeXmlPlist(profile([payload('com.apple.dock')])))
  assert.equal(classOfProfile(new TextEncoder().encode(xml)), 'change')
  const twice = xml.replace(
    '<string>com.apple.dock</string>',
    '<string>com.apple.dock</string><key>PayloadType</key><string>com.apple.mdm</string>',
  )
  assert.notEqual(twice, xml)
  assert.equal(classOfProfile(new TextEncoder().encode(twice)), 'destroy')
})

test('our own enrolment profile is trust, and one under its name without management is destroy', () => {
  const ours = enrolmentProfile({
    organisation: 'Town',
    displayName: 'Management',
    profileIdentifier: OURS,
    profileUuid: uuidFrom('1'),
    scepPayloadUuid: uuidFrom('2'),
    mdmPayloadUuid: uuidFrom('3'),
    serverUrl: 'https://x',
    checkInUrl: 'https://x',
    scepUrl: 'https://x',
    challenge: 'c',
    topic: 't',
    accessRights: 8151,
  })
  assert.equal(classOfProfile(encodeXmlPlist(ours), { mdmProfile: OURS }), 'trust')
  assert.equal(classOf(install([], { PayloadIdentifier: OURS.toUpperCase() }), { mdmProfile: OURS }), 'destroy')
  assert.equal(classOf(install([]), { mdmProfile: OURS }), 'change')
})

test('a synchronisation may carry the two tokens and nothing else', () => {
  const sync = (Data: PlistValue) => classOf({ RequestType: 'DeclarativeManagement', Data })
  assert.equal(sync(json({ SyncTokens: { Timestamp: '2026-01-30T00:00:00Z', DeclarationsToken: 'a' } })), 'change')
  for (const odd of [
    {},
    { SyncTokens: { Timestamp: 1 } },
    { SyncTokens: {}, More: 1 },
    { SyncTokens: { Other: 'x' } },
    [],
    null,
  ])
    assert.equal(sync(json(odd)), 'destroy', JSON.stringify(odd))
  assert.equal(sync(new Uint8Array(5000)), 'destroy')
  assert.equal(sync(new TextEncoder().encode('['.repeat(4000))), 'destroy')
})

test('a declaration has the class of its type, a legacy one that of the profile it links to', () => {
  assert.equal(classOfDeclaration('com.apple.configuration.management.status-subscriptions'), 'read')
  assert.equal(classOfDeclaration('com.apple.activation.simple'), 'change')
  assert.equal(classOfDeclaration('com.apple.configuration.services.background-tasks'), 'trust')
  assert.equal(classOfDeclaration('com.apple.configuration.future'), 'destroy')
  assert.equal(classOfDeclaration('toString'), 'destroy')
  const legacy = 'com.apple.configuration.legacy'
  assert.equal(classOfDeclaration(legacy, { ProfileURL: 'https://x' }), 'destroy')
  assert.equal(classOfDeclaration(legacy, {}, encodeXmlPlist(profile([payload('com.apple.dock')]))), 'change')
  assert.equal(classOfDeclaration(legacy, {}, encodeXmlPlist(profile([payload('com.apple.mdm')]))), 'trust')
})

test('declarations in a profile are trust at least, and destroy when one of them is', () => {
  const carry = (...declarations: unknown[]) =>
    classOfPayload('com.apple.declarations', { Declarations: declarations.map(json) })
  assert.equal(carry({ Type: 'com.apple.activation.simple' }), 'trust')
  assert.equal(carry({ Type: 'com.apple.activation.simple' }, { Type: legacyType }), 'destroy')
  assert.equal(carry({}), 'destroy')
  assert.equal(classOfPayload('com.apple.declarations', { Declarations: ['text'] }), 'destroy')
})
const legacyType = 'com.apple.configuration.legacy'

test('JSON that names a member twice is destroy: nobody knows which of the two a device takes', () => {
  const carried = (text: string) =>
    classOfPayload('com.apple.declarations', { Declarations: [new TextEncoder().encode(text)] })
  const [simple, legacy] = ['"com.apple.activation.simple"', `"${legacyType}"`]
  assert.equal(carried(`{"Type":${simple},"Payload":{"Type":"\\"Type\\":"},"Other":[{"a":1},{"a":"{"}]}`), 'trust')
  for (const twice of [
    `{"Type":${legacy},"Type":${simple}}`,
    `{"Type":${legacy},"\\u0054ype"${' '.repeat(5000)}:${simple}}`,
    `{"Type":${simple},"Payload":[{"a":{"b":1,"c":[],"b":2}}]}`,
  ])
    assert.equal(carried(twice), 'destroy', twice.slice(0, 100))
})

test('the highest class wins', () => {
  assert.equal(highest([]), 'read')
  assert.equal(highest(['change', 'destroy', 'trust']), 'destroy')
})
