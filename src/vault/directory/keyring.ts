import { createHmac } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { BulkheadError } from '../../base/errors.ts'
import { lockFolder } from '../../base/lock.ts'
import { type Change, Contents, encodeChange } from './contents.ts'
import { createCopies, readCopy } from './copies.ts'
import { type Disk, openDisk } from './disk.ts'
import { fileOf, keysFirst, pathOf } from './epoch.ts'
import { damaged, KEY, readFrames, sealFrame } from './frame.ts'
import { nameOf, type Place, type Row } from './rows.ts'
import { readSnapshot, sealSnapshot } from './snapshot.ts'

/**
 * The vault's own store of release keys, apart from PostgreSQL, its WAL and its backups: for each record its unit, current version, the digest of
 * its inner half, and a private key without which its outer half does not open; and what was released lately.
 *
 *   <epoch>.key        32 bytes, which everything of that epoch is sealed with
 *   <epoch>.snapshot   all that there was when the epoch began
 *   <epoch>.segment    each change since, on disk before anybody is answered
 *
 * A new epoch: new key, new snapshot, and with that snapshot's name it has begun; then the old key is overwritten and removed, then what it was for.
 * At start the newest snapshot counts, whatever else is there is the rest of such a step and is done away with, and where there were changes a new
 * epoch begins: so the torn end of a segment is gone, and an erasure that was cut short is completed.
 *
 * Erasing is as good as the destruction of 32 bytes. Overwriting reaches them on a plain disk. A copy-on-write file system (btrfs, ZFS, a
 * snapshot of a volume), and the spare blocks of flash, may keep the old ones for a while: nothing that a program writes can change that. Keep the
 * folder on a plain file system on an encrypted disk, and out of every backup; copies.ts is its backup.
 *
 * Who copies the folder opens outer halves, and so nothing without a unit's key. Who changes it makes records unreadable, or old versions current.
 */
export type Keyring = Awaited<ReturnType<typeof openKeyring>>
type Options = {
  dir: string
  /** A second folder, for copies. */
  copyDir?: string | undefined
  random: (size: number) => Buffer
  /** Seconds. */
  clock: () => number
  disk?: Disk
  /** Hears of copies that could not be written. */
  failed?: (error: unknown) => void
}

const MOST_SEGMENT = 64 * 1024 * 1024

