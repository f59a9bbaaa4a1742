import {
  closeSync,
  constants,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  write,
} from 'node:fs'
import { dirname } from 'node:path'

/**
 * The few things that the keyring does with files; each has reached the disk when it returns. Every change goes through here, so that a test
 * can stop at each of them.
 *
 * Node's permission model forbids fsync, so files are opened with O_DSYNC: each write returns when the disk has it. A folder's names are
 * made durable by a synchronous write to a small file in it: on a journalling file system (ext4, XFS, btrfs) that commits the names too.
 */
const { O_APPEND, O_CREAT, O_DSYNC, O_SYNC, O_TRUNC, O_WRONLY } = constants
const OWNER = 0o600

export type Disk = {
  /** Null where there is no such file. */
  read(path: string): Buffer | null
  /** Names in a folder, sorted; none where there is no folder. */
  list(path: string): string[]
  /** The file is there with all of `bytes`, or as before. */
  put(path: string, bytes: Uint8Array): Promise<void>
  /** Adds to a file, which it makes. */
  append(path: string, bytes: Uint8Array): Promise<void>
  /** Writes over the beginning of a file, in its place. */
  overwrite(path: string, bytes: Uint8Array): Promise<void>
  remove(path: string): Promise<void>
  /** The folder's names are on disk, also those that somebody else gave before. */
  sync(folder: string): Promise<void>
  close(): void
}

export function openDisk(): Disk {
  let appending: { path: string; file: number } | undefined // one file is appended to at a time
  const close = () => {
    if (appending) closeSync(appending.file)
    appending = undefined
  }
  async function appendTo(path: string): Promise<number> {
    if (appending?.path === path) return appending.file
    close()
    appending = { path, file: openSync(path, O_APPEND | O_CREAT | O_WRONLY | O_DSYNC, OWNER) }
    await syncFolder(dirname(path))
    return appending.file
  }
  return {
    read: path => absent(() => readFileSync(path), null),
    list: path => absent(() => readdirSync(path).sort(), []),
    async put(path, bytes) {
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
      await writeOnce(`${path}.new`, O_CREAT | O_TRUNC | O_DSYNC, bytes)
      renameSync(`${path}.new`, path)
      await syncFolder(dirname(path))
    },
    append: async (path, bytes) => writeAll(await appendTo(path), bytes),
    overwrite: (path, bytes) => writeOnce(path, O_DSYNC, bytes),
    async remove(path) {
      if (appending?.path === path) close()
      rmSync(path, { force: true })
      await syncFolder(dirname(path))
    },
    sync: syncFolder,
    close,
  }
}

const syncFolder = (path: string) => writeOnce(`${path}/.sync`, O_CREAT | O_TRUNC | O_SYNC, Buffer.from('.'))

async function writeOnce(path: string, flags: number, bytes: Uint8Array): Promise<void> {
  const file = openSync(path, O_WRONLY | flags, OWNER)
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
