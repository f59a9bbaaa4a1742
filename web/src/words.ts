import type { DeliveryState, DeviceState, Fact, OrderState, Tier } from './api.ts'

const relative = new Intl.RelativeTimeFormat('en-GB', { numeric: 'always' }) // "last month" could be yesterday
const STEPS: [Intl.RelativeTimeFormatUnit, number][] = [
  ['year', 31_536_000],
  ['month', 2_592_000],
  ['day', 86_400],
  ['hour', 3600],
  ['minute', 60],
]

/** "3 days ago", "in 2 months", "just now". */
export function when(date: string | Date, now = Date.now()): string {
  const seconds = Math.round((new Date(date).getTime() - now) / 1000)
  for (const [unit, size] of STEPS) if (Math.abs(seconds) >= size) return relative.format(wholes(seconds / size), unit)
  return seconds > 0 ? 'in a moment' : 'just now'
}

/** What has passed counts when it is whole; what is to come is rounded: a week that began a moment ago is still in 7 days. */
const wholes = (count: number) => (count < 0 ? Math.trunc(count) : Math.round(count))

const exact = new Intl.DateTimeFormat('en-GB', { dateStyle: 'long', timeStyle: 'short' })
export const at = (date: string | Date): string => exact.format(new Date(date))

const dayOnly = new Intl.DateTimeFormat('en-GB', { dateStyle: 'long' })
export const day = (date: string | Date): string => dayOnly.format(new Date(date))

export const devices = (count: number): string =>
  count === 1 ? '1 device' : `${count.toLocaleString('en-GB')} devices`

export const DEVICE_STATES: Record<DeviceState, { word: string; about: string }> = {
  enrolled: { word: 'Enrolled', about: 'It is managed and comes regularly.' },
  authenticating: { word: 'Enrolling', about: 'It has begun to enrol and has not finished.' },
  silent: { word: 'Silent', about: 'It has not come for 30 days.' },
  lost: { word: 'Lost Mode', about: 'It is locked with a message, and can be asked where it is.' },
  left: { word: 'Left', about: 'It is no longer managed.' },
}

export const DELIVERY_STATES: Record<DeliveryState, { word: string; about: string }> = {
  pending: { word: 'Waiting', about: 'The device has not come for it yet.' },
  sent: { word: 'Sent', about: 'The device has it and has not answered yet.' },
  acknowledged: { word: 'Done', about: 'The device said that it was done.' },
  error: { word: 'Refused', about: 'The device said that it could not.' },
  'not-now': {
    word: 'Not now',
    about: 'The device cannot at the moment, often because it is locked. It is asked again.',
  },
  expired: { word: 'Expired', about: 'Its time ended before the device answered.' },
  cancelled: { word: 'Cancelled', about: 'It was taken back before the device had it.' },
}

export const ORDER_STATES: Record<OrderState, { word: string; about: string }> = {
  draft: { word: 'Draft', about: 'It does nothing until it is approved.' },
  approved: { word: 'Under way', about: 'It is approved; not every device has answered yet.' },
  done: { word: 'Done', about: 'No device is left to answer.' },
  expired: { word: 'Expired', about: 'Its time has ended.' },
  cancelled: { word: 'Cancelled', about: 'It was taken back.' },
}

export const TIERS: Record<Tier, { word: string; about: string }> = {
  private: {
    word: 'Private',
    about: 'The device refuses the Erase command, and never tells its phone number, SIM, carrier or network addresses.',
  },
  'no-wipe': { word: 'No wipe', about: 'The device refuses the Erase command.' },
  full: {
    word: 'Full',
    about: 'Every command, Erase too. For devices that the organisation owns and may have to wipe.',
  },
}

