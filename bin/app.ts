import { createServer } from 'node:http'
import { loadConfig } from '../src/base/config.ts'
import { listen, stopWith } from '../src/base/process.ts'
const config = loadConfig('app')
const server = createServer((_q, r) => r.end('soon'))
await listen(server, config.listen.http!)
stopWith([server], async () => {})
