import { constants, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { type FileHandle, mkdir, open, rm } from 'node:fs/promises'
import { dirname } from 'node:path'

/**
 * The few things the ledger does with files. Every change goes through here, so a test can stop at each of them.
 * Writes that wait for the disk are asynchronous. Reads are few and small; so are writes that wait for nothing, and a thread for each would
 * cost more than they do.
 *
 * Node's permission model forbids fsync, so durable files are opened with O_DSYNC: each write returns when the disk has it. A
 * folder's names are made durable by a synchronous write to a small file beside it: on a journalling file system (ext4, XFS, btrfs)
 * that commits every change of names before it.
 */
const { O_APPEND, O_CREAT, O_DSYNC, O_SYNC, O_TRUNC, O_WRONLY } = constants

export type Disk = {
  /** Null where there is no such file. */
  read(path: string): Buffer | null
  /** Names in a folder, sorted; none where there is no folder. */
  list(path: string): string[]
  /** The file is there with all of `bytes`, or as before. `durable`: its bytes are on disk; its name only after `syncFolder`. */
  put(path: string, bytes: Uint8Array, durable: boolean): Promise<void>
  syncFolder(path: string): Promise<void>
  /** Adds to a file, which it makes, and waits until the disk has it. */
  append(path: string, bytes: Uint8Array): Promise<void>
  /** Shortens a file and waits until the disk has what is left. */
  truncate(path: string, length: number): Promise<void>
  remove(path: string): Promise<void>
  close(): Promise<void>
}

export function openDisk(): Disk {
  // One file is appended to at a time: the newest journal segment.
  let appending: { path: string; file: FileHandle } | undefined
  async function appendTo(path: string): Promise<FileHandle> {
    if (appending?.path === path) return appending.file
    await appending?.file.close()
    appending = undefined
    await mkdir(dirname(path), { recursive: true })
    const file = await open(path, O_APPEND | O_CREAT | O_WRONLY | O_DSYNC, 0o600)
    appending = { path, file }
    await syncFolder(dirname(path))
    await syncFolder(dirname(dirname(path))) // the folder itself may be new
    return file
  }
  return {
    read: path => absent(() => readFileSync(path), null),
    list: path => absent(() => readdirSync(path).sort(), []),
    put,
    syncFolder,
    append: async (path, bytes) => {
      const file = await appendTo(path)
      await file.appendFile(bytes)
    },
    truncate: async (path, length) => {
      const file = await open(path, 'r+')
      try {
        await file.truncate(length)
      } finally {
        await file.close()
      }
      await syncFolder(dirname(path))
    },
    remove: path => {
      made.delete(path)
      return rm(path, { recursive: true, force: true })
    },
    close: async () => appending?.file.close(),
  }
}

/** Folders that are there: a log has a dozen, and several files are put into them ten times a second. */
const made = new Set<string>()
const MOST_MADE = 10_000

function madeFolder(path: string): boolean {
  if (made.has(path)) return true
  if (made.size >= MOST_MADE) made.clear()
  made.add(path)
  return false
}

async function put(path: string, bytes: Uint8Array, durable: boolean) {
  const temporary = `${path}.new`
  if (!madeFolder(dirname(path))) mkdirSync(dirname(path), { recursive: true })
  if (!durable) {
    writeFileSync(temporary, bytes)
    return renameSync(temporary, path)
  }
  const file = await open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_DSYNC, 0o644)
  try {
    await file.writeFile(bytes)
  } finally {
    await file.close()
  }
  renameSync(temporary, path)
}

async function syncFolder(path: string) {
  const file = await open(`${path}.sync`, O_WRONLY | O_CREAT | O_TRUNC | O_SYNC, 0o600)
  try {
    await file.write('.')
  } finally {
    await file.close()
  }
}

function absent<T>(read: () => T, otherwise: T): T {
  try {
    return read()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return otherwise
    throw error
  }
}
