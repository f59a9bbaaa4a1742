/**
 * What a device judges by itself: AccessRights, supervision, and whether its platform knows the command. The rights stand
 * here a second time, apart from the server's generated table, so that a mistake over there is refused by somebody.
 */
import { COMMANDS } from '../src/wire/apple/facts.generated.ts'

const commands: Record<string, number> = {
  ProfileList: 1,
  CertificateList: 1,
  InstallProfile: 3,
  RemoveProfile: 3,
  ClearPasscode: 4,
  DeviceLock: 4,
  RestartDevice: 4,
  ShutDownDevice: 4,
  EraseDevice: 8,
  DeviceInformation: 16,
  ProvisioningProfileList: 64,
  InstalledApplicationList: 256,
  Restrictions: 512,
  SecurityInfo: 1024,
  Settings: 2048,
  InstallApplication: 4096,
}

const networkQueries = new Set(
  `BluetoothMAC CarrierSettingsVersion CurrentCarrierNetwork CurrentMCC CurrentMNC DataRoamingEnabled EthernetMAC ICCID
  IsNetworkTethered IsRoaming PersonalHotspotEnabled PhoneNumber SIMCarrierNetwork ServiceSubscriptions
  SubscriberCarrierNetwork SubscriberMCC SubscriberMNC VoiceRoamingEnabled WiFiMAC`.split(/\s+/),
)
const networkSettings = new Set(['Bluetooth', 'DataRoaming', 'PersonalHotspot', 'VoiceRoaming'])
const needsPartner = 2
const inspection = 1

/** Numbers of MCMDMErrorDomain. */
export const FAULT = {
  multipleServers: 12001,
  notAuthorised: 12007,
  malformedRequest: 12008,
  invalidReplacement: 12009,
  mismatch: 12012,
  notManaged: 12013,
  unknownRequest: 12021,
  unsupervised: 12052,
} as const
export type Fault = { code: number; text: string; domain?: string }

export type Judge = { platform: 'iOS' | 'macOS'; supervised: boolean; rights: number }

/** Why the device refuses a command of this type, or undefined when it may be tried. */
export function refusal(requestType: string, judge: Judge): Fault | undefined {
  const support = COMMANDS.find(fact => fact.requestType === requestType)?.platforms[judge.platform]
  if (!support) return { code: FAULT.unknownRequest, text: `“${requestType}” is not a valid request type.` }
  if (!allows(judge.rights, commands[requestType] ?? 0))
    return { code: FAULT.notAuthorised, text: 'The server lacks the access right.' }
  if (support.supervised && !judge.supervised)
    return { code: FAULT.unsupervised, text: 'Only a supervised device does this.' }
  return undefined
}

export function allowsQuery(query: string, rights: number): boolean {
  return allows(rights, networkQueries.has(query) ? 32 : 16)
}

export function allowsSetting(item: string, rights: number): boolean {
  return allows(rights, networkSettings.has(item) ? 32 : 2048)
}

/** Right 2 means nothing without right 1. */
export function allows(rights: number, needed: number): boolean {
  const real = (rights & inspection) === 0 ? rights & ~needsPartner : rights
  return (real & needed) === needed
}
