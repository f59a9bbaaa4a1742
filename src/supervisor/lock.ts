import { linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { BulkheadError } from '../base/errors.ts'

/** One supervisor for a home. The file names a process by its id and its start time, so a recycled id is not taken for ours. */
export type Holder = { pid: number; startTime: string }

const lockPath = (home: string) => join(home, 'supervisor.pid')

/** Start time of a process in clock ticks since boot; undefined where there is none, or only its remains. */
export function startTime(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ') // a process name may hold spaces and brackets
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19]
  } catch {
    return undefined
  }
}

/** The supervisor that holds this home now. */
export function runningSupervisor(home: string): Holder | undefined {
  try {
    const holder = JSON.parse(readFileSync(lockPath(home), 'utf8')) as Holder
    return startTime(holder.pid) === holder.startTime ? holder : undefined
  } catch {
    return undefined
  }
}

/** Takes the home or throws CONFLICT. Linking a finished file makes taking it one step. */
export function takeHome(home: string): () => void {
  const mine: Holder = { pid: process.pid, startTime: startTime(process.pid) ?? '' }
  const draft = `${lockPath(home)}.${process.pid}`
  writeFileSync(draft, JSON.stringify(mine), { mode: 0o644 })
  try {
    for (let tries = 0; tries < 3; tries++) {
      try {
        linkSync(draft, lockPath(home))
        return () => rmSync(lockPath(home), { force: true })
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      }
      if (runningSupervisor(home)) break
      rmSync(lockPath(home), { force: true })
    }
  } finally {
    rmSync(draft, { force: true })
  }
  const holder = runningSupervisor(home)
  throw new BulkheadError(
    'CONFLICT',
    `Another supervisor${holder ? ` (process ${holder.pid})` : ''} runs on ${home}.`,
    {
      remedy: holder ? `Stop it first: kill ${holder.pid}` : 'Try again.',
    },
  )
}
