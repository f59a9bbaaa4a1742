import {
  type PublicKeyCredentialCreationOptionsJSON,
  type RegistrationResponseJSON,
  startAuthentication,
  startRegistration,
} from '@simplewebauthn/browser'
import { type Attestation, aaguidOf, attestationIn, isAttested } from '../../src/trust/attestation.ts'
import { type Approval, Refusal } from './api.ts'
import { requireUnhalted } from './halt.ts'
import type { Installation } from './installation.ts'
import { settled } from './node/answers.ts'
import { signInSoftware, softwarePasskey } from './softwarepasskey.ts'
import { type Bytes, fromHex, sha256, toBase64url } from './statement.ts'

/** Makes a passkey. What its PRF says stays in this browser: it is taken out of what is handed on. */
export async function makePasskey(
  options: PublicKeyCredentialCreationOptionsJSON,
  attested: boolean,
): Promise<RegistrationResponseJSON> {
  const extensions = { ...options.extensions, prf: {} } as NonNullable<typeof options.extensions>
  const { clientExtensionResults, ...response } = await startRegistration({
    optionsJSON: { ...options, extensions, attestation: attested ? 'direct' : 'none' },
  }).catch(explained)
  const { prf: _, ...shared } = clientExtensionResults as Record<string, unknown>
  const made = { ...response, clientExtensionResults: shared }
  if (attested && !attestationOf(made))
    throw new Refusal(
      'NOT_ATTESTED',
      'Nobody vouches for this passkey: the authenticator, or this browser, gave no maker’s certificate with it.',
      'Use a security key of a maker that certifies its keys, and allow the browser to show its model when it asks.',
    )
  return made
}

const attestationOf = ({ response }: RegistrationResponseJSON): Attestation | undefined =>
  attestationIn(response.attestationObject, response.clientDataJSON)

export type PublicPart = {
  alias: string
  id: string
  publicKey: string
  algorithm: string
  software: false
  aaguid?: string
  attestation?: Attestation
}
const ALGORITHMS = new Map([
  [-7, 'ES256'],
  [-8, 'EdDSA'],
  [-257, 'RS256'],
])

/**
 * A passkey of somebody who is no member yet. Nothing of it is sent; owners approve its public part, so no server's challenge is needed. Where the
 * roster lists authenticators, only one of them will do. Throws Refusal.
 */
export async function makeMemberPasskey(
  { rpId, name, authenticators }: Installation,
  alias: string,
  attested: boolean,
): Promise<PublicPart> {
  const random = () => toBase64url(crypto.getRandomValues(new Uint8Array(32)))
  const options: PublicKeyCredentialCreationOptionsJSON = {
    challenge: random(),
    rp: { id: rpId, name: 'Bulkhead' },
    user: { id: random(), name: `${alias} at ${name}`, displayName: alias },
    pubKeyCredParams: [...ALGORITHMS.keys()].map(alg => ({ type: 'public-key', alg })),
    authenticatorSelection: { residentKey: 'preferred', userVerification: 'required' },
    timeout: 120_000,
  }
  const made = await makePasskey(options, attested || authenticators.length > 0)
  const { id, response } = made
  const algorithm = ALGORITHMS.get(response.publicKeyAlgorithm ?? 0)
  if (!response.publicKey || algorithm === undefined)
    throw new Refusal(
      'NOT_SUPPORTED',
      'This browser does not say what the passkey’s public key is.',
      'Use a current one.',
    )
  const publicKey = response.publicKey.replaceAll('-', '+').replaceAll('_', '/')
  const padded = publicKey.padEnd(Math.ceil(publicKey.length / 4) * 4, '=')
  const attestation = attestationOf(made)
  const named = attestation && { aaguid: aaguidOf(attestation), attestation }
  const part: PublicPart = { alias, id, publicKey: padded, algorithm, software: false, ...named }
  await requireAccepted(part, authenticators)
  return part
}

async function requireAccepted(part: PublicPart, authenticators: Installation['authenticators']) {
  if (await settled(() => authenticators.every(list => isAttested(part, list)))) return
  throw new Refusal(
    'REFUSED',
    `The roster does not accept this authenticator (${part.aaguid}), or its maker’s certificate. The passkey would never count.`,
    'Use one that the roster lists: an owner knows which.',
  )
}

/** One gesture over this digest; none, where the page has found that the server cannot be believed, before the gesture or during it. */
export async function sign(digest: Bytes, installation: Installation, alias?: string): Promise<Approval> {
  requireUnhalted()
  const approval = await assertion(digest, installation, alias)
  requireUnhalted()
  return approval
}

/** Only the four parts of an assertion leave this function: never the PRF's output. */
async function assertion(digest: Bytes, installation: Installation, alias?: string): Promise<Approval> {
  const { rpId, members, genesisDigest } = installation
  const software = softwarePasskey(installation)
  if (software && (alias ?? software.alias) === software.alias) return signInSoftware(software, digest, rpId)
  const signers = alias === undefined ? members : members.filter(member => member.alias === alias)
  const salt = await sha256('bulkhead-prf/v1\n', fromHex(genesisDigest)) // a passkey says something else to every installation
  const { id, response } = await startAuthentication({
    optionsJSON: {
      challenge: toBase64url(digest),
      rpId,
      userVerification: 'required',
      timeout: 120_000,
      allowCredentials: signers.flatMap(({ credentialIds }) =>
        credentialIds.map(credential => ({ id: credential, type: 'public-key' as const })),
      ),
      extensions: { prf: { eval: { first: salt } } } as AuthenticationExtensionsClientInputs,
    },
  }).catch(explained)
  const { clientDataJSON, authenticatorData, signature } = response
  return { credentialId: id, clientDataJSON, authenticatorData, signature }
}

function explained(error: unknown): never {
  const name = error instanceof Error ? error.name : ''
  if (name === 'NotAllowedError' || name === 'AbortError')
    throw new Refusal('NOT_SIGNED', 'The passkey was not used.', 'Try again, and confirm when your device asks.')
  if (name === 'InvalidStateError')
    throw new Refusal(
      'CONFLICT',
      'This device holds a passkey for Bulkhead already.',
      'Use it, or choose another authenticator.',
    )
  throw new Refusal(
    'NOT_SUPPORTED',
    'This browser could not use a passkey here.',
    'Use a current Chrome, Edge, Firefox or Safari, with a screen lock or a security key that asks for a PIN.',
  )
}
