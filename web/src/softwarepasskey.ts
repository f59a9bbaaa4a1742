/**
 * Software passkeys: a key in a file, for the demo and first steps. They count only where the roster names them and allows such
 * keys; the page says so for as long as one is in use. The key stays in this tab.
 */
import { type Approval, Refusal } from './api.ts'
import type { Installation } from './installation.ts'
import { type Bytes, fromBase64, sha256, toBase64url } from './statement.ts'

/** `prfSecret`: base64; without it this passkey opens no directory. */
export type SoftwarePasskey = { alias: string; credentialId: string; privateKey: string; prfSecret?: string }

const KEPT = 'bulkhead.software-passkey' // of this tab only
const IN_LINK = '#passkey='

/** Takes the passkey of a demo link, `alias.credential[.prf].key`, out of the address before anything else looks at it. False where there is none. */
export function takeFromLink(): boolean {
  if (!location.hash.startsWith(IN_LINK)) return false
  const [alias = '', credentialId = '', ...keys] = location.hash.slice(IN_LINK.length).split('.')
  history.replaceState(null, '', location.pathname + location.search)
  const [privateKey = '', prfSecret] = keys.map(key => key.replaceAll('-', '+').replaceAll('_', '/')).reverse()
  keep({ alias, credentialId, privateKey, ...(prfSecret === undefined ? {} : { prfSecret }) })
  return true
}

/** Takes the passkey of a file. Throws Refusal where it is none, or nobody's here. */
export function chooseSoftwarePasskey(text: string, { members }: Installation): void {
  const passkey = parse(text)
  const remedy = 'Choose the file that bulkhead init made for a member.'
  if (!passkey) throw new Refusal('MALFORMED', 'This file is no software passkey.', remedy)
  if (!members.some(({ credentialIds }) => credentialIds.includes(passkey.credentialId)))
    throw new Refusal('REFUSED', 'The passkey in this file is of no member of this installation.', remedy)
  keep(passkey)
}

const keep = (passkey: SoftwarePasskey) => sessionStorage.setItem(KEPT, JSON.stringify(passkey))

function parse(text: string): SoftwarePasskey | undefined {
  try {
    const { alias, credentialId, privateKey, prfSecret } = JSON.parse(text) as Partial<SoftwarePasskey>
    if (typeof alias === 'string' && typeof credentialId === 'string' && typeof privateKey === 'string')
      return { alias, credentialId, privateKey, ...(typeof prfSecret === 'string' && { prfSecret }) }
  } catch {}
  return undefined
}

/** The one in use, if the installation holds it. */
export function softwarePasskey({ members }: Installation): SoftwarePasskey | undefined {
  const passkey = parse(sessionStorage.getItem(KEPT) ?? '')
  return passkey && members.some(member => member.credentialIds.includes(passkey.credentialId)) ? passkey : undefined
}

/** A link was opened, and what it gave is no member's: cut short in copying, or of another installation. */
export const isLinkUseless = (installation: Installation): boolean =>
  sessionStorage.getItem(KEPT) !== null && softwarePasskey(installation) === undefined

export const forgetSoftwarePasskey = () => sessionStorage.removeItem(KEPT)

export const DAMAGED = {
  what: 'This passkey is damaged, or of another installation.',
  remedy: 'Copy the whole link from the terminal, to its very end, or choose the passkey’s file.',
}

const PRESENT_AND_VERIFIED = 0x05

/** The assertion that an authenticator would make (Web Authentication Level 3, section 7.2). */
export async function signInSoftware(passkey: SoftwarePasskey, digest: Bytes, rpId: string): Promise<Approval> {
  const client = {
    type: 'webauthn.get',
    challenge: toBase64url(digest),
    origin: location.origin,
    crossOrigin: false,
  }
  const clientData = new TextEncoder().encode(JSON.stringify(client))
  const authenticator = new Uint8Array([...(await sha256(rpId)), PRESENT_AND_VERIFIED, 0, 0, 0, 0])
  const signed = new Uint8Array([...authenticator, ...(await sha256(clientData))])
  const key = await keyOf(passkey)
  const raw = new Uint8Array(await crypto.subtle.sign({ name: 'ECDSA', hash: 'SHA-256' }, key, signed))
  return {
    credentialId: passkey.credentialId,
    clientDataJSON: toBase64url(clientData),
    authenticatorData: toBase64url(authenticator),
    signature: toBase64url(derSignature(raw)),
  }
}

/** Throws Refusal where the key was cut short. */
async function keyOf({ privateKey }: SoftwarePasskey): Promise<CryptoKey> {
  try {
    const pkcs8 = fromBase64(privateKey.replaceAll(/-----[^-]+-----|\s/g, ''))
    return await crypto.subtle.importKey('pkcs8', pkcs8, { name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign'])
  } catch {
    throw new Refusal('MALFORMED', DAMAGED.what, DAMAGED.remedy)
  }
}

/** r and s as ASN.1 (RFC 3279, section 2.2.3): an authenticator's form. */
function derSignature(raw: Uint8Array): Uint8Array {
  const half = raw.length / 2
  const body = [...integer(raw.subarray(0, half)), ...integer(raw.subarray(half))]
  return new Uint8Array([0x30, body.length, ...body])
}

function integer(bytes: Uint8Array): number[] {
  const first = bytes.findIndex(byte => byte !== 0)
  const digits = [...bytes.subarray(first)]
  const value = digits[0]! & 0x80 ? [0, ...digits] : digits
  return [0x02, value.length, ...value]
}
