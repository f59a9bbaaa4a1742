import { createHmac } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import { createAllowance } from '../src/base/allowance.ts'
import { loadConfig } from '../src/base/config.ts'
import { createLog } from '../src/base/log.ts'
import { listen, stopWith } from '../src/base/process.ts'
import { createGate } from '../src/edge/gate.ts'
import { createIdentities } from '../src/edge/identity.ts'
import { loadEdgeKeys } from '../src/edge/keys.ts'
import { createOrders } from '../src/edge/orders.ts'
import { createPermits } from '../src/edge/permits.ts'
import { createEdgeServer } from '../src/edge/server.ts'
import { createEdgeStore } from '../src/edge/store.ts'
import { createWriteback } from '../src/edge/writeback.ts'
import { createIntakeClient } from '../src/intake/client.ts'
import { followFrom, ledgerClient } from '../src/ledger/client.ts'
import { openGenesis } from '../src/trust/roster.ts'
import { BOOTSTRAP_TOKENS_AN_HOUR } from '../src/vault/api.ts'
import { vaultForEdge } from '../src/vault/client.ts'
import { createTracer } from '../src/watch/client.ts'

const config = loadConfig('edge')
const log = createLog('edge')
const clock = () => Math.floor(Date.now() / 1000)
const keys = loadEdgeKeys(config.keysDir)
const genesis = readFileSync(config.genesis, 'utf8')
const pinned = openGenesis(genesis, config.genesisDigest)
const store = createEdgeStore(config.database!, log)
const intake = createIntakeClient(() => {
  log.error('intake.hangs')
  process.exit(1) // the supervisor ends a parser with its owner, and starts both again
})
const vault = vaultForEdge(config.calls.vault!)
const trace = createTracer(config.calls.watch!, log)
const ledger = ledgerClient({ path: config.calls.ledger! })
const following = followFrom({ ledger, genesis, pinned, file: join(config.dataDir, 'control.json'), log, trace })
const { view } = following
const gate = createGate(view, clock)
const trusted = view.trusted
const context = {
  store,
  intake,
  vault,
  identities: createIdentities(store, pinned, clock, trace),
  orders: createOrders(store, ledger, trusted, keys.delivery, clock),
  permits: createPermits(ledger, clock, trusted),
  gate,
  writeback: createWriteback(store, clock, log, gate.isOpen),
  get trusted() {
    return trusted()
  },
  pathKey: keys.path,
  channelKey: createHmac('sha256', keys.path).update('bulkhead-channel/v1').digest(),
  clock,
  mayAskForBootstrapToken: createAllowance(BOOTSTRAP_TOKENS_AN_HOUR, 3600, clock),
  log,
  trace,
}
const edge = { context, publicUrl: config.publicUrl ?? config.urls.edge, trustedProxy: config.trustedProxy }
const tls = config.tls
  ? { key: readFileSync(config.tls.key), cert: readFileSync(config.tls.cert) }
  : { key: readFileSync(join(config.keysDir, 'tls.key')), cert: readFileSync(join(config.keysDir, 'tls.crt')) }

process.on('message', (message: { t?: string }, handle: unknown) => {
  if (message.t === 'intake') intake.attach(handle as Socket)
})
const servers = [createEdgeServer(edge), createEdgeServer(edge, tls)]
await listen(servers[0]!, config.listen.http!)
await listen(servers[1]!, config.listen.tls!)
stopWith(
  servers,
  async () => {
    context.writeback.close()
    await context.writeback.flush()
    await following.close()
    ledger.close()
    await store.close()
  },
  following.heard,
)
