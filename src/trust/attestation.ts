import { createHash, verify, X509Certificate } from 'node:crypto'
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

/** Whether a maker on the list vouches for this very passkey: certificate under one of its roots, AAGUID, credential and key all signed. */
export function isAttested({ id, publicKey, attestation }: Attested, accepted: Accepted): boolean {
  if (!attestation) return false
  try {
    const data = Buffer.from(attestation.authenticatorData, 'base64url')
    const credential = Buffer.from(id, 'base64url')
    const aaguid = data
      .toString('hex', AAGUID, AAGUID + 16)
      .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
    const maker = accepted.find(one => one.aaguid === aaguid)
    if (!maker || !chainsTo(attestation.x5c.map(certificate), maker.roots.map(certificate))) return false
    if (!data.subarray(CREDENTIAL, CREDENTIAL + credential.length).equals(credential)) return false
    if (!holdsKey(data.subarray(CREDENTIAL + credential.length), Buffer.from(publicKey, 'base64'))) return false
    const client = createHash('sha256').update(Buffer.from(attestation.clientDataJSON, 'base64url')).digest()
    const key = certificate(attestation.x5c[0]!).publicKey
    return verify('sha256', Buffer.concat([data, client]), key, Buffer.from(attestation.signature, 'base64url'))
  } catch {
    return false
  }
}

const certificate = (der: string) => new X509Certificate(Buffer.from(der, 'base64'))

function chainsTo(chain: X509Certificate[], roots: X509Certificate[]): boolean {
  for (let at = 0; at + 1 < chain.length; at++)
    if (!chain[at]!.checkIssued(chain[at + 1]!) || !chain[at]!.verify(chain[at + 1]!.publicKey)) return false
  const last = chain.at(-1)
  return roots.some(
    root =>
      last && (last.fingerprint256 === root.fingerprint256 || (last.checkIssued(root) && last.verify(root.publicKey))),
  )
}

/** The numbers of the key stand in the COSE key as they stand at the end of the SPKI: x and y of P-256, x of Ed25519; RSA keys are not accepted here. */
function holdsKey(cose: Buffer, spki: Buffer): boolean {
  if (spki.length === 91) return cose.includes(spki.subarray(27, 59)) && cose.includes(spki.subarray(59))
  return spki.length === 44 && cose.includes(spki.subarray(12))
}
