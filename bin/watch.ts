import { loadConfig } from '../src/base/config.ts'
import { createLog } from '../src/base/log.ts'
import { stopWith } from '../src/base/process.ts'
import { ledgerClient } from '../src/ledger/client.ts'
import { startWatch } from '../src/watch/server.ts'

const config = loadConfig('watch')
const ledger = ledgerClient({ path: config.calls.ledger! })
const log = createLog('watch')
const watch = await startWatch({ sockets: config.serves, database: config.database!, ledger, log })
stopWith([], async () => {
  await watch.close()
  ledger.close()
})