/** Facts by subject, in the order in which they are shown. */
const SUBJECTS: Record<string, Record<string, string>> = {
  Device: {
    ModelName: 'Model',
    ProductName: 'Product',
    Model: 'Model code',
    ModelNumber: 'Model number',
    OSVersion: 'System version',
    SupplementalOSVersionExtra: 'Security response',
    BuildVersion: 'System build',
    SupplementalBuildVersion: 'Build with security response',
    IsAppleSilicon: 'Apple silicon',
    CellularTechnology: 'Mobile network',
    SupportsiOSAppInstalls: 'Can run iPhone apps',
  },
  'Storage and power': {
    DeviceCapacity: 'Storage',
    AvailableDeviceCapacity: 'Storage free',
    BatteryLevel: 'Battery',
    HasBattery: 'Has a battery',
  },
  Security: {
    PasscodePresent: 'Passcode set',
    PasswordExists: 'Firmware password set',
    PasscodeCompliant: 'Passcode meets all rules',
    PasscodeCompliantWithProfiles: 'Passcode meets our rules',
    PasscodeLockGracePeriod: 'Time before the passcode is asked',
    PasscodeLockGracePeriodEnforced: 'Time before the passcode is asked, as enforced',
    AutoLockTime: 'Locks itself after',
    HardwareEncryptionCaps: 'Hardware encryption',
    FDE_Enabled: 'FileVault on',
    FDE_HasPersonalRecoveryKey: 'FileVault has a personal recovery key',
    FDE_HasInstitutionalRecoveryKey: 'FileVault has an institutional recovery key',
    FirewallEnabled: 'Firewall on',
    BlockAllIncoming: 'Firewall blocks all incoming',
    StealthMode: 'Firewall hides the device',
    SystemIntegrityProtectionEnabled: 'System Integrity Protection on',
    SecureBootLevel: 'Secure boot',
    ExternalBootLevel: 'Start from other disks',
    AuthenticatedRootVolumeEnabled: 'System volume is sealed',
    IsRecoveryLockEnabled: 'Recovery lock on',
    RemoteDesktopEnabled: 'Remote Desktop on',
  },
  Management: {
    IsSupervised: 'Supervised',
    EnrolledViaDEP: 'Enrolled automatically',
    UserApprovedEnrollment: 'Enrolment approved by the user',
    IsUserEnrollment: 'User enrolment',
    AwaitingConfiguration: 'Still in Setup Assistant',
    IsMDMLostModeEnabled: 'Lost Mode on',
    IsDeviceLocatorServiceEnabled: 'Find My on',
    IsActivationLockEnabled: 'Activation Lock on',
    IsActivationLockSupported: 'Activation Lock supported',
    IsActivationLockManageable: 'Activation Lock can be managed',
    IsCloudBackupEnabled: 'iCloud Backup on',
    DiagnosticSubmissionEnabled: 'Sends diagnostics to Apple',
    AppAnalyticsEnabled: 'Sends app analytics',
    IsMultiUser: 'Shared by several people',
  },
}

const OTHER = 'Other'

/** Facts with humane names, by subject; a fact without a name of ours keeps its own, with spaces. */
export function readableFacts(
  facts: Record<string, Fact>,
): { subject: string; rows: { key: string; name: string; value: string }[] }[] {
  const named = new Map(Object.values(SUBJECTS).flatMap(names => Object.entries(names)))
  const row = (key: string) => ({ key, name: named.get(key) ?? spaced(key), value: shownValue(key, facts[key]!) })
  const known = Object.entries(SUBJECTS).map(([subject, names]) => ({
    subject,
    rows: Object.keys(names)
      .filter(key => Object.hasOwn(facts, key))
      .map(row),
  }))
  const others = Object.keys(facts)
    .filter(key => !named.has(key))
    .sort()
  return [...known, { subject: OTHER, rows: others.map(row) }].filter(({ rows }) => rows.length > 0)
}

/** "IsSupervised" as "Is supervised". */
export function spaced(key: string): string {
  const words = key
    .replace(/_/g, ' ')
    .replace(/([a-z\d])([A-Z])/g, '$1 $2')
    .replace(/([A-Z]+)([A-Z][a-z])/g, '$1 $2')
  return words
    .split(' ')
    .map((word, place) => (place === 0 || /^[A-Z\d]+s?$/.test(word) ? word : word.toLowerCase()))
    .join(' ')
}

const gigabytes = (value: Fact) => `${Number(value).toLocaleString('en-GB', { maximumFractionDigits: 1 })} GB`
const secondsOf = (value: Fact) =>
  Number(value) === 0 ? 'At once' : `${Number(value).toLocaleString('en-GB')} seconds`
const VALUES: Record<string, (value: Fact) => string> = {
  BatteryLevel: value => (Number(value) < 0 ? 'Not known' : `${Math.round(Number(value) * 100)} %`),
  DeviceCapacity: gigabytes,
  AvailableDeviceCapacity: gigabytes,
  PasscodeLockGracePeriod: secondsOf,
  PasscodeLockGracePeriodEnforced: secondsOf,
  CellularTechnology: value => ['None', 'GSM', 'CDMA', 'GSM and CDMA'][Number(value)] ?? String(value),
  HardwareEncryptionCaps: value => ['None', 'Blocks', 'Files', 'Blocks and files'][Number(value)] ?? String(value),
}

function shownValue(key: string, value: Fact): string {
  if (typeof value === 'boolean') return value ? 'Yes' : 'No'
  return VALUES[key]?.(value) ?? (typeof value === 'number' ? value.toLocaleString('en-GB') : value)
}
