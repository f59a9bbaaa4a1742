import { setTimeout as sleep } from 'node:timers/promises'
import { type Answer, type Connection, openConnection } from './wire.ts'

/** What was measured. Times in milliseconds; `windows` has the rate of each thousand, where the order of requests matters. */
export type Measure = {
  requests: number
  seconds: number
  perSecond: number
  p50: number
  p99: number
  failures: Record<string, number>
  windows: number[]
}

/** One chain of requests over one connection. Returns the next request, or undefined at its end. */
export type Step = (answer: Answer | undefined) => Buffer | undefined
export type Load = {
  host: string
  port: number
  connections: number
  /** The next chain, or undefined when there is no more. */
  next: () => Step | undefined
  /** Nothing is started after so many milliseconds. */
  until: number
  /** Statuses that are no failure. */
  good?: number
}

const WINDOW = 1000

/** Runs chains over a fixed number of kept connections: each has one request under way, as a device has. */
export async function run({ host, port, connections, next, until, good = 200 }: Load): Promise<Measure> {
  const open = await Promise.all(Array.from({ length: connections }, () => openConnection(host, port)))
  const times: number[] = []
  const ends: number[] = []
  const failures: Record<string, number> = {}
  const started = performance.now()
  const lanes = open.map(
    connection =>
      new Promise<void>(finished => {
        let step = next()
        const ask = (request: Buffer | undefined): void => {
          const chain = step
          if (request === undefined || chain === undefined) return void finished()
          const at = performance.now()
          connection.ask(request, answer => {
            const now = performance.now()
            times.push(now - at)
            ends.push(now - started)
            if (answer.status !== good) failures[answer.status] = (failures[answer.status] ?? 0) + 1
            const more = answer.status === 0 ? undefined : chain(answer)
            if (more) return ask(more)
            step = answer.status === 0 || now - started > until ? undefined : next()
            ask(step?.(undefined))
          })
        }
        ask(step?.(undefined))
      }),
  )
  await Promise.all(lanes)
  for (const connection of open) connection.close()
  return summary(times, ends, failures)
}

/**
 * The same with arrivals at a fixed rate, whether or not what came before was answered, as devices arrive. `next` gives chains of one
 * request; a time counts from when its request was due, so whoever waits for a free connection is measured too.
 */
export async function runAtRate(load: Load, rate: number): Promise<Measure> {
  const { host, port, connections, next, until, good = 200 } = load
  const open = await Promise.all(Array.from({ length: connections }, () => openConnection(host, port)))
  const free = [...open]
  const waiting: number[] = []
  const times: number[] = []
  const ends: number[] = []
  const failures: Record<string, number> = {}
  const started = performance.now()
  const ask = (connection: Connection, due: number) => {
    connection.ask(next()!(undefined)!, ({ status }) => {
      const now = performance.now()
      times.push(now - due)
      ends.push(now - started)
      if (status !== good) failures[status] = (failures[status] ?? 0) + 1
      const longest = waiting.shift()
      if (longest === undefined) free.push(connection)
      else ask(connection, longest)
    })
  }
  for (let arrived = 0, now = started; now - started < until || free.length < connections; ) {
    await sleep(1)
    now = performance.now()
    for (; arrived < (Math.min(now - started, until) / 1000) * rate; arrived++) {
      const due = started + (arrived / rate) * 1000
      const connection = free.pop()
      if (connection) ask(connection, due)
      else waiting.push(due)
    }
  }
  for (const connection of open) connection.close()
  return summary(times, ends, failures)
}

function summary(times: number[], ends: number[], failures: Record<string, number>): Measure {
  const seconds = (ends.at(-1) ?? 0) / 1000
  const sorted = Float64Array.from(times).sort()
  const at = (part: number) => round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0)
  return {
    requests: times.length,
    seconds: round(seconds),
    perSecond: seconds === 0 ? 0 : Math.round(times.length / seconds),
    p50: at(0.5),
    p99: at(0.99),
    failures,
    windows: windows(ends),
  }
}

/** Requests a second in each full thousand. */
export function windows(ends: readonly number[], size = WINDOW): number[] {
  const rates: number[] = []
  for (let at = size; at <= ends.length; at += size) {
    const took = ends[at - 1]! - (ends[at - size - 1] ?? 0)
    rates.push(Math.round(size / (took / 1000)))
  }
  return rates
}

const round = (value: number) => Math.round(value * 100) / 100

/** Puts two measures of the same thing, taken one after the other, together. */
export function joined(a: Measure, b: Measure): Measure {
  const failures = { ...a.failures }
  for (const [status, count] of Object.entries(b.failures)) failures[status] = (failures[status] ?? 0) + count
  const [requests, seconds] = [a.requests + b.requests, a.seconds + b.seconds]
  const larger = a.requests > b.requests ? a : b
  return {
    requests,
    seconds: round(seconds),
    perSecond: Math.round(requests / seconds),
    p50: larger.p50,
    p99: larger.p99,
    failures,
    windows: [...a.windows, ...b.windows],
  }
}
