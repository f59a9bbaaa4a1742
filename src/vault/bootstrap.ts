import { BulkheadError } from '../base/errors.ts'
import { type CheckinFound, sealAad } from '../intake/api.ts'
import type { Intake } from '../intake/client.ts'
import type { Trusted } from '../trust/roster.ts'
import type { Voucher } from '../trust/voucher.ts'
import { hpkeOpen } from '../wire/hpke.ts'
import { publicKeyOf } from '../wire/pkcs/key.ts'
import type { VaultKeys } from './keys.ts'
import type { Leaves } from './leaves.ts'
import { verifyFound } from './signer.ts'
import type { Store } from './store.ts'
import { openValid } from './vouchers.ts'

type Needs = {
  keys: VaultKeys
  trusted: Trusted
  intake: Pick<Intake, 'ask'>
  leaves: Leaves
  store: Store
  clock: () => number
  /** Whether a device may have its token once more: whoever recorded one message could fill the ledger with it. */
  may: (device: string) => boolean
}
/** `device`: whom the edge took the sender for, by whatever it proved. */
type Ask = { path: string; device: string; signature: string; body: Buffer }

/**
 * The bootstrap token of the Mac that signed this GetBootstrapToken, or undefined where none is kept. The edge is not believed:
 * the vault checks signature, certificate and message itself, and logs before it opens. Throws UNPROVEN, REFUSED.
 */
export async function releaseBootstrapToken(ask: Ask, needs: Needs): Promise<Buffer | undefined> {
  const { device } = await identify(ask, needs)
  if (!needs.may(device))
    throw new BulkheadError('REFUSED', 'The bootstrap token was asked for too often in this hour.')
  const sealed = await needs.store.takeBootstrapToken(device)
  if (!sealed) return undefined
  await needs.leaves.append({ type: 'release', what: 'bootstrap', device, at: needs.clock() })
  return hpkeOpen(needs.keys.seal, sealed, sealAad('device.bootstrap', device))
}

async function identify(
  { path, device, signature, body }: Ask,
  { trusted, intake, store, clock }: Needs,
): Promise<Voucher> {
  const rows = await store.findOnPath(path, device)
  const candidates = rows.map(({ sha256 }) => ({
    certificate: sha256,
    device,
    sealTo: trusted.roster.keys.seal,
    report: null,
  }))
  const found = (await intake.ask(
    'device',
    { kind: 'checkin', signature, certificate: null, candidates },
    body,
  )) as CheckinFound
  const { signer, message } = found
  const row = rows.find(({ sha256 }) => sha256 === signer?.certificate)
  if (!signer || !row) throw unproven('its certificate is none of this device and path')
  const voucher = openValid(row, trusted, clock())
  if (voucher.path !== path || voucher.device !== device)
    throw unproven('its certificate is none of this device and path')
  if (!verifyFound(signer, body, publicKeyOf(Buffer.from(voucher.publicKey, 'base64'))))
    throw unproven('its signature does not hold')
  // Intake's word alone would let another message that the device signed stand for this one.
  if (message?.type !== 'GetBootstrapToken' || !body.includes('GetBootstrapToken'))
    throw unproven('it is another message')
  return voucher
}

const unproven = (why: string) => new BulkheadError('UNPROVEN', `The GetBootstrapToken does not count: ${why}.`)
