// npm run bench [-- --short] [--devices N] [--json] [--keep]: starts Bulkhead in a temporary home, measures it from outside, prints a table.
import { fork } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import type { Done, Job } from './generator.ts'
import { type Installation, startInstallation } from './installation.ts'
import { joined } from './load.ts'
import { type Orders, openOrders } from './orders.ts'
import { cpuOf, processesBelow, pssOf } from './proc.ts'
import { machine, markdown, type Report, type Row } from './report.ts'

const { values } = parseArgs({
  args: process.argv.slice(2),
  options: {
    short: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    devices: { type: 'string' },
    home: { type: 'string' },
  },
})
const size = values.short
  ? { devices: 600, crowd: 300, idle: 3, orders: 2, history: 20 }
  : { devices: Number(values.devices ?? 10_000), crowd: 1000, idle: 8, orders: 5, history: 500 }
const OFFICE = 60

const say = (line: string) =>
  void process.stderr.write(`${((performance.now() - began) / 1000).toFixed(1).padStart(6)} s  ${line}\n`)
const began = performance.now()

/** The generator, asked for one job at a time. CPU time is read when its clock starts and when it stops. */
function startGenerator(installation: Installation) {
  const child = fork(join(import.meta.dirname, 'generator.ts'), { execArgv: process.execArgv })
  const snapshot = () => cpuOf(processesBelow(installation.pid))
  const ask = (job: Job): Promise<{ done: Done; cpu: Record<string, number> }> =>
    new Promise((settle, reject) => {
      let before: Record<string, number> = {}
      let after: Record<string, number> = {}
      const fail = () => reject(new Error('The generator ended.'))
      const hear = (word: { begin?: true; end?: true; done?: Done; failed?: string }) => {
        if (word.begin) before = snapshot()
        if (word.end) after = snapshot()
        if (!word.done && !word.failed) return
        child.off('message', hear)
        child.off('exit', fail)
        if (word.done) settle({ done: word.done, cpu: difference(before, after) })
        else reject(new Error(word.failed))
      }
      child.on('message', hear)
      child.on('exit', fail)
      child.send(job)
    })
  return { ask, stop: () => child.disconnect() }
}

function difference(before: Record<string, number>, after: Record<string, number>): Record<string, number> {
  return Object.fromEntries(Object.entries(after).map(([name, seconds]) => [name, seconds - (before[name] ?? 0)]))
}

const rows: Row[] = []
const notes: string[] = []

async function measure(installation: Installation): Promise<Report> {
  const generator = startGenerator(installation)
  const orders = await openOrders(installation)
  const job = async (name: string, unit: string, ask: Job & { connections: number }, mark?: string) => {
    const result = await generator.ask(ask)
    const row: Row = { name, unit, connections: ask.connections, ...result, ...(mark ? { mark } : {}) }
    say(
      `${name}, ${ask.connections} connections: ${result.done.perSecond} ${unit}, p99 ${result.done.p99} ms${failures(result.done)}`,
    )
    return row
  }
  const record = async (...line: Parameters<typeof job>) => {
    const row = await job(...line)
    rows.push(row)
    return row
  }
  const url = await installation.invite(size.devices + OFFICE)
  try {
    const pss = await settle(installation, generator.ask, url)
    await history(record, orders)
    await generator.ask({ do: 'profiles', url, count: size.devices - OFFICE })
    say(`${size.devices - OFFICE} profiles fetched.`)
    await record('SCEP', 'certificates/s', { do: 'scep', connections: 32 }, '≥ 400/s')
    const early = await job('the first enrolments', '/s', { do: 'enrol', count: size.crowd - OFFICE, connections: 32 })
    await inCrowd(record, orders)
    const late = await job('the other enrolments', '/s', { do: 'enrol', count: size.devices, connections: 32 })
    rows.push({
      ...late,
      name: `enrolment, to ${size.devices} devices`,
      unit: 'devices/s',
      done: { ...late.done, ...joined(early.done, late.done) },
      cpu: sum(early.cpu, late.cpu),
      mark: '≥ 500/s',
    })
    notes.push(
      `Enrolment without SCEP: ${early.done.perSecond}/s for the first ${early.done.requests} devices, ${late.done.windows.at(-1) ?? late.done.perSecond}/s for the last thousand.`,
    )
    await record(`idle check-in, ${size.devices} devices`, '/s', {
      do: 'idle',
      devices: size.devices,
      connections: 32,
      seconds: size.idle,
    })
    return {
      at: new Date().toISOString(),
      machine: machine(),
      command: `npm run bench${values.short ? ' -- --short' : ''}`,
      rows,
      pss,
      notes,
    }
  } finally {
    generator.stop()
    orders.close()
  }
}

