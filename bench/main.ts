// npm run bench [-- --short] [--devices N] [--json] [--turnstile | --ledger | --check]: starts Bulkhead in a temporary home, measures it from outside, prints a table.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { measureCheck } from './check.ts'
import { startInstallation } from './installation.ts'
import { measureLedger } from './ledger.ts'
import { measure, type Size } from './plan.ts'
import { machine, markdown } from './report.ts'
import { measureTurnstile } from './turnstile.ts'

const { values } = parseArgs({
  args: process.argv.slice(2),
  options: {
    short: { type: 'boolean', default: false },
    turnstile: { type: 'boolean', default: false },
    ledger: { type: 'boolean', default: false },
    check: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    devices: { type: 'string' },
    home: { type: 'string' }, // given by npm scripts for every command; the measurement has a home of its own
  },
})
const size: Size = values.short
  ? { devices: 600, crowd: 300, idle: 3, orders: 5, history: 40, rest: 1000, warm: 1 }
  : { devices: Number(values.devices ?? 10_000), crowd: 1000, idle: 8, orders: 8, history: 500, rest: 4000, warm: 3 }

const began = performance.now()
const say = (line: string) =>
  void process.stderr.write(`${((performance.now() - began) / 1000).toFixed(1).padStart(6)} s  ${line}\n`)

if (values.check) {
  process.stdout.write(measureCheck())
  process.exit(0)
}
if (values.turnstile) {
  process.stdout.write(await measureTurnstile(say))
  process.exit(0)
}

const installation = await startInstallation()
say(`Bulkhead runs in ${installation.home}.`)
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => void installation.stop().then(() => process.exit(signal === 'SIGINT' ? 130 : 143)))
try {
  if (values.ledger) {
    const genesis = readFileSync(join(installation.home, 'genesis.json'), 'utf8')
    process.stdout.write(await measureLedger(genesis, say))
    await installation.stop()
    process.exit(0)
  }
  const command = `npm run bench${values.short ? ' -- --short' : ''}`
  const report = {
    at: new Date().toISOString(),
    machine: machine(),
    command,
    ...(await measure(installation, size, say)),
  }
  process.stdout.write(values.json ? `${JSON.stringify(report, null, 2)}\n` : markdown(report))
} finally {
  await installation.stop()
}
