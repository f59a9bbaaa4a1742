import { BulkheadError } from '../../base/errors.ts'
import type { CheckinFound, CheckinMessage } from '../../intake/api.ts'
import type { Context } from '../context.ts'
import type { Identity } from '../identity.ts'
import { type Passed, passBootstrapToken, passDeclarations, passNoChallenge } from '../turnstile.ts'
import { channelOf, identify, type Proof, unseal } from './message.ts'

/** One check-in (Apple, "Check-in"). The answer is empty unless the message asks for something. */
export async function checkin(proof: Proof, context: Context): Promise<Passed | null> {
  const { identity, found } = await identify<CheckinFound>('checkin', proof, context)
  if (found.message === null) throw new BulkheadError('MALFORMED', found.malformed ?? 'The check-in does not decode.')
  const handle = Object.hasOwn(handlers, found.message.type) ? handlers[found.message.type] : undefined
  if (!handle) throw new BulkheadError('BAD_REQUEST', 'There is no check-in of this MessageType.')
  return handle(found.message, identity, proof, context)
}

/** What a device says of itself when it enrols. A tenth of that is much. */
const MOST_SEALED = 256 * 1024

function atMost(most: number, bytes: Buffer | null): Buffer | null {
  if (bytes === null || bytes.length <= most) return bytes
  throw new BulkheadError('LIMIT', `The check-in says more than is kept: ${bytes.length} bytes, of at most ${most}.`)
}

type Handler = (message: CheckinMessage, identity: Identity, proof: Proof, context: Context) => Promise<Passed | null>

const handlers: Record<string, Handler> = {
  async Authenticate(message, { voucher }, _, context) {
    await context.store.authenticate({
      device: voucher.device,
      platform: voucher.platform,
      tier: voucher.tier,
      unit: voucher.unit,
      notAfter: voucher.notAfter,
      facts: message.facts,
      sealed: atMost(MOST_SEALED, unseal(message.sealed)),
    })
    return null
  },

  async TokenUpdate(message, { voucher }, _, context) {
    if (!message.push) throw new BulkheadError('BAD_REQUEST', 'TokenUpdate has no Token or PushMagic.')
    await context.store.tokenUpdate({
      device: voucher.device,
      channel: channelOf(message.user, voucher.device, context),
      notAfter: voucher.notAfter,
      push: unseal(message.push.sealed),
      ours: message.push.topic === voucher.topic,
      unlock: unseal(message.push.unlockToken),
      sealed: atMost(MOST_SEALED, unseal(message.sealed)),
    })
    return null
  },

  async CheckOut(message, { voucher }, _, context) {
    if (message.user === null) await context.store.checkOut(voucher.device)
    return null
  },

  UserAuthenticate: async () => passNoChallenge(),

  async SetBootstrapToken(message, { voucher }, _, context) {
    const sealed = unseal(message.bootstrapToken)
    if (sealed) await context.store.setBootstrapToken(voucher.device, sealed)
    return null
  },

  async GetBootstrapToken(_message, { voucher: { device } }, { path, signature, body }, context) {
    if (signature === null)
      throw new BulkheadError('UNPROVEN', 'GetBootstrapToken must carry Mdm-Signature: the vault verifies it itself.')
    if (!context.mayAskForBootstrapToken(device))
      throw new BulkheadError('REFUSED', 'The bootstrap token was asked for too often in this hour.')
    const token = await context.vault.bootstrapToken({ path, device, signature }, body)
    return token === null ? null : passBootstrapToken(token)
  },

  // Needs a token that only Apple's portals give out; the profile's ServerCapabilities do not promise it.
  GetToken: async () => {
    throw new BulkheadError('NOT_FOUND', 'This server has no token of that service.')
  },

  async DeclarativeManagement(message) {
    const endpoint = message.endpoint ?? ''
    if (endpoint === 'status') return null
    const answer = passDeclarations(endpoint)
    if (!answer) throw new BulkheadError('NOT_FOUND', 'There is no such declaration.')
    return answer
  },
}