export async function openKeyring(options: Options) {
  const { dir, copyDir, random, clock, disk = openDisk(), failed = () => {} } = options
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  const lock = lockFolder(dir, 'Another vault')
  let contents = Contents.fresh(random(32))
  let epoch = 0
  let key: Buffer = Buffer.alloc(KEY)
  let frames = 0
  let written = 0 // bytes of the segment
  let broken = true
  let last: Promise<unknown> = Promise.resolve()
  const source = () => ({ contents, epoch })
  const copies = copyDir === undefined ? undefined : createCopies({ dir: copyDir, random, source, failed })

  /** One after the other. After a write that failed nobody knows what is on the disk, so it is read again. */
  function turn<T>(run: () => Promise<T>): Promise<T> {
    const mine = last.then(async () => {
      if (broken) await unlessBroken(recover)
      return await run()
    })
    last = mine.catch(() => {})
    return mine
  }
  async function unlessBroken<T>(run: () => Promise<T>): Promise<T> {
    try {
      return await run()
    } catch (cause) {
      broken = true
      if (cause instanceof BulkheadError) throw cause
      throw new BulkheadError('UNAVAILABLE', 'The keyring could not be written.', { cause })
    }
  }

  async function commit(change: Change) {
    const body = encodeChange(change)
    const frame = sealFrame(key, { file: 'segment', epoch }, frames, body, random)
    await unlessBroken(() => disk.append(pathOf(dir, epoch, 'segment'), frame))
    frames++
    written += frame.length
    contents.apply(body)
    body.fill(0) // it may hold keys
    copies?.changed()
    if (written > MOST_SEGMENT) await roll()
  }

  const roll = () =>
    unlessBroken(async () => {
      contents.spending.prune(clock())
      const [old, fresh] = [epoch, random(KEY)]
      const place = { file: 'snapshot', epoch: old + 1 } as const
      await disk.put(pathOf(dir, place.epoch, 'key'), fresh)
      await disk.put(pathOf(dir, place.epoch, 'snapshot'), sealSnapshot(contents, fresh, place, random))
      key.fill(0)
      ;[epoch, key, frames, written] = [place.epoch, fresh, 0, 0]
      contents.eraseDue = false
      copies?.changed()
      if (old === 0) return
      await disk.overwrite(pathOf(dir, old, 'key'), random(KEY))
      for (const part of ['key', 'segment', 'snapshot'] as const) await disk.remove(pathOf(dir, old, part))
    })

  async function recover() {
    disk.close()
    const found = disk.list(dir).flatMap(name => fileOf(name) ?? [])
    epoch = Math.max(0, ...found.filter(({ part }) => part === 'snapshot').map(file => file.epoch))
    if (epoch === 0 && found.some(file => file.part === 'segment' || file.epoch > 1))
      throw damaged({ file: 'snapshot', epoch: 0 })
    if (epoch > 0) read()
    if (epoch > 0) await disk.sync(dir) // before anything is destroyed that a lost name would need
    for (const file of found.filter(file => file.epoch !== epoch || file.part === undefined).sort(keysFirst)) {
      if (file.part === 'key') await disk.overwrite(join(dir, file.name), random(KEY))
      await disk.remove(join(dir, file.name))
    }
    broken = false
    if (epoch === 0 || written > 0) await roll()
  }

  function read() {
    const found = disk.read(pathOf(dir, epoch, 'key'))
    if (found?.length !== KEY) throw damaged({ file: 'snapshot', epoch })
    key = found
    contents = readSnapshot(disk.read(pathOf(dir, epoch, 'snapshot'))!, key, { file: 'snapshot', epoch })
    const segment = disk.read(pathOf(dir, epoch, 'segment')) ?? Buffer.alloc(0)
    readFrames(key, { file: 'segment', epoch }, segment, body => contents.apply(body))
    written = segment.length
  }

  try {
    await turn(async () => {})
  } catch (error) {
    disk.close()
    lock.release()
    throw error
  }
  copies?.changed()

  return {
    get epoch() {
      return epoch
    },
    get size() {
      return contents.rows.size
    },
    get spending() {
      return contents.spending
    },
    find: (place: Place): Row | undefined => contents.rows.find(place),
    /** The key that is taking the place of the present one. */
    nextKey: (place: Place): Buffer | undefined => contents.next.get(nameOf(place)),
    /** Keys that were made before this epoch are to be made anew. */
    get renewBelow() {
      return contents.renewBelow
    },
    /** Their records. */
    due: (): Place[] => [...contents.rows.madeBefore(contents.renewBelow)],
    /** A salted digest, in which nobody without the keyring finds an id again: 16 bytes, base64url. */
    digest: (text: string): string =>
      createHmac('sha256', contents.salt).update(text).digest().subarray(0, 16).toString('base64url'),
    /**
     * Decides on a change by what there is, and makes it; `decide` throws to refuse. It is on disk when this returns. Throws UNAVAILABLE where the
     * disk fails.
     */
    change: (decide: () => Change | undefined): Promise<void> =>
      turn(async () => {
        const change = decide()
        if (change) await commit(change)
      }),
    /** The same; and no key is left, here or among the copies, that opens what is no longer there. Returns the epoch that has begun. */
    changeForGood: (decide: () => Change | undefined): Promise<number> =>
      turn(async () => {
        const change = decide()
        if (change) await commit(change)
        if (change || contents.eraseDue) await roll()
        await copies?.settle()
        return epoch
      }),
    async close() {
      await last
      await copies?.close()
      disk.close()
      key.fill(0)
      lock.release()
    },
  }
}

/** Puts a copy in the place of a keyring that was lost. Throws CONFLICT where there is one. */
export async function restoreKeyring(options: { dir: string; copy: string; random: (size: number) => Buffer }) {
  const { dir, copy, random } = options
  const disk = openDisk()
  if (disk.list(dir).some(name => fileOf(name) !== undefined))
    throw new BulkheadError('CONFLICT', 'There is a keyring already.', { remedy: 'Move it away first.' })
  const { contents, epoch } = readCopy(copy)
  const [key, place] = [random(KEY), { file: 'snapshot', epoch: epoch + 1 } as const]
  await disk.put(pathOf(dir, place.epoch, 'key'), key)
  await disk.put(pathOf(dir, place.epoch, 'snapshot'), sealSnapshot(contents, key, place, random))
}
