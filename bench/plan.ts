import { generateKeyPairSync, sign, verify } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Asker, combine, startGenerator } from './asker.ts'
import type { Done, Job } from './generator.ts'
import type { Installation } from './installation.ts'
import { joined } from './load.ts'
import { type Orders, openOrders } from './orders.ts'
import { processesBelow, pssOf } from './proc.ts'
import type { Report, Row } from './report.ts'

/** How much is measured. `idle`: seconds; `orders`: commands a device in the crowd; `history`: commands a device before the second look. `rest`: ms, `warm`: seconds. */
export type Size = {
  devices: number
  crowd: number
  idle: number
  orders: number
  history: number
  rest: number
  warm: number
}
export type Say = (line: string) => void

const OFFICE = 60
const OTHERS = 200
const ARRIVALS = 4500 // a second
const marks = { idle: '≥ 4500/s, p99 ≤ 50 ms', fetch: '≥ 2500/s', enrol: '≥ 500/s', scep: '≥ 400/s' }

type Bench = { asker: Asker; order: Orders; rows: Row[]; notes: string[]; size: Size; say: Say }
type Line = { name: string; unit?: string; mark?: string }

/** The whole measurement, first with an office of sixty devices, then with a crowd, then with everybody. */
export async function measure(
  installation: Installation,
  size: Size,
  say: Say,
): Promise<Pick<Report, 'rows' | 'pss' | 'notes'>> {
  const bench: Bench = {
    asker: startGenerator(installation.pid),
    order: openOrders(installation),
    rows: [],
    notes: [],
    size,
    say,
  }
  const url = await installation.invite(size.devices + OTHERS)
  try {
    const pss = await settleOffice(bench, installation.pid, url)
    await measureHistory(bench)
    await bench.asker.ask({ do: 'profiles', url, count: size.devices - OFFICE })
    say(`${size.devices - OFFICE} more profiles fetched.`)
    await record(bench, { name: 'SCEP', unit: 'certificates/s', mark: marks.scep }, { do: 'scep', connections: 32 })
    const early = await look(
      bench,
      { name: 'the first enrolments' },
      { do: 'enrol', count: size.crowd - OFFICE, connections: 32 },
    )
    await measureCrowd(bench)
    await measureEnrolment(bench, early)
    await record(bench, { name: `idle check-in, ${size.devices} devices` }, idle(size.devices, 32, size.idle))
    await measureOtherKeys(bench, url)
    return { rows: bench.rows, pss, notes: bench.notes }
  } finally {
    bench.asker.stop()
  }
}

/** Sixty devices enrol and are left alone: what does all of it hold in memory? */
async function settleOffice({ asker, size, say }: Bench, pid: number, url: string): Promise<Record<string, number>> {
  await asker.ask({ do: 'profiles', url, count: OFFICE })
  await asker.ask({ do: 'scep', connections: 8 })
  await asker.ask({ do: 'enrol', count: OFFICE, connections: 8 })
  await sleep(size.rest)
  const pss = pssOf(processesBelow(pid))
  const all = Object.values(pss).reduce((sum, one) => sum + one, 0)
  say(`${all.toFixed(0)} MiB PSS with ${OFFICE} devices.`)
  return pss
}

/** The same few devices before and after they answered many commands. */
async function measureHistory(bench: Bench) {
  const { size, order, notes, say } = bench
  await learn(bench, OFFICE)
  await bench.asker.ask(idle(OFFICE, 32, size.warm)) // the first look must not be at cold code
  const before = await record(bench, { name: `idle check-in, ${OFFICE} devices` }, idle(OFFICE, 32, size.idle))
  const issued = await order(size.history)
  say(`${size.history} orders approved.`)
  const work = { name: `working off ${size.history} commands a device`, unit: 'requests/s' }
  const answered = await record(bench, work, {
    do: 'fetch',
    devices: [0, OFFICE],
    connections: 32,
    seconds: 60,
    issued,
  })
  const again = {
    name: `idle check-in, ${OFFICE} devices, after ${size.history} answered commands each`,
    mark: 'no slower',
  }
  const after = await record(bench, again, idle(OFFICE, 32, size.idle))
  const share = Math.round((after.done.perSecond / before.done.perSecond) * 100)
  notes.push(
    `${answered.done.commands} commands were answered by ${OFFICE} devices; their idle check-ins then ran at ${share} % of the speed before.`,
  )
}

