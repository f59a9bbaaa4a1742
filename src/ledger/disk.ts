import {
  closeSync,
  constants,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  write,
  writeFileSync,
} from 'node:fs'
import { open, rm } from 'node:fs/promises'
import { dirname } from 'node:path'

/**
 * The few things the ledger does with files. Every change goes through here, so a test can stop at each of them.
 * Only what waits for the disk is asynchronous: writes to durable files. All else is short, and a thread for it costs more than it does.
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
  let appending: { path: string; file: number } | undefined
  const finish = () => {
    if (appending) closeSync(appending.file)
    appending = undefined
  }
  async function appendTo(path: string): Promise<number> {
    if (appending?.path === path) return appending.file
    finish()
    mkdirSync(dirname(path), { recursive: true })
    const file = openSync(path, O_APPEND | O_CREAT | O_WRONLY | O_DSYNC, 0o600)
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
    append: async (path, bytes) => writeAll(await appendTo(path), bytes),
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
    close: async () => finish(),
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
  await writeOnce(temporary, O_DSYNC, bytes, 0o644)
  renameSync(temporary, path)
}

const syncFolder = (path: string) => writeOnce(`${path}.sync`, O_SYNC, Buffer.from('.'), 0o600)

async function writeOnce(path: string, flags: number, bytes: Uint8Array, mode: number): Promise<void> {
  const file = openSync(path, O_WRONLY | O_CREAT | O_TRUNC | flags, mode)
  try {
    await writeAll(file, bytes)
  } finally {
    closeSync(file)
  }
}

async function writeAll(file: number, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; )
    at += await new Promise<number>((resolve, reject) =>
      write(file, bytes, at, bytes.length - at, null, (error, written) => (error ? reject(error) : resolve(written))),
    )
}

function absent<T>(read: () => T, otherwise: T): T {
  try {
    return read()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return otherwise
    throw error
  }
}
