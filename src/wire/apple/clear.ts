/**
 * What a device reports that may be stored in clear: enumerations, versions, numbers and booleans of an allow-list, each
 * with the exact form it must have. Everything else is personal and sealed, and so is a listed key whose value has
 * another form: nobody's name fits a version.
 */
import type { PlistDict, PlistValue } from '../plist/plist.ts'
import { dictOf, isDict } from './dict.ts'

export type ClearFacts = { [key: string]: string | number | boolean }
type Check = (value: PlistValue) => boolean

const form =
  (pattern: RegExp): Check =>
  value =>
    typeof value === 'string' && pattern.test(value)
const oneOf =
  (...words: string[]): Check =>
  value =>
    typeof value === 'string' && words.includes(value)
const flag: Check = value => typeof value === 'boolean'
const within =
  (low: number, high: number): Check =>
  value =>
    typeof value === 'number' && Number.isFinite(value) && value >= low && value <= high

const version = form(/^\d{1,3}(\.\d{1,4}){0,3}( ?\([a-z]\))?$/)
const build = form(/^\d{1,3}[A-Z]\d{1,5}[a-z]?$/)
const minutes = within(0, 1_000_000)

const CLEAR = new Map<string, Check>([
  ['OSVersion', version],
  ['SupplementalOSVersionExtra', form(/^\([a-z]\)$/)],
  ['BuildVersion', build],
  ['SupplementalBuildVersion', build],
  [
    'ProductName',
    form(
      /^(AppleTV|iMac|iMacPro|iPad|iPhone|iPod|Mac|MacBook|MacBookAir|MacBookPro|Macmini|MacPro|RealityDevice|VirtualMac|Watch)\d{1,3},\d{1,3}$/,
    ),
  ],
  [
    'Model',
    form(
      /^((?=[A-Z0-9]*\d)(?=\d*[A-Z])[A-Z0-9]{4,6}([A-Z]{1,2}\/A)?|(i?Mac[A-Za-z]{0,10}|iPhone|iPad|iPod|AppleTV|Watch|VirtualMac)\d{1,3},\d{1,3})$/,
    ),
  ],
  ['ModelNumber', form(/^(?=[A-Z0-9]*\d)(?=\d*[A-Z])[A-Z0-9]{4,6}([A-Z]{1,2}\/A)?$/)],
  [
    'ModelName',
    oneOf(
      'iPhone',
      'iPad',
      'iPod',
      'iPod touch',
      'Apple TV',
      'Apple Watch',
      'Apple Vision Pro',
      'Mac',
      'Mac mini',
      'Mac Pro',
      'Mac Studio',
      'MacBook',
      'MacBook Air',
      'MacBook Pro',
      'iMac',
      'iMac Pro',
    ),
  ],
  ['AwaitingConfiguration', flag],
  ['BatteryLevel', within(-1, 1)],
  ['HasBattery', flag],
  ['DeviceCapacity', within(0, 1_000_000)],
  ['AvailableDeviceCapacity', within(0, 1_000_000)],
  ['CellularTechnology', within(0, 16)],
  ['IsAppleSilicon', flag],
  ['IsSupervised', flag],
  ['IsMultiUser', flag],
  ['IsDeviceLocatorServiceEnabled', flag],
  ['IsActivationLockEnabled', flag],
  ['IsActivationLockSupported', flag],
  ['IsCloudBackupEnabled', flag],
  ['IsMDMLostModeEnabled', flag],
  ['SystemIntegrityProtectionEnabled', flag],
  ['SupportsLOMDevice', flag],
  ['SupportsiOSAppInstalls', flag],
  ['PINRequiredForEraseDevice', flag],
  ['PINRequiredForDeviceLock', flag],
  ['DiagnosticSubmissionEnabled', flag],
  ['AppAnalyticsEnabled', flag],
  ['MaximumResidentUsers', within(0, 10_000)],
  ['EstimatedResidentUsers', within(0, 10_000)],
  ['ResidentUsers', within(0, 10_000)],
  ['QuotaSize', within(0, 1e15)],
  ['EACSPreflight', oneOf('success', 'Success')],
  ['HardwareEncryptionCaps', within(0, 255)],
  ['PasscodePresent', flag],
  ['PasscodeCompliant', flag],
  ['PasscodeCompliantWithProfiles', flag],
  ['PasscodeLockGracePeriod', minutes],
  ['PasscodeLockGracePeriodEnforced', minutes],
  ['AutoLockTime', minutes],
  ['FDE_Enabled', flag],
  ['FDE_HasPersonalRecoveryKey', flag],
  ['FDE_HasInstitutionalRecoveryKey', flag],
  ['FirewallEnabled', flag],
  ['BlockAllIncoming', flag],
  ['StealthMode', flag],
  ['PasswordExists', flag],
  ['ChangePending', flag],
  ['AllowOroms', flag],
  ['EnrolledViaDEP', flag],
  ['UserApprovedEnrollment', flag],
  ['IsUserEnrollment', flag],
  ['IsActivationLockManageable', flag],
  ['SecureBootLevel', oneOf('off', 'medium', 'full', 'not supported')],
  ['ExternalBootLevel', oneOf('allowed', 'disallowed', 'not supported')],
  ['RemoteDesktopEnabled', flag],
  ['AuthenticatedRootVolumeEnabled', flag],
  ['BootstrapTokenAllowedForAuthentication', oneOf('allowed', 'disallowed', 'not supported')],
  ['BootstrapTokenRequiredForSoftwareUpdate', flag],
  ['BootstrapTokenRequiredForKernelExtensionApproval', flag],
  ['IsRecoveryLockEnabled', flag],
])

/** The dictionaries of an answer that are looked into. Lists are not: what is in them is personal as a whole. */
const OPENED = new Set([
  'QueryResponses',
  'SecurityInfo',
  'FirewallSettings',
  'FirmwarePasswordStatus',
  'ManagementStatus',
  'SecureBoot',
])

/**
 * Splits a message into facts for storage in clear and the rest, to be sealed. Keys in `leaveOut` are in neither.
 * `personal` is undefined when nothing is left.
 */
export function splitClear(
  dict: PlistDict,
  leaveOut: ReadonlySet<string>,
): { clear: ClearFacts; personal: PlistDict | undefined } {
  const clear: ClearFacts = Object.create(null)
  return { clear, personal: takeClear(dict, leaveOut, clear) }
}

const NOTHING: ReadonlySet<string> = new Set()

function takeClear(dict: PlistDict, leaveOut: ReadonlySet<string>, clear: ClearFacts): PlistDict | undefined {
  const rest = dictOf()
  for (const [key, value] of Object.entries(dict)) {
    if (leaveOut.has(key)) continue
    if (CLEAR.get(key)?.(value) === true) clear[key] = value as string | number | boolean
    else if (OPENED.has(key) && isDict(value)) {
      const inner = takeClear(value, NOTHING, clear)
      if (inner !== undefined) rest[key] = inner
    } else rest[key] = value
  }
  return Object.keys(rest).length === 0 ? undefined : rest
}
