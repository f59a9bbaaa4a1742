import { BulkheadError } from '../base/errors.ts'
import { canonical } from '../trust/canonical.ts'
import { type Bytes, concat, fromBase64, sameBytes } from './bytes.ts'
import { type Hpke, type KeyPair, keyPairOf } from './keys.ts'

/**
 * A unit's private key is stored only sealed: to each operator's own key (memberkey.ts), and in shares for a recovery quorum (recovery.ts). Whoever
 * opens one checks that it gives the public half in the roster, so the row that holds it needs no signature.
 */
export type ShareFor = {
  unit: string
  publicKey: string // the unit's, base64: a rolled key has its own shares
  credential: string // the passkey that opens it, base64url
}

const shareAad = ({ unit, publicKey, credential }: ShareFor, genesisDigest: Uint8Array): Bytes =>
  concat('bulkhead-unit-share/v1\n', genesisDigest, canonical({ unit, publicKey, credential }))

/** `memberKey`: 32 raw bytes, from a verified announcement of that passkey. */
export const sealShare = (
  hpke: Hpke,
  unitPrivateKey: Bytes,
  memberKey: Bytes,
  share: ShareFor,
  genesisDigest: Uint8Array,
): Promise<Bytes> => hpke.seal(memberKey, unitPrivateKey, shareAad(share, genesisDigest))

/** Throws UNPROVEN where it is not this member's, or opens to another key than the unit has in the roster (`share.publicKey`). */
export async function openShare(
  hpke: Hpke,
  member: KeyPair,
  sealed: Bytes,
  share: ShareFor,
  genesisDigest: Uint8Array,
): Promise<KeyPair> {
  const privateKey = await hpke.open(member.privateKey, sealed, shareAad(share, genesisDigest))
  return requireUnitKey(privateKey, share.publicKey)
}

/** Throws UNPROVEN where the private key is of another public one. */
export async function requireUnitKey(privateKey: Bytes, publicKey: string): Promise<KeyPair> {
  const pair = await keyPairOf(privateKey)
  if (sameBytes(pair.publicKey, fromBase64(publicKey))) return pair
  throw new BulkheadError('UNPROVEN', "This is not the unit's key: its public half is another than the roster's.")
}
