import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { loadConfig } from '../src/base/config.ts'
import { createLog } from '../src/base/log.ts'
import { stopWith } from '../src/base/process.ts'
import { openDatabase } from '../src/console/database.ts'
import { openDesk } from '../src/console/desk.ts'
import { startConsole } from '../src/console/server.ts'
import { followFrom, ledgerClient } from '../src/ledger/client.ts'
import { openGenesis } from '../src/trust/roster.ts'
import { vaultForConsole } from '../src/vault/client.ts'
import { createTracer } from '../src/watch/client.ts'

const config = loadConfig('console')
const log = createLog('console')
const genesis = readFileSync(config.genesis, 'utf8')
const pinned = openGenesis(genesis, config.genesisDigest)
const vault = vaultForConsole(config.calls.vault!)
const ledger = ledgerClient({ path: config.calls.ledger! })
const trace = createTracer(config.calls.watch!, log)
const following = followFrom({ ledger, genesis, pinned, file: join(config.dataDir, 'control.json'), log, trace })
const desk = openDesk({
  db: openDatabase(config.database!, log),
  genesis,
  pinned,
  control: following.view,
  vault,
  ledger,
  urls: config.urls,
  deviceUrl: config.publicUrl ?? config.urls.edge,
  log,
  trace,
  now: () => new Date(),
})
const running = await startConsole(desk, { http: config.listen.http!, socket: config.serves.cli! })
stopWith(
  [],
  async () => {
    await running.close()
    await following.close()
    vault.close()
    ledger.close()
  },
  following.heard,
)
