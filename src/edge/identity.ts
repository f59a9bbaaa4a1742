import { createHash, createPublicKey, type KeyObject, verify } from 'node:crypto'
import { BulkheadError } from '../base/errors.ts'
import type { SignerFound } from '../intake/api.ts'
import type { Trusted } from '../trust/roster.ts'
import { sha256Hex } from '../trust/statement.ts'
import { type Voucher, verifyVoucher } from '../trust/voucher.ts'
import type { EdgeStore, FoundVoucher } from './store.ts'

// Who a device is: the voucher of the certificate it proved, signed by the vault, checked here. Nothing about it comes from another table.

/** `proof`: SHA-256 of the row it was read from, so that only a row that changed is verified again. */
export type Identity = { voucher: Voucher; key: KeyObject; proof: string; current: boolean; used: boolean }
type Load = { now: Promise<Known>; next?: Promise<Known> }
type Known = { at: number; identities: Map<string, Identity> }

const FRESH_SECONDS = 60 // how long a revocation made elsewhere may go unseen
const MOST_PATHS = 100_000
const STRANGER_SECONDS = 5 // how long a certificate that was not found is not looked for again: nobody has it before it is stored
const MOST_STRANGERS = 10_000

export function createIdentities(
  store: Pick<EdgeStore, 'findVouchers'>,
  trusted: Trusted,
  clock: () => number,
  trace: (code: string) => void,
) {
  const paths = new Map<string, Known>()
  const strangers = new Map<string, number>()
  const loads = new Map<string, Load>()

  function verified(row: FoundVoucher, path: string): Identity {
    const proof = sha256Hex(`${row.signature}\n${row.voucher}`)
    const before = paths.get(path)?.identities.get(row.certificate)
    if (before?.proof === proof) return before
    const voucher = verifyVoucher(row.voucher, row.signature, row.certificate, trusted)
    if (voucher.path !== path) throw new BulkheadError('UNPROVEN', 'A voucher for other URLs.')
    return { voucher, key: publicKey(voucher.publicKey), proof, current: true, used: before?.used ?? false }
  }

  async function read(path: string): Promise<Known> {
    const found = await store.findVouchers(path)
    const identities = new Map<string, Identity>()
    for (const row of found) {
      if (row.state !== 'valid') continue
      try {
        identities.set(row.certificate, verified(row, path))
      } catch {
        trace('voucher-unproven') // a row that somebody changed: as good as none
      }
    }
    const replaced = new Set([...identities.values()].map(({ voucher }) => voucher.previous))
    for (const [certificate, identity] of identities) identity.current = !replaced.has(certificate)
    const known = { at: clock(), identities }
    if (paths.size >= MOST_PATHS) paths.delete(paths.keys().next().value!)
    paths.set(path, known)
    return known
  }

  /** One load of a path at a time. Who asks while one is under way shares the next: that one may have begun too early. */
  function reload(path: string): Promise<Known> {
    const start = () => {
      const load: Load = { now: read(path) }
      loads.set(path, load)
      const over = () => void (loads.get(path) === load && loads.delete(path))
      load.now.then(over, over)
      return load.now
    }
    const under = loads.get(path)
    if (!under) return start()
    under.next ??= under.now.then(start, start)
    return under.next
  }

  return {
    /** All identities that may use these URLs. One device has two while it renews; several share a profile that was copied. */
    async ofPath(path: string, fresh = false): Promise<Map<string, Identity>> {
      const known = paths.get(path)
      if (known && !fresh && clock() - known.at < FRESH_SECONDS && known.identities.size > 0) return known.identities
      return (await reload(path)).identities
    },

    /** The same, read again for a certificate that was not among them; undefined where it still is not. */
    async lookAgain(path: string, certificate: string): Promise<Map<string, Identity> | undefined> {
      const name = sha256Hex(`${path}\n${certificate}`)
      if ((strangers.get(name) ?? 0) > clock()) return undefined
      const { identities } = await reload(path)
      if (identities.has(certificate)) return identities
      strangers.delete(name) // so that the map stays in the order of age
      if (strangers.size >= MOST_STRANGERS) strangers.delete(strangers.keys().next().value!)
      strangers.set(name, clock() + STRANGER_SECONDS)
      return undefined
    },
  }
}

const publicKey = (spki: string) => createPublicKey({ key: Buffer.from(spki, 'base64'), format: 'der', type: 'spki' })

// DER of: SEQUENCE { messageDigest, SET { OCTET STRING … } } up to the digest's bytes (RFC 5652 section 11.2).
const digestAttribute = {
  sha1: Buffer.from('302306092a864886f70d01090431160414', 'hex'),
  sha256: Buffer.from('302f06092a864886f70d01090431220420', 'hex'),
  sha384: Buffer.from('303f06092a864886f70d01090431320430', 'hex'),
  sha512: Buffer.from('304f06092a864886f70d01090431420440', 'hex'),
}

/** Whether the holder of `key` signed exactly this body. Intake only found the parts: a captured intake cannot make this true. */
export function signatureHolds(signer: SignerFound, body: Buffer, key: KeyObject): boolean {
  try {
    const signature = Buffer.from(signer.signature, 'base64')
    if (signer.attributes === null) {
      // A body that is itself a SET could be somebody's signed attributes, passed off as content; no message of ours starts so.
      return body[0] !== 0x31 && verify(signer.digest, body, key, signature)
    }
    const attributes = Buffer.from(signer.attributes, 'base64')
    if (attributes[0] !== 0x31) return false // the other way round: a signed message, passed off as attributes
    const digest = createHash(signer.digest).update(body).digest()
    if (!attributes.includes(Buffer.concat([digestAttribute[signer.digest], digest]))) return false
    return verify(signer.digest, attributes, key, signature)
  } catch {
    return false
  }
}
