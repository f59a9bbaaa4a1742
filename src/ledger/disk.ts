import { constants, readdirSync, readFileSync } from 'node:fs'
import { type FileHandle, mkdir, open, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'

/**
 * The few things the ledger does with files. Every change goes through here, so a test can stop at each of them.
 * Writes are asynchronous, since they wait for the disk; reads are few and small.
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
    remove: path => rm(path, { recursive: true, force: true }),
    close: async () => appending?.file.close(),
  }
}

async function put(path: string, bytes: Uint8Array, durable: boolean) {
  await mkdir(dirname(path), { recursive: true })
  const temporary = `${path}.new`
  const file = await open(temporary, O_WRONLY | O_CREAT | O_TRUNC | (durable ? O_DSYNC : 0), 0o644)
  try {
    await file.writeFile(bytes)
  } finally {
    await file.close()
  }
  await rename(temporary, path)
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
