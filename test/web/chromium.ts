import { readFileSync } from 'node:fs'
import { type Attestation, aaguidOf, attestationIn } from '../../src/trust/attestation.ts'

type Made = { id: string; publicKey: string; attestationObject: string; clientDataJSON: string; maker: string }
const read = (): Made =>
  JSON.parse(readFileSync(new URL('../vectors/attestation.json', import.meta.url), 'utf8')) as Made

const made = read()
const attestation = attestationIn(made.attestationObject, made.clientDataJSON) as Attestation

/** A passkey as a real browser handed it out, and a root that its maker's certificate leads to. */
export const chromiumPasskey = {
  passkey: { id: made.id, publicKey: made.publicKey, attestation },
  aaguid: aaguidOf(attestation),
  maker: made.maker,
}
