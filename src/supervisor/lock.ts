import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { BulkheadError } from '../base/errors.ts'
import { lockFolder } from '../base/lock.ts'

/**
 * One supervisor for a home, by the lock of its folder. Beside it a file tells others which process that is, by its id and its start time, so
 * that a recycled id is not taken for ours.
 */
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

/** Takes the home or throws CONFLICT. */
export function takeHome(home: string): () => void {
  const lock = lockHome(home)
  const mine: Holder = { pid: process.pid, startTime: startTime(process.pid) ?? '' }
  writeFileSync(`${lockPath(home)}.new`, JSON.stringify(mine), { mode: 0o644 })
  renameSync(`${lockPath(home)}.new`, lockPath(home))
  return () => {
    rmSync(lockPath(home), { force: true })
    lock.release()
  }
}

function lockHome(home: string) {
  try {
    return lockFolder(home, 'Another supervisor')
  } catch (error) {
    const holder = runningSupervisor(home)
    if (!holder || !(error instanceof BulkheadError) || error.code !== 'CONFLICT') throw error
    throw new BulkheadError('CONFLICT', `Another supervisor (process ${holder.pid}) runs on ${home}.`, {
      remedy: `Stop it first: kill ${holder.pid}`,
      cause: error,
    })
  }
}
