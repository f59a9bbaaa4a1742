/** What a device does when it is told to: one entry a RequestType. Whether it may was judged before (rights.ts). */
import { randomUUID, X509Certificate } from 'node:crypto'
import { dataAt, isDict, own, stringAt } from '../src/wire/apple/dict.ts'
import type { PlistDict, PlistInput } from '../src/wire/plist/plist.ts'
import { queryResponses } from './person.ts'
import { isEnrolment, openProfile, type Profile, payloadBytes } from './profile.ts'
import { allowsQuery, allowsSetting, FAULT, type Fault } from './rights.ts'
import type { DeviceState } from './state.ts'

/** `after` happens once the server has read the answer: an erased device cannot answer. */
export type Outcome = {
  values?: Record<string, PlistInput>
  fault?: Fault
  after?: 'renew' | 'erase' | 'leave' | 'synchronise'
}
type Execute = (state: DeviceState, command: PlistDict) => Outcome

const fault = (code: number, text: string, domain?: string): Outcome => ({
  fault: { code, text, ...(domain ? { domain } : {}) },
})
const malformed = (text: string) => fault(FAULT.malformedRequest, text)

export const executors: ReadonlyMap<string, Execute> = new Map<string, Execute>([
  ['DeviceInformation', deviceInformation],
  ['SecurityInfo', state => ({ values: { SecurityInfo: securityInfo(state) } })],
  ['ProfileList', state => ({ values: { ProfileList: state.profiles.map(listedProfile) } })],
  ['InstalledApplicationList', state => ({ values: { InstalledApplicationList: applications(state) } })],
  ['CertificateList', state => ({ values: { CertificateList: certificates(state) } })],
  ['Restrictions', () => ({ values: { GlobalRestrictions: {} } })],
  ['InstallProfile', installProfile],
  ['RemoveProfile', removeProfile],
  ['DeviceLock', deviceLock],
  ['ClearPasscode', clearPasscode],
  ['EraseDevice', () => ({ after: 'erase' })],
  ['RestartDevice', restart],
  ['EnableLostMode', enableLostMode],
  ['DisableLostMode', disableLostMode],
  ['DeviceLocation', deviceLocation],
  ['Settings', settings],
  ['DeclarativeManagement', () => ({ after: 'synchronise' })],
])

function deviceInformation(state: DeviceState, command: PlistDict): Outcome {
  const asked = own(command, 'Queries')
  if (!Array.isArray(asked)) return malformed('Queries is missing.')
  const rights = state.enrolment?.rights ?? 0
  const all = queryResponses(state.self, state.model, {
    supervised: state.supervised,
    lost: state.lostMode !== undefined,
    name: state.name,
  })
  const answered = asked
    .map(String)
    .filter(query => Object.hasOwn(all, query) && (query === 'UDID' || allowsQuery(query, rights)))
  return { values: { QueryResponses: Object.fromEntries(answered.map(query => [query, all[query]!])) } }
}

function securityInfo(state: DeviceState): Record<string, PlistInput> {
  const management = {
    EnrolledViaDEP: false,
    UserApprovedEnrollment: true,
    IsUserEnrollment: false,
    IsActivationLockManageable: false,
  }
  if (state.model === 'mac')
    return {
      FDE_Enabled: true,
      FDE_HasPersonalRecoveryKey: true,
      FDE_HasInstitutionalRecoveryKey: false,
      SystemIntegrityProtectionEnabled: true,
      FirewallSettings: { FirewallEnabled: true, BlockAllIncoming: false, StealthMode: false, Applications: [] },
      ManagementStatus: management,
      SecureBoot: { SecureBootLevel: 'full', ExternalBootLevel: 'disallowed' },
      IsRecoveryLockEnabled: false,
      BootstrapTokenAllowedForAuthentication: 'allowed',
      BootstrapTokenRequiredForSoftwareUpdate: true,
      BootstrapTokenRequiredForKernelExtensionApproval: true,
    }
  return {
    HardwareEncryptionCaps: 3,
    PasscodePresent: state.passcode,
    PasscodeCompliant: state.passcode,
    PasscodeCompliantWithProfiles: state.passcode,
    PasscodeLockGracePeriod: 0,
    PasscodeLockGracePeriodEnforced: 0,
    AutoLockTime: 120,
    ManagementStatus: management,
  }
}

const listedProfile = (profile: Profile): PlistInput => ({
  PayloadIdentifier: profile.identifier,
  PayloadUUID: profile.uuid,
  PayloadDisplayName: profile.name,
  PayloadVersion: 1,
  IsEncrypted: false,
  IsManaged: true,
  PayloadContent: profile.payloads.map(payload => ({
    PayloadType: stringAt(payload, 'PayloadType') ?? '',
    PayloadIdentifier: stringAt(payload, 'PayloadIdentifier') ?? '',
    PayloadVersion: 1,
  })),
})