async function measureCrowd(bench: Bench) {
  const { size, order, notes } = bench
  for (const connections of [32, 256])
    await record(
      bench,
      { name: `idle check-in, ${size.crowd} devices`, mark: marks.idle },
      idle(size.crowd, connections, size.idle),
    )
  const arriving = { name: `idle check-in, ${size.crowd} devices, arriving at ${ARRIVALS}/s`, mark: 'p99 ≤ 50 ms' }
  await record(bench, arriving, { ...idle(size.crowd, 256, size.idle), rate: ARRIVALS })
  await learn(bench, size.crowd)
  for (const connections of [32, 256]) {
    const issued = await order(size.orders)
    const line = { name: `fetch and acknowledge, ${size.crowd} devices`, unit: 'requests/s', mark: marks.fetch }
    const { done } = await record(bench, line, {
      do: 'fetch',
      devices: [0, size.crowd],
      connections,
      seconds: 30,
      issued,
    })
    notes.push(
      `Fetch and acknowledge, ${connections} connections: ${done.commands} commands; ${done.signedLate} acknowledgements were signed while it was measured.`,
    )
  }
}

/** The rest enrols; flat means that the last thousand takes no longer than the first. */
async function measureEnrolment(bench: Bench, early: Row) {
  const { size, rows, notes } = bench
  const late = await look(
    bench,
    { name: 'the other enrolments' },
    { do: 'enrol', count: size.devices, connections: 32 },
  )
  const done = { ...late.done, ...joined(early.done, late.done), cpu: early.done.cpu + late.done.cpu }
  const cpu = combine(early.cpu, late.cpu, (one, other) => one + other)
  const all = early.all + late.all
  rows.push({
    name: `enrolment to ${size.devices} devices, without SCEP`,
    unit: 'devices/s',
    connections: 32,
    done,
    cpu,
    all,
    yard: late.yard,
    mark: marks.enrol,
  })
  const last = late.done.windows.at(-1)
  notes.push(
    `Enrolment: ${early.done.perSecond}/s for the first ${early.done.requests}, ${last ?? late.done.perSecond}/s for the last ${last ? 1000 : late.done.requests}.`,
  )
}

/** Apple's SCEP client makes RSA keys only, as all other devices here have; a key in a Secure Enclave, or another's client, is of P-256, whose signatures cost three times as much to check. */
async function measureOtherKeys(bench: Bench, url: string) {
  const { asker, size } = bench
  await asker.ask({ do: 'profiles', url, count: OTHERS, keyType: 'ec' })
  await asker.ask({ do: 'scep', connections: 8 })
  await asker.ask({ do: 'enrol', count: OTHERS, connections: 8 })
  const others = { ...idle(0, 32, size.idle), devices: [size.devices, size.devices + OTHERS] as [number, number] }
  await record(bench, { name: `idle check-in, ${OTHERS} devices with P-256 keys` }, others)
}

/** One order that every device answers, so that the generator knows which device is which and can sign the next answers beforehand. */
async function learn({ asker, order }: Bench, devices: number) {
  await asker.ask({ do: 'fetch', devices: [0, devices], connections: 32, seconds: 30, issued: await order(1) })
}

const key = generateKeyPairSync('rsa', { modulusLength: 2048 })
const message = Buffer.alloc(1000)
const signature = sign('sha256', message, key.privateKey)

/** What this machine is worth just now, before the next row: RSA-2048 signatures that one thread checks in a second. A virtual machine may be worth half of what it was a minute ago. */
function yardstick(): number {
  const began = performance.now()
  let checked = 0
  while (performance.now() - began < 200)
    for (let n = 0; n < 50; n++, checked++) verify('sha256', message, key.publicKey, signature)
  return Math.round((checked / (performance.now() - began)) * 1000)
}

async function record(bench: Bench, line: Line, job: Job & { connections: number }): Promise<Row> {
  const row = await look(bench, line, job)
  bench.rows.push(row)
  return row
}

async function look(
  { asker, say }: Bench,
  { name, unit = '/s', mark }: Line,
  job: Job & { connections: number },
): Promise<Row> {
  const yard = yardstick()
  const { done, cpu, all } = await asker.ask(job)
  say(`${name}, ${job.connections} connections: ${done.perSecond} ${unit}, p99 ${done.p99} ms${failures(done)}`)
  return { name, unit, connections: job.connections, done, cpu, all, yard, ...(mark ? { mark } : {}) }
}

const idle = (devices: number, connections: number, seconds: number) => ({
  do: 'idle' as const,
  devices: [0, devices] as [number, number],
  connections,
  seconds,
})

const failures = ({ failures }: Done) =>
  Object.keys(failures).length === 0 ? '' : `, failed: ${JSON.stringify(failures)}`
