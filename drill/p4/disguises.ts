import { encodeXmlPlist, type PlistInput } from '../../src/wire/plist/plist.ts'

// Orders that change whom a device trusts, or destroy, and look like something that one member may approve.

const plist = (value: PlistInput) => Buffer.from(encodeXmlPlist(value))
const payload = (PayloadType: string, more: Record<string, PlistInput> = {}) => ({
  PayloadType,
  PayloadVersion: 1,
  PayloadIdentifier: `example.${PayloadType}`,
  PayloadUUID: '6F0E7E0C-8C0A-4A5B-9A44-0E5E6D6B7A10',
  ...more,
})
const clip = payload('com.apple.webClip.managed', { URL: 'https://example.test', Label: 'Canteen' })
const root = payload('com.apple.security.root', { PayloadContent: Buffer.from('a certificate') })
const profile = (content: PlistInput[], more: Record<string, PlistInput> = {}) => ({
  action: 'InstallProfile',
  body: plist(payload('Configuration', { PayloadDisplayName: 'Canteen', PayloadContent: content, ...more })).toString(
    'base64',
  ),
})
const command = (action: string, keys: Record<string, PlistInput> = {}) => ({
  action,
  body: plist({ RequestType: action, ...keys }).toString('base64'),
})

export const disguises: Record<string, { action: string; body?: string; set?: string[] }> = {
  'a root certificate behind a web clip': profile([clip, root]),
  'a payload that nobody knows': profile([payload('com.example.harmless', { Answer: 42 })]),
  'a payload type with a capital letter': profile([
    payload('com.apple.Security.root', { PayloadContent: Buffer.from('x') }),
  ]),
  'a web clip with a key that nobody knows': profile([{ ...clip, RunAtInstall: '/bin/true' }]),
  'a profile within a payload': profile([
    payload('com.apple.declarations', { Payload: plist(payload('Configuration', { PayloadContent: [root] })) }),
  ]),
  'a passcode rule that erases after two attempts': profile([
    payload('com.apple.mobiledevice.passwordpolicy', { maxFailedAttempts: 2 }),
  ]),
  'a profile under the identifier of the enrolment': profile([clip], { PayloadIdentifier: 'eu.bulkhead.enrolment' }),
  'a profile with an encrypted part': profile([clip], { EncryptedPayloadContent: Buffer.from('hidden') }),
  'a profile that is not a property list': {
    action: 'InstallProfile',
    body: Buffer.from('signed, perhaps').toString('base64'),
  },
  'a proxy for everything': profile([
    payload('com.apple.proxy.http.global', { ProxyServer: 'proxy.example', ProxyServerPort: 1 }),
  ]),
  'an app': command('InstallApplication', { ManifestURL: 'https://example.test/app.plist' }),
  'the end of the enrolment': command('RemoveProfile', { Identifier: 'eu.bulkhead.enrolment' }),
  'a setting that nobody knows': command('Settings', { Settings: [{ Item: 'EraseQuietly', Enabled: true }] }),
  'a setting that decides who signs in': command('Settings', {
    Settings: [{ Item: 'MaximumResidentUsers', MaximumResidentUsers: 1 }],
  }),
  'a command that nobody knows': command('EraseDeviceSoftly'),
  'an erasure in lower case': command('eraseDevice'),
  'declarations that were not asked for': command('DeclarativeManagement', { Data: Buffer.from('{"Payload":{}}') }),
  'a restart that loads an extension': command('RestartDevice', { KextPaths: ['/tmp/x.kext'] }),
  'a lock': { action: 'DeviceLock', set: [] },
  'a passcode taken away': { action: 'ClearPasscode', set: [] },
  'lost mode': { action: 'EnableLostMode', set: ['Message=Lost', 'PhoneNumber=1'] },
}
