import type { OrderClass } from './api.ts'

/** One thing to fill in for a command. `key` is the protocol's own name. */
export type Field = {
  key: string
  label: string
  help?: string
  kind: 'text' | 'lines' | 'flag' | 'pin' | 'secret'
  required?: boolean
}

/** A command in plain words. `least` is the class it has at least: a server that calls it less is not believed. */
export type Action = {
  type: string
  title: string
  about: string
  least: OrderClass
  /** What nobody can take back. */
  undo?: string
  fields: Field[]
  file?: string
}

const MESSAGE: Field = { key: 'Message', label: 'Message on the screen', kind: 'lines' }
const PHONE: Field = { key: 'PhoneNumber', label: 'Phone number to call', kind: 'text' }

export const ACTIONS: Action[] = [
  {
    type: 'DeviceInformation',
    title: 'Ask for device facts',
    about: 'Model, system version, storage and everything else that the enrolment allows.',
    least: 'read',
    fields: [],
  },
  {
    type: 'SecurityInfo',
    title: 'Ask for security state',
    about: 'Passcode, encryption, firewall and how the device is managed.',
    least: 'read',
    fields: [],
  },
  {
    type: 'ProfileList',
    title: 'List profiles',
    about: 'The configuration profiles on the device.',
    least: 'read',
    fields: [],
  },
  {
    type: 'InstalledApplicationList',
    title: 'List apps',
    about: 'The apps on the device and their versions.',
    least: 'read',
    fields: [
      {
        key: 'ManagedAppsOnly',
        label: 'Only apps that we manage',
        help: 'Leaves people’s own apps unread.',
        kind: 'flag',
      },
    ],
  },
  {
    type: 'CertificateList',
    title: 'List certificates',
    about: 'The certificates on the device.',
    least: 'read',
    fields: [],
  },
  {
    type: 'InstallProfile',
    title: 'Install a profile',
    about: 'Puts a configuration profile on the device. Its class follows from what is in it.',
    least: 'change',
    fields: [],
    file: 'Profile (.mobileconfig)',
  },
  {
    type: 'RestartDevice',
    title: 'Restart',
    about: 'Restarts the device. A locked device waits for its passcode.',
    least: 'change',
    undo: 'Unsaved work may be lost.',
    fields: [],
  },
  {
    type: 'DeviceLocation',
    title: 'Ask where it is',
    about: 'The place of a device that is in Lost Mode. It shows that it was asked.',
    least: 'change',
    fields: [],
  },
  {
    type: 'RemoveProfile',
    title: 'Remove a profile',
    about: 'Takes a profile off, and with it what it protected.',
    least: 'trust',
    undo: 'Accounts and data that came with the profile go with it.',
    fields: [{ key: 'Identifier', label: 'Identifier of the profile', kind: 'text', required: true }],
  },
  {
    type: 'DeviceLock',
    title: 'Lock',
    about: 'Locks the device at once. On a Mac it restarts and asks for a PIN that you choose.',
    least: 'destroy',
    undo: 'A Mac cannot be used until somebody types this PIN: keep it.',
    fields: [MESSAGE, PHONE, { key: 'PIN', label: 'PIN, for a Mac', help: 'Six digits.', kind: 'pin' }],
  },
  {
    type: 'EnableLostMode',
    title: 'Turn Lost Mode on',
    about: 'Locks a supervised phone or tablet with a message, and lets you ask where it is.',
    least: 'destroy',
    undo: 'Nobody can use the device until Lost Mode is turned off.',
    fields: [
      { ...MESSAGE, help: 'A message or a phone number is needed.' },
      PHONE,
      { key: 'Footnote', label: 'Footnote', kind: 'text' },
    ],
  },
  {
    type: 'DisableLostMode',
    title: 'Turn Lost Mode off',
    about: 'Gives the device back to whoever holds it.',
    least: 'destroy',
    undo: 'Whoever holds the device can use it again.',
    fields: [],
  },
  {
    type: 'ClearPasscode',
    title: 'Clear the passcode',
    about: 'Takes the passcode off, so that somebody who forgot it can get in.',
    least: 'destroy',
    undo: 'Whoever holds the device can open it and read what is on it.',
    fields: [],
  },
  {
    type: 'EraseDevice',
    title: 'Erase',
    about: 'Deletes everything on the device and sets it back to new.',
    least: 'destroy',
    undo: 'Everything on the device is lost, and its enrolment with it. Nothing brings it back.',
    fields: [
      { key: 'PIN', label: 'PIN, for an older Mac', help: 'Six digits.', kind: 'pin' },
      { key: 'PreserveDataPlan', label: 'Keep the mobile data plan', kind: 'flag' },
    ],
  },
]

export const actionOf = (type: string): Action | undefined => ACTIONS.find(action => action.type === type)

/** The words for a command, or its protocol name where we have none. */
export const titleOf = (type: string): string => actionOf(type)?.title ?? type

export const CLASSES: OrderClass[] = ['read', 'change', 'trust', 'destroy']
export const CLASS_WORDS: Record<OrderClass, string> = {
  read: 'Asks the device something and changes nothing.',
  change: 'Changes a setting that can be changed back.',
  trust: 'Changes whom or what the device trusts: certificates, networks, apps.',
  destroy: 'Can lock people out or destroy data.',
}

/** Of a command that this page could not see. */
export const UNKNOWN_CLASS = 'Unknown, since not all of it could be seen here: treat it as the gravest.'

/** What a command cannot take back: our words, or those of its class. */
export function undoOf(type: string, orderClass: OrderClass | 'unknown'): string {
  const known = actionOf(type)?.undo
  if (known !== undefined) return known
  if (orderClass === 'unknown') return 'Treat it as final: this page could not see what it does.'
  if (orderClass === 'read') return 'Nothing: the device is not changed.'
  if (orderClass === 'change') return 'Nothing: it can be changed back with another order.'
  if (orderClass === 'trust') return 'What the device trusts meanwhile, it may have used: data that left it stays gone.'
  return 'Treat it as final: it may lock people out or destroy data.'
}
