import { createPublicKey, type JsonWebKeyInput, type KeyObject, randomBytes, timingSafeEqual } from 'node:crypto'
import {
  generateRegistrationOptions,
  type RegistrationResponseJSON,
  verifyRegistrationResponse,
} from '@simplewebauthn/server'
import { COSEALG, cose, decodeCredentialPublicKey } from '@simplewebauthn/server/helpers'
import { BulkheadError } from '../base/errors.ts'
import { attestationIn } from '../trust/attestation.ts'
import type { Passkey } from '../trust/roster.ts'
import { alias as aliasShape, base64, digest, listOf } from '../trust/shape.ts'
import { sha256 } from '../trust/statement.ts'

/** The first page of a new installation: one passkey, for whoever has seen the code in the terminal. */
/**
 * `freezeCodes`: SHA-256 of the paper codes that the page made and shows; `unitKey`: the public half of the root unit's key (X25519, base64).
 * The codes and the private half never come here.
 */
export type Owner = { alias: string; passkey: Passkey; freezeCodes: string[]; unitKey: string }
export type SetupPlace = { code: string; origin: string; rpId: string }

const ALGORITHMS: [number, Passkey['algorithm']][] = [
  [COSEALG.ES256, 'ES256'],
  [COSEALG.EdDSA, 'EdDSA'],
  [COSEALG.RS256, 'RS256'],
]
const MOST_TRIES = 20
const MOST_CODES = 20
const LIFE_MS = 10 * 60_000

export function createSetup({ code, origin, rpId }: SetupPlace, now: () => number) {
  const open = new Map<string, number>() // challenge to when it ends
  let wrong = 0
  let taken = false

  async function options() {
    for (const [challenge, ends] of open) if (ends < now() || open.size > 100) open.delete(challenge)
    const made = await generateRegistrationOptions({
      rpName: 'Bulkhead',
      rpID: rpId,
      userName: 'owner',
      userID: new Uint8Array(randomBytes(16)),
      challenge: new Uint8Array(randomBytes(32)),
      attestationType: 'none',
      supportedAlgorithmIDs: ALGORITHMS.map(([id]) => id),
      authenticatorSelection: { residentKey: 'preferred', userVerification: 'required' },
    })
    open.set(made.challenge, now() + LIFE_MS)
    return made
  }

  /** Throws FORBIDDEN for a wrong code, UNPROVEN for a registration that does not hold, CONFLICT where there is an owner. */
  async function answer(body: unknown): Promise<Owner> {
    const asked = (typeof body === 'object' && body !== null ? body : {}) as Record<string, unknown>
    if (taken) throw new BulkheadError('CONFLICT', 'This installation has its owner.', { remedy: 'Sign in.' })
    checkCode(asked.code)
    const alias = aliasShape(asked.alias, 'alias')
    const freezeCodes = listOf(digest, MOST_CODES)(asked.freezeCodes ?? [], 'freezeCodes')
    const unitKey = unitKeyOf(asked.unitKey)
    const credential = asked.credential as RegistrationResponseJSON
    const verified = await verifyRegistrationResponse({
      response: credential,
      expectedChallenge: challenge => (open.get(challenge) ?? 0) > now() && open.delete(challenge),
      expectedOrigin: origin,
      expectedRPID: rpId,
      requireUserVerification: true,
      supportedAlgorithmIDs: ALGORITHMS.map(([id]) => id),
    }).catch(cause => {
      throw new BulkheadError('UNPROVEN', 'The passkey’s registration does not hold.', { remedy: 'Try again.', cause })
    })
    if (!verified.verified)
      throw new BulkheadError('UNPROVEN', 'The passkey’s registration does not hold.', { remedy: 'Try again.' })
    if (taken) throw new BulkheadError('CONFLICT', 'This installation has its owner.', { remedy: 'Sign in.' })
    taken = true
    const { credential: made, aaguid } = verified.registrationInfo
    const { key, algorithm } = keyOf(made.publicKey)
    const publicKey = key.export({ format: 'der', type: 'spki' }).toString('base64')
    // Where the page asked for it. It is kept for a roster that will list authenticators; what it is worth is judged then.
    const attestation = attestationIn(credential.response.attestationObject, credential.response.clientDataJSON)
    const passkey = {
      id: made.id,
      publicKey,
      algorithm,
      aaguid,
      software: false,
      origins: [origin],
      ...(attestation && { attestation }),
    }
    return { alias, passkey, freezeCodes, unitKey }
  }

  function checkCode(given: unknown) {
    if (wrong >= MOST_TRIES)
      throw new BulkheadError('FORBIDDEN', 'Too many wrong codes.', {
        remedy: 'Start bulkhead up again: it shows a new code.',
      })
    if (typeof given === 'string' && timingSafeEqual(sha256(given), sha256(code))) return
    wrong++
    throw new BulkheadError('FORBIDDEN', 'This is not the code that the terminal shows.', {
      remedy: 'Copy it from where bulkhead up runs.',
    })
  }
  return { options, answer }
}

/** Throws MALFORMED. Without it nobody would have the private half, and nothing could ever be read. */
function unitKeyOf(given: unknown): string {
  const text = base64(given, 'unitKey')
  if (Buffer.from(text, 'base64').length === 32) return text
  throw new BulkheadError('MALFORMED', 'unitKey is no X25519 public key.')
}

/** From COSE (RFC 9052) to what the roster keeps. Throws UNPROVEN for a key of another kind. */
function keyOf(coseKey: Uint8Array<ArrayBuffer>): { key: KeyObject; algorithm: Passkey['algorithm'] } {
  const decoded = decodeCredentialPublicKey(coseKey)
  const algorithm = ALGORITHMS.find(([id]) => id === decoded.get(cose.COSEKEYS.alg))?.[1]
  const jwk = algorithm && jwkOf(decoded)
  if (algorithm === undefined || jwk === undefined)
    throw new BulkheadError('UNPROVEN', 'The passkey’s key is of an unknown kind.')
  return { key: createPublicKey({ key: jwk, format: 'jwk' }), algorithm }
}

function jwkOf(key: ReturnType<typeof decodeCredentialPublicKey>): JsonWebKeyInput['key'] | undefined {
  const text = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString('base64url')
  const { x, y, n, e } = cose.COSEKEYS
  if (cose.isCOSEPublicKeyEC2(key)) return { kty: 'EC', crv: 'P-256', x: text(key.get(x)), y: text(key.get(y)) }
  if (cose.isCOSEPublicKeyOKP(key)) return { kty: 'OKP', crv: 'Ed25519', x: text(key.get(x)) }
  if (cose.isCOSEPublicKeyRSA(key)) return { kty: 'RSA', n: text(key.get(n)), e: text(key.get(e)) }
  return undefined
}
