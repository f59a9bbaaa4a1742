import { BulkheadError } from '../base/errors.ts'
import { type Bytes, concat, randomBytes, sameBytes } from './bytes.ts'
import { sha256 } from './hash.ts'
import type { KeyPair } from './keys.ts'
import { combine, type Point, split } from './shamir.ts'
import { requireUnitKey } from './unit.ts'

/**
 * A unit's private key on paper: any `needed` of the shares give it back, fewer say nothing of it. Each says in words whose it is, and in its code to
 * which key of which unit and installation it belongs (a digest) and whether it was copied without a mistake.
 */
export type RecoveryOf = {
  installation: string // its name
  unit: string // id
  alias: string // the unit's
  publicKey: string // base64
  genesisDigest: Uint8Array
}
export type Share = { needed: number; index: number; belongs: Bytes; bytes: Bytes }

const VERSION = 1
const MOST_SHARES = 20
const GROUP = 4
const LETTERS = '0123456789ABCDEFGHJKMNPQRSTVWXYZ' // Crockford: no I, L, O, U
const LENGTH = 3 + 8 + 32 + 4

const belongsTo = ({ unit, publicKey, genesisDigest }: RecoveryOf): Bytes =>
  sha256('bulkhead-recovery/v1\n', genesisDigest, `${unit}\n${publicKey}`).slice(0, 8)
const checksum = (body: Uint8Array): Bytes => sha256('bulkhead-recovery-checksum\n', body).slice(0, 4)

/** The texts to print. Proved by restoring with each of them before it returns. Throws USAGE for a quorum that cannot be. */
export async function makeShares(
  privateKey: Bytes,
  of: RecoveryOf,
  { needed, shares }: { needed: number; shares: number },
): Promise<string[]> {
  if (
    !(needed >= 1 && needed <= shares && shares <= MOST_SHARES && Number.isInteger(needed) && Number.isInteger(shares))
  )
    throw new BulkheadError('USAGE', `Of 1 to ${MOST_SHARES} shares, some or all are needed.`)
  const points = split(privateKey, needed, shares, randomBytes)
  const texts = points.map(point => print(point, needed, shares, of))
  for (let first = 0; first < shares; first++) {
    const some = Array.from({ length: needed }, (_, at) => texts[(first + at) % shares]!)
    const { privateKey: restored } = await restoreUnitKey(some, of)
    if (!sameBytes(restored, privateKey))
      throw new BulkheadError('INTERNAL', 'The recovery shares do not restore the key.')
  }
  return texts
}

function print({ index, bytes }: Point, needed: number, shares: number, of: RecoveryOf): string {
  const body = concat(Uint8Array.of(VERSION, needed, index), belongsTo(of), bytes)
  const code = encode(concat(body, checksum(body)))
  const groups = code.match(new RegExp(`.{1,${GROUP}}`, 'g'))!
  const lines = Array.from({ length: Math.ceil(groups.length / 5) }, (_, at) =>
    groups.slice(5 * at, 5 * at + 5).join('-'),
  )
  return [
    `Bulkhead recovery share ${index} of ${shares}; ${needed} are needed.`,
    `Installation ${of.installation}, unit ${of.alias} (${of.unit}).`,
    ...lines.map(line => `> ${line}`),
    '',
  ].join('\n')
}

/** Of what was printed, or of its code alone as somebody typed it. Throws MALFORMED where a letter is wrong or missing. */
export function parseShare(text: string): Share {
  const lines = text.split(/\r?\n/)
  const marked = lines.filter(line => line.trimStart().startsWith('>'))
  const bytes = decode((marked.length > 0 ? marked : lines).join('').replaceAll(/[>\s-]/g, ''))
  const body = bytes?.subarray(0, LENGTH - 4)
  if (!bytes || !body || !sameBytes(checksum(body), bytes.subarray(LENGTH - 4)))
    throw new BulkheadError('MALFORMED', 'A recovery share with a mistake in it.', {
      remedy: 'Compare its letters with the paper; each line of its code begins with >.',
    })
  if (body[0] !== VERSION) throw new BulkheadError('MALFORMED', 'A recovery share of another version of this program.')
  return { needed: body[1]!, index: body[2]!, belongs: body.slice(3, 11), bytes: body.slice(11) }
}

/** Throws MALFORMED, UNPROVEN (another unit, key or installation) or REFUSED (too few). */
export async function restoreUnitKey(texts: string[], of: RecoveryOf): Promise<KeyPair> {
  const shares = new Map<number, Share>()
  for (const share of texts.map(parseShare)) {
    if (!sameBytes(share.belongs, belongsTo(of)))
      throw new BulkheadError('UNPROVEN', `Share ${share.index} is of another unit, key or installation.`, {
        remedy: 'Its first lines say whose it is.',
      })
    shares.set(share.index, share)
  }
  const [first] = shares.values()
  const needed = first?.needed ?? 1
  if (shares.size < needed)
    throw new BulkheadError(
      'REFUSED',
      `${needed} different shares are needed; ${shares.size} ${shares.size === 1 ? 'was' : 'were'} given.`,
    )
  return requireUnitKey(combine([...shares.values()].slice(0, needed)), of.publicKey)
}

function encode(bytes: Uint8Array): string {
  let [text, bits, held] = ['', 0, 0]
  for (const byte of bytes) {
    held = ((held << 8) | byte) & 0xfff
    for (bits += 8; bits >= 5; bits -= 5) text += LETTERS[(held >> (bits - 5)) & 31]
  }
  return bits > 0 ? text + LETTERS[(held << (5 - bits)) & 31] : text
}

function decode(text: string): Bytes | undefined {
  const letters = text.toUpperCase().replaceAll('O', '0').replaceAll(/[IL]/g, '1')
  if (letters.length !== Math.ceil((LENGTH * 8) / 5)) return undefined
  const bytes = new Uint8Array(LENGTH)
  let [bits, held, at] = [0, 0, 0]
  for (const letter of letters) {
    const value = LETTERS.indexOf(letter)
    if (value < 0) return undefined
    held = ((held << 5) | value) & 0xfff
    bits += 5
    if (bits >= 8) {
      bits -= 8
      bytes[at++] = held >> bits
    }
  }
  return (held & ((1 << bits) - 1)) === 0 ? bytes : undefined
}
