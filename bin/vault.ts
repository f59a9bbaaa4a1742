import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import pg from 'pg'
import { loadConfig } from '../src/base/config.ts'
import { PATIENCE } from '../src/base/database.ts'
import { createLog } from '../src/base/log.ts'
import { stopWith } from '../src/base/process.ts'
import { createIntakeClient } from '../src/intake/client.ts'
import { followFrom, ledgerClient } from '../src/ledger/client.ts'
import { openGenesis } from '../src/trust/roster.ts'
import { loadVaultKeys } from '../src/vault/keys.ts'
import { startVault } from '../src/vault/server.ts'
import { createTracer } from '../src/watch/client.ts'

const config = loadConfig('vault')
const log = createLog('vault')
const pool = new pg.Pool({ ...config.database!, max: 6, ...PATIENCE })
pool.on('error', error => log.error('database.lost', {}, error))
const intake = createIntakeClient(() => {
  log.error('intake.hangs')
  process.exit(1) // the supervisor ends a parser with its owner, and starts both again
})
process.on('message', (message: { t?: string }, handle: unknown) => {
  if (message.t === 'intake') intake.attach(handle as Socket)
})
const ledger = ledgerClient({ path: config.calls.ledger! })
const genesis = readFileSync(config.genesis, 'utf8')
const pinned = openGenesis(genesis, config.genesisDigest)
const trace = createTracer(config.calls.watch!, log)
const following = followFrom({ ledger, genesis, pinned, file: join(config.dataDir, 'control.json'), log, trace })
const vault = await startVault({
  config,
  keys: loadVaultKeys(config.keysDir),
  pinned,
  control: following.view,
  pg: pool,
  ledger,
  intake,
  clock: () => Math.floor(Date.now() / 1000),
  random: randomBytes,
  log,
  trace,
})
stopWith(
  [],
  async () => {
    await vault.close()
    await following.close()
    ledger.close()
    await pool.end()
  },
  following.heard,
)
