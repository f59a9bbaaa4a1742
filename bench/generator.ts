// The load generator, a process of its own: the parent asks over IPC, one job at a time, and everything that a job needs is made before its
// clock starts.

import { createHttp } from '../simulator/http.ts'
import { type KeyType, makeKeys, throwAwaySigner } from '../simulator/identity.ts'
import { learnServer, openAnswer, type ScepServer, scepRequest } from '../simulator/scep.ts'
import { commandUuid } from '../src/trust/token.ts'
import { acknowledgement, type BenchDevice, newDevice, prepare, uuidIn } from './device.ts'
import { type Measure, run, runAtRate, type Step, windows } from './load.ts'
import { requestBytes } from './wire.ts'

export type Job =
  | { do: 'profiles'; url: string; count: number; keyType?: KeyType }
  | { do: 'scep'; connections: number }
  | { do: 'enrol'; count: number; connections: number }
  | { do: 'idle'; devices: [number, number]; connections: number; seconds: number; rate?: number }
  | { do: 'fetch'; devices: [number, number]; connections: number; seconds: number; issued: Issued }

/** What was approved: these orders, for these devices. */
export type Issued = { orders: string[]; devices: string[] }

export type Done = Measure & { cpu: number; commands: number; signedLate: number }

const MOST = 90_000
const waiting: BenchDevice[] = [] // have a profile
const certified: BenchDevice[] = [] // have a certificate
const devices: BenchDevice[] = [] // are enrolled
let made = 0

const none: Measure = { requests: 0, seconds: 0, perSecond: 0, p50: 0, p99: 0, failures: {}, windows: [] }
const target = (url: string) => ({ host: new URL(url).hostname, port: Number(new URL(url).port) })
const one = (request: Buffer, onAnswer: (body: Buffer, status: number) => void = () => {}): Step => {
  return answer => {
    if (!answer) return request
    onAnswer(answer.body, answer.status)
    return undefined
  }
}

/** Each profile has URLs and a challenge of its own. */
async function profiles({ url, count, keyType = 'rsa' }: Job & { do: 'profiles' }): Promise<Measure> {
  const request = requestBytes({ method: 'GET', url })
  let left = count
  const next = () =>
    left-- > 0
      ? one(
          request,
          (body, status) => void (status === 200 && waiting.push(newDevice(made++, Buffer.from(body), keyType))),
        )
      : undefined
  return run({ ...target(url), connections: 16, next, until: MOST })
}

let server: ScepServer | undefined

async function scep({ connections }: Job & { do: 'scep' }, begin: () => void): Promise<Measure> {
  const first = waiting[0]
  if (!first) return none
  const http = createHttp()
  server ??= await learnServer(http, first.enrolment.scep.url)
  http.close()
  const known = server
  const signer = throwAwaySigner(await makeKeys('rsa'), new Date())
  const asks = waiting.splice(0).map(device => {
    const { url, challenge } = device.enrolment.scep
    const { body, ...transaction } = scepRequest(known, {
      url,
      challenge,
      keys: device.keys,
      signer,
      commonName: device.udid,
    })
    const head = {
      method: 'POST',
      url: `${url}?operation=PKIOperation`,
      headers: { 'Content-Type': 'application/x-pki-message' },
    }
    return { device, transaction, request: requestBytes(head, body), answer: undefined as Buffer | undefined }
  })
  let at = 0
  const next = () => {
    const ask = asks[at++]
    if (!ask) return undefined
    return one(ask.request, (body, status) => {
      if (status === 200) ask.answer = Buffer.from(body)
    })
  }
  begin()
  const measured = await run({ ...target(first.enrolment.scep.url), connections, next, until: MOST })
  measuredAt()
  for (const { device, transaction, answer } of asks) {
    if (!answer) continue
    prepare(device, openAnswer(answer, known, signer, transaction))
    certified.push(device)
  }
  return measured
}

