import { fork } from 'node:child_process'
import { join } from 'node:path'
import type { Done, Job } from './generator.ts'
import { busySeconds, cpuOf, processesBelow } from './proc.ts'

type Seconds = Record<string, number>
type Word = { begin?: true; end?: true; done?: Done; failed?: string }
/** `all`: CPU seconds of everything on this machine. */
export type Measured = { done: Done; cpu: Seconds; all: number }
export type Asker = ReturnType<typeof startGenerator>

/** The generator, asked for one job at a time. The CPU time of what runs below `pid` is read when its clock starts and when it stops. */
export function startGenerator(pid: number) {
  const child = fork(join(import.meta.dirname, 'generator.ts'), { execArgv: process.execArgv })
  const snapshot = () => ({ cpu: cpuOf(processesBelow(pid)), all: busySeconds() })
  const ask = (job: Job): Promise<Measured> =>
    new Promise((settle, reject) => {
      let before = { cpu: {} as Seconds, all: 0 }
      let after = before
      const ended = () => reject(new Error('The generator ended.'))
      const hear = ({ begin, end, done, failed }: Word) => {
        if (begin) before = snapshot()
        if (end) after = snapshot()
        if (!done && !failed) return
        child.off('message', hear)
        child.off('exit', ended)
        const cpu = combine(after.cpu, before.cpu, (now, then) => now - then)
        if (done) settle({ done, cpu, all: after.all - before.all })
        else reject(new Error(failed))
      }
      child.on('message', hear)
      child.on('exit', ended)
      child.send(job)
    })
  return { ask, stop: () => child.disconnect() }
}

export function combine(a: Seconds, b: Seconds, how: (one: number, other: number) => number): Seconds {
  const names = new Set([...Object.keys(a), ...Object.keys(b)])
  return Object.fromEntries([...names].map(name => [name, how(a[name] ?? 0, b[name] ?? 0)]))
}
