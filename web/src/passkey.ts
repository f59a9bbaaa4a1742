import {
  type PublicKeyCredentialCreationOptionsJSON,
  type RegistrationResponseJSON,
  startAuthentication,
  startRegistration,
} from '@simplewebauthn/browser'
import { prfSalt, softwarePrf } from '../../src/people/memberkey.ts'
import { type Attestation, aaguidOf, attestationIn, isAttested } from '../../src/trust/attestation.ts'
import { type Approval, Refusal } from './api.ts'
import { requireUnhalted } from './halt.ts'
import type { Installation } from './installation.ts'
import { settled } from './node/answers.ts'
import { signInSoftware, softwarePasskey } from './softwarepasskey.ts'
import { type Bytes, fromHex, toBase64url } from './statement.ts'

/** By credential: whether the passkey said, when it was made here, that it has a PRF. */
const hasPrf = new Map<string, boolean>()
/** Undefined of a passkey that was not made in this page. */
export const isPrfPromised = (credential: string) => hasPrf.get(credential)

/** Makes a passkey. What its PRF says stays in this browser: it is taken out of what is handed on. */
export async function makePasskey(
  options: PublicKeyCredentialCreationOptionsJSON,
  attested: boolean,
): Promise<RegistrationResponseJSON> {
  const extensions = { ...options.extensions, prf: {} } as NonNullable<typeof options.extensions>
  const { clientExtensionResults, ...response } = await startRegistration({
    optionsJSON: { ...options, extensions, attestation: attested ? 'direct' : 'none' },
  }).catch(explained)
  const { prf, ...shared } = clientExtensionResults as Record<string, unknown>
  hasPrf.set(response.id, (prf as { enabled?: boolean } | undefined)?.enabled === true)
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
export const sign = async (digest: Bytes, installation: Installation, alias?: string): Promise<Approval> =>
  (await signAndEvaluate(digest, installation, alias)).approval

/** `prf`: the 32 bytes that the passkey says to this installation, undefined where it has no PRF. They never leave this page. */
export type Evaluated = { approval: Approval; prf: Bytes | undefined }

/** As `sign`, with what the passkey's PRF said in the same gesture. */
export async function signAndEvaluate(digest: Bytes, installation: Installation, alias?: string): Promise<Evaluated> {
  requireUnhalted()
  const evaluated = await assertion(digest, installation, alias)
  requireUnhalted()
  return evaluated
}

async function assertion(digest: Bytes, installation: Installation, alias?: string): Promise<Evaluated> {
  const { rpId, members, genesisDigest } = installation
  const software = softwarePasskey(installation)
  const salt = prfSalt(fromHex(genesisDigest)) // a passkey says something else to every installation
  if (software && (alias ?? software.alias) === software.alias)
    return {
      approval: await signInSoftware(software, digest, rpId),
      prf: software.prfSecret === undefined ? undefined : softwarePrf(software.prfSecret, salt),
    }
  const signers = alias === undefined ? members : members.filter(member => member.alias === alias)
  const { id, response, clientExtensionResults } = await startAuthentication({
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
  return {
    approval: { credentialId: id, clientDataJSON, authenticatorData, signature },
    prf: prfOf(clientExtensionResults),
  }
}

function prfOf(results: object): Bytes | undefined {
  const first = (results as { prf?: { results?: { first?: ArrayBuffer } } }).prf?.results?.first
  return first === undefined ? undefined : new Uint8Array(first)
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
