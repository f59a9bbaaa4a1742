import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import pg from 'pg'
import { loadConfig } from '../src/base/config.ts'
import { PATIENCE } from '../src/base/database.ts'
import { createLog } from '../src/base/log.ts'
import { stopWith } from '../src/base/process.ts'
import { createIntakeClient } from '../src/intake/client.ts'
import { ledgerClient } from '../src/ledger/client.ts'
import { openGenesis } from '../src/trust/roster.ts'
import { loadVaultKeys } from '../src/vault/keys.ts'
import { startVault } from '../src/vault/server.ts'

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
const vault = await startVault({
  config,
  keys: loadVaultKeys(config.keysDir),
  trusted: openGenesis(readFileSync(config.genesis, 'utf8'), config.genesisDigest),
  pg: pool,
  ledger,
  intake,
  clock: () => Math.floor(Date.now() / 1000),
  random: randomBytes,
  log,
})
stopWith([], async () => {
  await vault.close()
  ledger.close()
  await pool.end()
})