type Record_ = (name: string, unit: string, ask: Job & { connections: number }, mark?: string) => Promise<Row>

/** An office of sixty, at rest. */
async function settle(
  installation: Installation,
  ask: (job: Job) => Promise<unknown>,
  url: string,
): Promise<Record<string, number>> {
  await ask({ do: 'profiles', url, count: OFFICE })
  await ask({ do: 'scep', connections: 8 })
  await ask({ do: 'enrol', count: OFFICE, connections: 8 })
  await ask({ do: 'idle', devices: OFFICE, connections: 8, seconds: 1 })
  await sleep(values.short ? 1000 : 4000)
  const pss = pssOf(processesBelow(installation.pid))
  say(
    `${Object.values(pss)
      .reduce((all, one) => all + one, 0)
      .toFixed(0)} MiB PSS with ${OFFICE} devices.`,
  )
  return pss
}

async function inCrowd(record: Record_, orders: Orders) {
  for (const connections of [32, 256])
    await record(
      `idle check-in, ${size.crowd} devices`,
      '/s',
      { do: 'idle', devices: size.crowd, connections, seconds: size.idle },
      '≥ 4500/s, p99 ≤ 50 ms',
    )
  for (const connections of [32, 256]) {
    await orders.approveMany(size.orders)
    const row = await record(
      'fetch and acknowledge',
      'requests/s',
      { do: 'fetch', devices: [0, size.crowd], connections, seconds: 30 },
      '≥ 2500/s',
    )
    notes.push(
      `Fetch and acknowledge with ${connections} connections: ${row.done.commands} commands answered. Acknowledgements are signed while it is measured.`,
    )
  }
}

/** The same few devices before and after they answered many commands. */
async function history(record: Record_, orders: Orders) {
  const devices = OFFICE
  const connections = 32
  const before = await record(`idle check-in, ${devices} devices`, '/s', {
    do: 'idle',
    devices,
    connections,
    seconds: size.idle,
  })
  await orders.approveMany(size.history)
  say(`${size.history} orders approved.`)
  const answered = await record(`working off ${size.history} commands a device`, 'requests/s', {
    do: 'fetch',
    devices: [0, devices],
    connections,
    seconds: 60,
  })
  const after = await record(
    `idle check-in, after ${size.history} answered commands each`,
    '/s',
    { do: 'idle', devices, connections, seconds: size.idle },
    'no slower',
  )
  notes.push(
    `${answered.done.commands} commands were answered by ${devices} devices in all; idle check-ins then ran at ${Math.round((after.done.perSecond / before.done.perSecond) * 100)} % of the speed before.`,
  )
}

function sum(a: Record<string, number>, b: Record<string, number>): Record<string, number> {
  return Object.fromEntries(
    [...new Set([...Object.keys(a), ...Object.keys(b)])].map(name => [name, (a[name] ?? 0) + (b[name] ?? 0)]),
  )
}

const failures = ({ failures }: Done) =>
  Object.keys(failures).length === 0 ? '' : `, failed: ${JSON.stringify(failures)}`

const installation = await startInstallation()
say(`Bulkhead runs in ${installation.home}.`)
const stopping = (signal: string) => void installation.stop().then(() => process.exit(signal === 'SIGINT' ? 130 : 143))
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, stopping)
try {
  const report = await measure(installation)
  process.stdout.write(values.json ? `${JSON.stringify(report, null, 2)}\n` : markdown(report))
} finally {
  await installation.stop()
}
