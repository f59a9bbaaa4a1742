/** Public keys and signatures by WebCrypto, told by the first bytes of the SubjectPublicKeyInfo (RFC 5280, 4.1.2.7). */
type Kind = { type: 'ed25519' | 'ec' | 'rsa'; algorithm: { name: string; namedCurve?: string }; octets: number }
export type PageKey = {
  type: 'public'
  asymmetricKeyType: Kind['type']
  spki: Uint8Array<ArrayBuffer>
  /** Octets of each half of a signature. */
  octets: number
  /** Undefined where the bytes are no key. */
  usable(hash: string): Promise<CryptoKey | undefined>
}

const ec = (namedCurve: string, octets: number): Kind => ({
  type: 'ec',
  algorithm: { name: 'ECDSA', namedCurve },
  octets,
})
const KINDS: [beginning: string, kind: Kind][] = [
  ['302a300506032b6570032100', { type: 'ed25519', algorithm: { name: 'Ed25519' }, octets: 32 }],
  ['3059301306072a8648ce3d020106082a8648ce3d030107034200', ec('P-256', 32)],
  ['3076301006072a8648ce3d020106052b81040022036200', ec('P-384', 48)],
  ['30819b301006072a8648ce3d020106052b8104002303818600', ec('P-521', 66)],
]
const RSA = /^3082....300d06092a864886f70d0101010500|^3081..300d06092a864886f70d0101010500/
const HASHES: Record<string, string> = { sha256: 'SHA-256', sha384: 'SHA-384', sha512: 'SHA-512' }

/** Throws where the key is of no kind that is known here. */
export function pageKey(der: Uint8Array): PageKey {
  const spki = new Uint8Array(der)
  const beginning = Array.from(spki.subarray(0, 32), byte => byte.toString(16).padStart(2, '0')).join('')
  const kind = RSA.test(beginning)
    ? ({ type: 'rsa', algorithm: { name: 'RSASSA-PKCS1-v1_5' }, octets: 0 } satisfies Kind)
    : KINDS.find(([start]) => beginning.startsWith(start))?.[1]
  if (!kind) throw new TypeError('A public key of a kind that is not known here.')
  const { type, algorithm, octets } = kind
  const usable = (hash: string) =>
    crypto.subtle.importKey('spki', spki, { ...algorithm, hash }, false, ['verify']).catch(() => undefined)
  return { type: 'public', asymmetricKeyType: type, spki, octets, usable }
}

export async function verifyInPage(
  name: string | null,
  data: Uint8Array,
  key: PageKey,
  signature: Uint8Array,
): Promise<boolean> {
  const { asymmetricKeyType: type, octets } = key
  const hash = name === null ? 'SHA-256' : HASHES[name]
  if (hash === undefined || (name === null) !== (type === 'ed25519')) return false
  const usable = await key.usable(hash)
  const raw = type === 'ec' ? rawSignature(signature, octets) : new Uint8Array(signature)
  if (!usable || !raw) return false
  return crypto.subtle
    .verify({ name: usable.algorithm.name, hash }, usable, raw, new Uint8Array(data))
    .catch(() => false)
}

/** r and s at their full width (IEEE P1363), from DER (RFC 3279, section 2.2.3); undefined where it is not the one DER spelling of two numbers. */
export function rawSignature(der: Uint8Array, octets: number): Uint8Array<ArrayBuffer> | undefined {
  const head = der[1] === 0x81 ? 3 : 2
  if (der[0] !== 0x30 || der[head - 1] !== der.length - head || (head === 3 && der.length - head < 0x80))
    return undefined
  const raw = new Uint8Array(2 * octets)
  let at = head
  for (const end of [octets, 2 * octets]) {
    const length = der[at + 1] ?? 0
    const number = der.subarray(at + 2, at + 2 + length)
    const isNumber = der[at] === 0x02 && length > 0 && number.length === length && number[0]! < 0x80
    if (!isNumber || (length > 1 && number[0] === 0 && number[1]! < 0x80)) return undefined
    const digits = number[0] === 0 ? number.subarray(1) : number
    if (digits.length > octets) return undefined
    raw.set(digits, end - digits.length)
    at += 2 + length
  }
  return at === der.length ? raw : undefined
}
