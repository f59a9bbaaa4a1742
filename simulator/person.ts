import { createHash } from 'node:crypto'
import type { PlistInput } from '../src/wire/plist/plist.ts'

export type Model = 'iphone' | 'ipad' | 'mac'

const first =
  'Ada Bram Chiara Dries Elif Fatou Gert Hanna Ines Joris Kaja Liam Mina Noor Otto Pia Quinten Rosa Sven Tess Ugo Vera Wim Xenia Yusuf Zoë'.split(
    ' ',
  )
const last =
  'Aerts Baert Claes De Smet Engels Fontaine Goossens Hermans Ivanova Jacobs Kowalska Lambert Maes Nowak Olsen Peeters'.split(
    / (?=[A-Z])/,
  )
const rooms = ['Reception', 'Archive', 'Workshop', 'Library', 'Council room', 'Front desk']

const models = {
  iphone: { product: 'iPhone15,4', model: 'MTP13', name: 'iPhone', os: '18.1', build: '22B83' },
  ipad: { product: 'iPad14,8', model: 'MUWC3', name: 'iPad', os: '18.1', build: '22B83' },
  mac: { product: 'Mac15,12', model: 'MRXN3', name: 'MacBook Air', os: '15.1', build: '24B83' },
} as const

/** Everything a device is born with, made up from its seed: the same seed is the same device, and nobody real. */
export type Persona = ReturnType<typeof persona>

export function persona(seed: string | number, model: Model) {
  const bytes = createHash('sha512').update(`device ${seed} ${model}`).digest()
  const hex = bytes.toString('hex').toUpperCase()
  const pick = (list: readonly string[], at: number) => list[bytes.readUInt16BE(at) % list.length]!
  const digits = (at: number, count: number) =>
    BigInt(`0x${hex.slice(at, at + 24)}`)
      .toString()
      .slice(-count)
      .padStart(count, '0')
  const mac = (at: number) =>
    `02:${hex
      .slice(at, at + 10)
      .match(/../g)!
      .join(':')}`
  const owner = `${pick(first, 40)} ${pick(last, 42)}`
  const kind = models[model]
  return {
    ...kind,
    udid: model === 'mac' ? uuid(hex) : `00008${digits(0, 3)}-${hex.slice(8, 24)}`,
    serial: `B${hex.slice(20, 29)}`,
    imei: `35${digits(30, 13)}`,
    iccid: `8932${digits(34, 15)}`,
    phone: `+32 2 555 ${digits(50, 2)} ${digits(52, 2)}`,
    owner,
    shortName: owner.split(' ')[0]!.toLowerCase(),
    deviceName: model === 'ipad' ? `${kind.name} ${pick(rooms, 44)}` : `${kind.name} of ${owner.split(' ')[0]}`,
    wifi: mac(60),
    bluetooth: mac(70),
    ethernet: mac(80),
    latitude: 50.8 + bytes[50]! / 2550,
    longitude: 4.3 + bytes[51]! / 2550,
    battery: 0.2 + Math.round((bytes[52]! / 255) * 75) / 100,
  }
}

const uuid = (hex: string) =>
  `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`

/** What changes in a device's life, as far as a query can see it. */
export type Condition = { supervised: boolean; lost: boolean; name: string }

/** The answer to every DeviceInformation query that the model knows. */
export function queryResponses(self: Persona, model: Model, condition: Condition): Record<string, PlistInput> {
  const common = {
    UDID: self.udid,
    DeviceName: condition.name,
    OSVersion: self.os,
    BuildVersion: self.build,
    ModelName: self.name,
    Model: self.model,
    ModelNumber: `${self.model}ZD/A`,
    ProductName: self.product,
    SerialNumber: self.serial,
    DeviceCapacity: model === 'mac' ? 494.38 : 128,
    AvailableDeviceCapacity: 61.5,
    BatteryLevel: self.battery,
    IsSupervised: condition.supervised,
    IsActivationLockEnabled: false,
    WiFiMAC: self.wifi,
    BluetoothMAC: self.bluetooth,
    AwaitingConfiguration: false,
  }
  return { ...common, ...(model === 'mac' ? ofMac(self) : ofPhone(self, model, condition)) }
}

function ofMac(self: Persona): Record<string, PlistInput> {
  const host = self.deviceName.replaceAll(' ', '-')
  return {
    HostName: `${host}.local`,
    LocalHostName: host,
    EthernetMAC: self.ethernet,
    IsAppleSilicon: true,
    HasBattery: true,
    PINRequiredForDeviceLock: true,
    PINRequiredForEraseDevice: false,
    SystemIntegrityProtectionEnabled: true,
    SupportsiOSAppInstalls: true,
    IsActivationLockSupported: true,
    ActiveManagedUsers: [],
  }
}

function ofPhone(self: Persona, model: Model, { lost }: Condition): Record<string, PlistInput> {
  const settled = {
    TimeZone: 'Europe/Brussels',
    IsDeviceLocatorServiceEnabled: false,
    IsDoNotDisturbInEffect: false,
    IsCloudBackupEnabled: false,
    IsMDMLostModeEnabled: lost,
    IsMultiUser: false,
    DiagnosticSubmissionEnabled: false,
    AppAnalyticsEnabled: false,
  }
  if (model === 'ipad') return settled
  return {
    ...settled,
    IMEI: self.imei,
    ICCID: self.iccid,
    PhoneNumber: self.phone,
    ModemFirmwareVersion: '2.20.03',
    CellularTechnology: 3,
    CurrentCarrierNetwork: 'Proximus',
    SubscriberCarrierNetwork: 'Proximus',
    SIMCarrierNetwork: 'Proximus',
    CurrentMCC: '206',
    CurrentMNC: '01',
    SubscriberMCC: '206',
    SubscriberMNC: '01',
    IsRoaming: false,
    DataRoamingEnabled: false,
    VoiceRoamingEnabled: false,
    PersonalHotspotEnabled: false,
    IsNetworkTethered: false,
    ServiceSubscriptions: [
      {
        Slot: 'CTSubscriptionSlotOne',
        ICCID: self.iccid,
        IMEI: self.imei,
        PhoneNumber: self.phone,
        IsDataPreferred: true,
        IsVoicePreferred: true,
      },
    ],
  }
}
