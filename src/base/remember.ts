import { closeSync, constants, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs'

// A small file that one process writes for its own next start. Losing it must be harmless.

/** What was remembered; undefined where there is nothing, or nothing that can be read. */
export function recall<T>(file: string): T | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as T
  } catch {
    return undefined
  }
}

/** Replaces the file as a whole: a reader sees the old or the new one, also after a crash. */
export function remember(file: string, value: unknown): void {
  const fresh = `${file}.${process.pid}.new`
  rmSync(fresh, { force: true })
  // Node's permission model forbids fsync: O_SYNC makes the write itself wait for the disk.
  const { O_WRONLY, O_CREAT, O_EXCL, O_SYNC } = constants
  const handle = openSync(fresh, O_WRONLY | O_CREAT | O_EXCL | O_SYNC, 0o600)
  writeSync(handle, `${JSON.stringify(value)}\n`)
  closeSync(handle)
  renameSync(fresh, file)
}
