import { startApp } from '../src/app/server.ts'
import { loadConfig } from '../src/base/config.ts'
import { createLog } from '../src/base/log.ts'
import { stopWith } from '../src/base/process.ts'

const config = loadConfig('app')
const log = createLog('app')
const app = await startApp({
  config,
  log,
  onSetup: ({ alias, passkey, freezeCodes, unitKey }) =>
    void process.send?.({ t: 'setup', alias, credential: passkey, freezeCodes, unitKey }),
})
stopWith([], app.close)
