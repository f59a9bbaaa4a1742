import { loadConfig } from '../src/base/config.ts'
import { createLog } from '../src/base/log.ts'
import { stopWith } from '../src/base/process.ts'
import { startWatch } from '../src/watch/server.ts'

const config = loadConfig('watch')
const watch = await startWatch({ sockets: config.serves, database: config.database!, log: createLog('watch') })
stopWith([], watch.close)
