import { createPrivateKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { loadConfig } from '../src/base/config.ts'
import { createLog } from '../src/base/log.ts'
import { stopWith } from '../src/base/process.ts'
import { startLedger } from '../src/ledger/server.ts'
import { openGenesis } from '../src/trust/roster.ts'

const config = loadConfig('ledger')
const log = createLog('ledger')
const key = (name: string) => createPrivateKey(readFileSync(join(config.keysDir, `${name}.key`)))
const genesis = readFileSync(config.genesis, 'utf8')
const trusted = openGenesis(genesis, config.genesisDigest)
const { cli, ...sockets } = config.serves
const ledger = await startLedger({
  dir: config.dataDir,
  name: trusted.roster.name,
  genesis,
  trusted,
  keys: { main: key('main'), control: key('control'), clock: key('clock') },
  clock: Date.now,
  sockets: { ...sockets, ...(cli === undefined ? {} : { supervisor: cli }) },
  http: config.listen.http!,
  witnesses: config.witnesses ?? [],
  log,
})
ledger.failed.catch(error => {
  log.error('ledger.failed', {}, error)
  process.exit(1)
})
stopWith([], ledger.close)