function applications({ model, self }: DeviceState): PlistInput[] {
  const names = model === 'mac' ? ['LibreOffice', 'Firefox'] : ['Signal', 'Timetable']
  return names.map((name, at) => ({
    Identifier: `example.${name.toLowerCase()}`,
    Name: name,
    Version: `${at + 2}.${self.battery > 0.5 ? 4 : 3}`,
    ShortVersion: `${at + 2}.0`,
    BundleSize: 40_000_000 + at,
  }))
}

function certificates({ identity }: DeviceState): PlistInput[] {
  if (!identity) return []
  const name = new X509Certificate(identity.certificate).subject
  return [{ CommonName: name.replace(/^CN=/, ''), Data: identity.certificate, IsIdentity: true }]
}

function installProfile(state: DeviceState, command: PlistDict): Outcome {
  try {
    const profile = openProfile(payloadBytes(command))
    if (isEnrolment(profile)) return { after: 'renew' }
    state.profiles = [...state.profiles.filter(one => one.identifier !== profile.identifier), profile]
    return {}
  } catch (error) {
    return fault(1000, error instanceof Error ? error.message : 'The profile is malformed.', 'MCProfileErrorDomain')
  }
}

function removeProfile(state: DeviceState, command: PlistDict): Outcome {
  const identifier = stringAt(command, 'Identifier')
  if (!identifier) return malformed('Identifier is missing.')
  if (identifier === state.enrolment?.identifier) return { after: 'leave' }
  if (!state.profiles.some(one => one.identifier === identifier))
    return fault(FAULT.notManaged, `“${identifier}” is not installed.`)
  state.profiles = state.profiles.filter(one => one.identifier !== identifier)
  return {}
}

function deviceLock(state: DeviceState, command: PlistDict): Outcome {
  const pin = stringAt(command, 'PIN')
  if (state.model === 'mac' && !/^\d{6}$/.test(pin ?? '')) return malformed('A Mac wants a PIN of six digits.')
  state.locked = { pin, message: stringAt(command, 'Message') }
  return state.model === 'mac' ? {} : { values: { MessageResult: 'Success' } }
}

function clearPasscode(state: DeviceState, command: PlistDict): Outcome {
  const token = dataAt(command, 'UnlockToken')
  if (!token) return malformed('UnlockToken is missing.')
  if (!state.unlockToken.equals(token))
    return fault(5013, 'The unlock token is not this device’s.', 'MCPasscodeErrorDomain')
  state.passcode = false
  state.locked = undefined
  return {}
}

function restart(state: DeviceState): Outcome {
  state.restarts++
  return {}
}

function enableLostMode(state: DeviceState, command: PlistDict): Outcome {
  const [message, phone, footnote] = ['Message', 'PhoneNumber', 'Footnote'].map(key => stringAt(command, key))
  if (!message && !phone) return malformed('Message or PhoneNumber is needed.')
  state.lostMode = { message, phone, footnote }
  return {}
}

function disableLostMode(state: DeviceState): Outcome {
  if (!state.lostMode) return fault(12069, 'The device is not in Lost Mode.')
  state.lostMode = undefined
  return {}
}

function deviceLocation(state: DeviceState): Outcome {
  if (!state.lostMode) return fault(12067, 'Only a device in Lost Mode tells where it is.')
  const { latitude: Latitude, longitude: Longitude } = state.self
  return { values: { Latitude, Longitude, HorizontalAccuracy: 14.5, Timestamp: new Date().toISOString() } }
}

function settings(state: DeviceState, command: PlistDict): Outcome {
  const items = own(command, 'Settings')
  if (!Array.isArray(items)) return malformed('Settings is missing.')
  return { values: { Settings: items.map(item => applySetting(state, isDict(item) ? item : {})) } }
}

function applySetting(state: DeviceState, item: PlistDict): PlistInput {
  const name = stringAt(item, 'Item') ?? ''
  if (!allowsSetting(name, state.enrolment?.rights ?? 0))
    return {
      Item: name,
      Status: 'Error',
      ErrorChain: errorChain({ code: FAULT.notAuthorised, text: 'The server lacks the access right.' }),
    }
  const wanted = stringAt(item, 'DeviceName')
  if (name === 'DeviceName' && wanted) state.name = wanted
  return { Item: name, Identifier: randomUUID(), Status: 'Acknowledged' }
}

export function errorChain({ code, text, domain = 'MCMDMErrorDomain' }: Fault): PlistInput[] {
  return [{ ErrorCode: code, ErrorDomain: domain, LocalizedDescription: text, USEnglishDescription: text }]
}