/** Authenticate and TokenUpdate: two requests, one enrolment. `perSecond` counts enrolments. */
async function enrol({ count, connections }: Job & { do: 'enrol' }): Promise<Measure> {
  const batch = certified.splice(0, count)
  if (batch.length === 0) return none
  let at = 0
  const ends: number[] = []
  const started = performance.now()
  const next = (): Step | undefined => {
    const device = batch[at++]
    if (!device) return undefined
    let step = 0
    return answer => {
      if (answer && answer.status !== 200) return undefined
      if (step === 2) {
        devices.push(device)
        ends.push(performance.now() - started)
      }
      return [device.authenticate, device.tokenUpdate][step++]
    }
  }
  const measured = await run({ ...target(batch[0]!.enrolment.checkInUrl), connections, next, until: MOST })
  return {
    ...measured,
    requests: ends.length,
    perSecond: Math.round(ends.length / measured.seconds),
    windows: windows(ends),
  }
}

/** With a `rate`, so many arrive each second; without, each connection asks again as soon as it was answered. */
async function idle({ devices: [from, to], connections, seconds, rate }: Job & { do: 'idle' }): Promise<Measure> {
  const some = devices.slice(from, to)
  if (some.length === 0) return none
  let at = 0
  const next = () => one(some[at++ % some.length]!.idle)
  const load = { ...target(some[0]!.enrolment.serverUrl), connections, next, until: seconds * 1000 }
  return rate === undefined ? run(load) : runAtRate(load, rate)
}

let commands = 0
let signedLate = 0

/**
 * Idle, then every command acknowledged until there is none: the requests are counted, the commands too. A CommandUUID follows from order and
 * device, so the acknowledgements are signed beforehand; devices whose id is not yet known sign as they go, and it is known from then on.
 */
async function fetchAll(
  { devices: [from, to], connections, seconds, issued }: Job & { do: 'fetch' },
  begin: () => void,
): Promise<Measure> {
  const some = devices.slice(from, to)
  if (some.length === 0) return none
  const ready = new Map<string, Buffer>()
  for (const device of some)
    for (const order of device.id ? issued.orders : []) {
      const uuid = commandUuid(order, device.id!)
      ready.set(uuid, acknowledgement(device, uuid))
    }
  const owners = new Map(
    issued.orders.flatMap(order => issued.devices.map(id => [commandUuid(order, id), id] as const)),
  )
  const answerTo = (device: BenchDevice, body: Buffer): Buffer | undefined => {
    const uuid = uuidIn(body)
    if (!uuid) return undefined
    commands++
    const signed = ready.get(uuid)
    if (signed) return signed
    signedLate++
    device.id ??= owners.get(uuid)
    return acknowledgement(device, uuid)
  }
  let at = 0
  const next = (): Step | undefined => {
    const device = some[at++]
    return device && (answer => (answer ? answerTo(device, answer.body) : device.idle))
  }
  begin()
  return run({ ...target(some[0]!.enrolment.serverUrl), connections, next, until: seconds * 1000 })
}

let cpuStart = process.cpuUsage()
let cpuUsed = 0
const begin = () => {
  cpuStart = process.cpuUsage()
  process.send?.({ begin: true })
}
const measuredAt = () => {
  const { user, system } = process.cpuUsage(cpuStart)
  cpuUsed = (user + system) / 1e6
  process.send?.({ end: true })
}

async function work(job: Job): Promise<Measure> {
  commands = 0
  signedLate = 0
  if (job.do === 'scep') return scep(job, begin) // its preparation and its opening are outside the clock
  if (job.do !== 'fetch') begin()
  const measured = await perform(job)
  measuredAt()
  return measured
}

function perform(job: Exclude<Job, { do: 'scep' }>): Promise<Measure> {
  if (job.do === 'profiles') return profiles(job)
  if (job.do === 'enrol') return enrol(job)
  return job.do === 'idle' ? idle(job) : fetchAll(job, begin)
}

process.on('message', (job: Job) => {
  work(job).then(
    measured => process.send?.({ done: { ...measured, cpu: cpuUsed, commands, signedLate } satisfies Done }),
    error => process.send?.({ failed: String((error as Error).stack ?? error) }),
  )
})
process.on('disconnect', () => process.exit(0))
