import { isDict } from '../../wire/apple/dict.ts'
import { decodePlist, type PlistDict, type PlistValue } from '../../wire/plist/plist.ts'

/** Keys whose values are nobody's to read on the way: a body with one of them is sealed to the edge as a whole. */
const SECRET_KEYS = new Set([
  'AIMPassword',
  'AuthPassword',
  'AutologinPassword',
  'CalDAVPassword',
  'CardDAVPassword',
  'CertificatePassword',
  'Challenge', // SCEP
  'CurrentPassword',
  'HTTPProxyPassword',
  'IncomingPassword',
  'JabberPassword',
  'LDAPAccountPassword',
  'NewPassword',
  'OneTimeUserPassword',
  'OutgoingPassword',
  'PIN',
  'Passphrase',
  'Password',
  'Passwords',
  'PrivateKeyExportPassword',
  'ProxyPassword',
  'RegistrationToken',
  'RemovalPassword',
  'SecurityToken',
  'SharedSecret',
  'SubCalAccountPassword',
  'Token',
  'UnlockToken',
  'UserPassword',
  'XAuthPassword',
  'passwordHash',
  'sharedSecret',
])
const MAX_DEPTH = 64

/** Whether a Command dictionary, or a profile in it, holds a secret. A profile that nobody can read here counts as one. */
export function holdsSecret(command: PlistDict): boolean {
  return Object.entries(command).some(
    ([key, value]) => isSecret(key, value, 0) || (key === 'Payload' && profileHides(value)),
  )
}

function isSecret(key: string, value: PlistValue, depth: number): boolean {
  if (SECRET_KEYS.has(key)) return !isHole(value)
  if (depth > MAX_DEPTH) return true
  if (Array.isArray(value)) return value.some(item => isSecret('', item, depth + 1))
  return isDict(value) && Object.entries(value).some(([name, inner]) => isSecret(name, inner, depth + 1))
}

/** What the edge fills in itself is not in the body. */
const isHole = (value: PlistValue) => typeof value === 'string' && /^\{\{[a-z-]+\}\}$/.test(value)

function profileHides(payload: PlistValue): boolean {
  if (!(payload instanceof Uint8Array)) return false
  try {
    return isSecret('', decodePlist(payload), 0)
  } catch {
    return true // signed or encrypted
  }
}
