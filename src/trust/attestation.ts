import { createHash, verify } from 'node:crypto'
import { type Cbor, readCbor } from '../wire/cbor.ts'
import { type Certificate, decodeCertificate, verifyCertificate } from '../wire/pkcs/certificate.ts'
import { publicKeyOf } from '../wire/pkcs/key.ts'
import type { Policy } from './policy.ts'
import { base64, base64url, listOf, object } from './shape.ts'

/** A "packed" attestation with a certificate (Web Authentication Level 3, section 8.2), taken apart by the client that registered the passkey. */
export const attestationShape = object({
  authenticatorData: base64url,
  clientDataJSON: base64url,
  signature: base64url,
  x5c: listOf(base64, 5), // DER; the attestation certificate first
})
export type Attestation = ReturnType<typeof attestationShape>

type Attested = { id: string; publicKey: string; attestation?: Attestation }
type Accepted = NonNullable<Policy['authenticators']>

const AAGUID = 37
const CREDENTIAL = 55

/**
 * An attestation object as a browser hands it out (section 6.5), in the form that the roster keeps; undefined where no maker's certificate is in it.
 * Nothing is verified. Throws MALFORMED.
 */
export function attestationIn(attestationObject: string, clientDataJSON: string): Attestation | undefined {
  const outer = mapOf(readCbor(Buffer.from(attestationObject, 'base64url')).value)
  const [data, statement] = [outer.get('authData'), mapOf(outer.get('attStmt'))]
  const [signature, x5c] = [statement.get('sig'), statement.get('x5c')]
  if (outer.get('fmt') !== 'packed' || !isBytes(data) || !isBytes(signature) || !Array.isArray(x5c)) return undefined
  return {
    authenticatorData: data.toString('base64url'),
    clientDataJSON,
    signature: signature.toString('base64url'),
    x5c: x5c.filter(isBytes).map(der => der.toString('base64')),
  }
}

/** Whether a maker on the list vouches for this very passkey: certificate under one of its roots, AAGUID, credential and key all signed. */
export function isAttested({ id, publicKey, attestation }: Attested, accepted: Accepted): boolean {
  if (!attestation) return false
  try {
    const data = Buffer.from(attestation.authenticatorData, 'base64url')
    const credential = Buffer.from(id, 'base64url')
    const aaguid = aaguidIn(data)
    const maker = accepted.find(one => one.aaguid === aaguid)
    if (!maker || !chainsTo(attestation.x5c.map(certificate), maker.roots.map(certificate))) return false
    if (!data.subarray(CREDENTIAL, CREDENTIAL + credential.length).equals(credential)) return false
    if (!holdsKey(data.subarray(CREDENTIAL + credential.length), Buffer.from(publicKey, 'base64'))) return false
    const client = createHash('sha256').update(Buffer.from(attestation.clientDataJSON, 'base64url')).digest()
    const key = publicKeyOf(certificate(attestation.x5c[0]!).spki)
    return verify('sha256', Buffer.concat([data, client]), key, Buffer.from(attestation.signature, 'base64url'))
  } catch {
    return false
  }
}

/** The authenticator's model, as a UUID. */
const aaguidIn = (data: Buffer): string =>
  data.toString('hex', AAGUID, AAGUID + 16).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
export const aaguidOf = ({ authenticatorData }: Attestation): string =>
  aaguidIn(Buffer.from(authenticatorData, 'base64url'))

const certificate = (der: string) => decodeCertificate(Buffer.from(der, 'base64'))

/** The roots are the roster's own choice, so nothing is asked of them but their key; what stands between must be an authority's. */
function chainsTo(chain: Certificate[], roots: Certificate[]): boolean {
  for (let at = 0; at + 1 < chain.length; at++)
    if (!chain[at + 1]!.isCa || !isIssued(chain[at]!, chain[at + 1]!)) return false
  const last = chain.at(-1)
  return roots.some(root => last && (last.der.equals(root.der) || isIssued(last, root)))
}

const isIssued = (one: Certificate, by: Certificate): boolean =>
  one.issuer.equals(by.subject) &&
  by.keyUsage?.has('keyCertSign') !== false &&
  verifyCertificate(one, publicKeyOf(by.spki))

const [X, Y] = [-2, -3] // labels of RFC 9053, section 7

/** The numbers of the COSE key stand at the end of the SPKI: x and y of P-256, x of Ed25519. RSA keys are not accepted here. */
function holdsKey(cose: Buffer, spki: Buffer): boolean {
  const key = mapOf(readCbor(cose).value)
  const [x, y] = [key.get(X), key.get(Y)]
  if (!isBytes(x) || x.length !== 32) return false
  if (spki.length === 91) return isBytes(y) && spki.subarray(27).equals(Buffer.concat([x, y]))
  return spki.length === 44 && y === undefined && spki.subarray(12).equals(x)
}

const isBytes = (value: Cbor | undefined): value is Buffer => value instanceof Uint8Array
const mapOf = (value: Cbor | undefined): Map<Cbor, Cbor> => (value instanceof Map ? value : new Map())
