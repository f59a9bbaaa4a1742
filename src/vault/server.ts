import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Pool } from 'pg'
import { createAllowance } from '../base/allowance.ts'
import type { Config } from '../base/config.ts'
import { BulkheadError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import { type Method, RpcReply, type RpcServer, serveRpc } from '../base/rpc.ts'
import type { Intake } from '../intake/client.ts'
import { requireThawed, trustedNow } from '../ledger/client.ts'
import { approvalShape } from '../trust/approval.ts'
import type { ControlView } from '../trust/follow.ts'
import type { Trusted } from '../trust/roster.ts'
import { type Check, digest, line, object, text, uuid } from '../trust/shape.ts'
import { certsOnly } from '../wire/pkcs/signing.ts'
import { BOOTSTRAP_TOKENS_AN_HOUR, type VaultMethods } from './api.ts'
import { APNS_URL, createApns } from './apns.ts'
import { releaseBootstrapToken } from './bootstrap.ts'
import { methodsFor, type VaultCaller, type VaultMethod } from './callers.ts'
import { createDeviceKeys } from './directory/devices.ts'
import { type Keyring, openKeyring } from './directory/keyring.ts'
import { directoryMethods } from './directory/methods.ts'
import { createOffers } from './directory/offers.ts'
import { createInvitations } from './invitation.ts'
import { createIssuer } from './issue.ts'
import type { VaultKeys } from './keys.ts'
import { createLeaves, type VaultLedger } from './leaves.ts'
import { createLimits } from './limits.ts'
import { startPush } from './push.ts'
import { openPushCertificate } from './pushcert.ts'
import { createStore } from './store.ts'
import { releaseUnlockToken } from './unlock.ts'
import { createUses } from './uses.ts'
import { openValid } from './vouchers.ts'

export type VaultOptions = {
  config: Pick<Config, 'serves' | 'dataDir' | 'urls' | 'publicUrl' | 'apns' | 'keyringCopy'>
  keys: VaultKeys
  /** The genesis: what no later version changes, which is name, app and keys. */
  pinned: Trusted
  /** The control log as far as it was read. */
  control: Pick<ControlView, 'time' | 'trusted' | 'frozen' | 'isFresh' | 'control'>
  pg: Pool
  ledger: VaultLedger
  intake: Pick<Intake, 'ask'>
  /** Seconds since 1970. */
  clock: () => number
  random: (size: number) => Buffer
  log: Log
  /** Tells watch. */
  trace: (code: string, fields?: { reason?: string; count?: number }) => void
}
type Handler = { params: Check<unknown>; run(params: never, bytes: Buffer): Promise<unknown> | unknown }

const MAX_PKI = 64 * 1024
const MAX_CHECKIN = 4 * 1024 * 1024
const MAX_TEXT = 64 * 1024
const nothing = object({})
const longText = text(new RegExp(`^[^\\0]{1,${MAX_TEXT}}$`), 'text')

/** Serves the edge and the console, each on its own socket, and wakes devices. Throws where a method has no row in callers.ts. */
export async function startVault(options: VaultOptions): Promise<{ close(): Promise<void> }> {
  const { config, log, random, clock } = options
  const keyring = await openKeyring({
    dir: join(config.dataDir, 'keyring'),
    copyDir: config.keyringCopy,
    random,
    clock,
    failed: error => log.error('keyring.copy', {}, error),
  })
  const { handlers, push } = assemble(options, keyring)
  const limit = createLimits(options.clock)
  const servers: RpcServer[] = []
  for (const caller of ['edge', 'console'] as const) {
    const methods = guard(caller, methodsFor(caller, handlers), limit)
    const path = config.serves[caller]
    if (path !== undefined) servers.push(await serveRpc({ path, caller, methods, log }))
  }
  return {
    async close() {
      await Promise.all(servers.map(server => server.close()))
      await push.close()
      await keyring.close()
    },
  }
}

function guard(
  caller: VaultCaller,
  handlers: Record<string, Handler>,
  limit: ReturnType<typeof createLimits>,
): Record<string, Method> {
  const guarded =
    (name: string, { params: check, run }: Handler): Method =>
    async (params, bytes) => {
      limit(caller, name as VaultMethod)
      return await run(check(params, name) as never, bytes)
    }
  return Object.fromEntries(Object.entries(handlers).map(([name, handler]) => [name, guarded(name, handler)]))
}

function assemble(options: VaultOptions, keyring: Keyring) {
  const { config, keys, pinned, control, pg, ledger, intake, clock, random, log, trace } = options
  const roster = () => trustedNow(control)
  /** Nothing that a device could use leaves while deliveries are frozen, or while nobody knows whether they are. */
  const requireOpen = () => requireThawed(control, clock())
  const store = createStore(pg)
  const leaves = createLeaves(ledger, { origin: `${pinned.roster.name}/main`, key: pinned.ledgerKey })
  const uses = createUses(leaves, clock)
  const url = config.publicUrl ?? config.urls.edge
  const changed = () => apns.renew()
  const { topicInUse } = store
  const certificate = openPushCertificate({
    ...{ dir: config.dataDir, roster, leaves, clock, random, topicInUse, changed },
  })
  const { topic, identity } = certificate
  const ca = config.apns?.ca === undefined ? undefined : readFileSync(config.apns.ca, 'utf8')
  const apns = createApns({ url: config.apns?.url ?? APNS_URL, ca, identity, log })
  // Apple's own service is of no use without a certificate; a receiver that the operator names may not ask for one.
  const ready = () => identity() !== undefined || config.apns?.url !== undefined
  const held = () => !control.isFresh(clock()) || control.frozen() !== undefined
  const push = startPush({ store, seal: keys.seal, apns, topic, ready, held, clock, log })
  const invitations = createInvitations({ keys, roster, store, uses, url, topic, clock, random })
  const scep = createIssuer({
    keys,
    trusted: pinned,
    intake,
    leaves,
    store,
    uses,
    invitations,
    url,
    topic,
    clock,
    random,
    log,
    deviceKeys: createDeviceKeys(keyring, random),
    trace,
  })
  const may = createAllowance(BOOTSTRAP_TOKENS_AN_HOUR, 3600, clock)
  const offers = createOffers(keyring, clock, random)
  const directory = { keyring, offers, leaves, voucher: keys.voucher, trusted: roster, requireOpen, clock, trace }
  const caAndRa = certsOnly([keys.ca.certificate.der, keys.ra.certificate.der])

  const handlers: {
    [M in VaultMethod]: {
      params: Check<VaultMethods[M]['params']>
      run(params: VaultMethods[M]['params'], bytes: Buffer): unknown
    }
  } = {
    invitationPage: { params: object({ invitation: uuid }), run: ({ invitation }) => invitations.page(invitation) },
    enrolmentProfile: {
      params: object({ invitation: uuid }),
      run({ invitation }) {
        requireOpen()
        return invitations.profile(invitation)
      },
    },
    renewalProfile: {
      params: object({ certificate: digest }),
      async run(params) {
        requireOpen()
        return invitations.renewal(openValid(await store.findCertificate(params.certificate), pinned, clock()))
      },
    },
    caCertificates: { params: nothing, run: () => new RpcReply(null, caAndRa) },
    scep: {
      params: object({ path: uuid }),
      async run({ path }, body) {
        requireOpen()
        return new RpcReply(null, await scep(path, atMost(body, MAX_PKI)))
      },
    },
    bootstrapToken: {
      params: object({ path: uuid, device: uuid, signature: text(/^[A-Za-z0-9+/=\s]{1,32768}$/, 'base64') }),
      run: async (params, body) => {
        requireOpen()
        const ask = { ...params, body: atMost(body, MAX_CHECKIN) }
        const token = await releaseBootstrapToken(ask, { keys, trusted: pinned, intake, leaves, store, clock, may })
        return new RpcReply({ found: token !== undefined }, token ?? Buffer.alloc(0))
      },
    },
    unlockToken: {
      params: object({ order: uuid, certificate: digest }),
      async run(ask) {
        requireOpen()
        return new RpcReply(null, await releaseUnlockToken(ask, { keys, pinned, control, leaves, store, clock }))
      },
    },
    wake: { params: nothing, run: () => push.wake() },
    invite: {
      params: object({ statement: longText, approval: approvalShape }),
      run: ({ statement, approval }) => invitations.invite(statement, approval),
    },
    pushCsr: {
      params: object({ organisation: text(/^[^\p{Cc}]{1,64}$/u, 'a name of at most 64 characters') }),
      run: ({ organisation }) => certificate.csr(organisation),
    },
    pushImport: {
      params: object({ certificate: longText, account: line, statement: longText, approval: approvalShape }),
      run: params => certificate.import(params),
    },
    pushShow: { params: nothing, run: () => certificate.show() },
    ...directoryMethods(directory),
  }
  return { handlers: handlers as unknown as Record<string, Handler>, push }
}

function atMost(bytes: Buffer, most: number): Buffer {
  if (bytes.length <= most) return bytes
  throw new BulkheadError('LIMIT', `A message of ${bytes.length} bytes; at most ${most} are read.`)
}
