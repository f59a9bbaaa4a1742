import { join } from 'node:path'
import { BulkheadError } from '../../base/errors.ts'
import type { Contents } from './contents.ts'
import { type Disk, openDisk } from './disk.ts'
import { KEY } from './frame.ts'
import { readSnapshot, sealSnapshot } from './snapshot.ts'

/**
 * Copies of the keyring in a second folder, best on another disk: each one file, a key of its own (32 bytes) and all contents under it, so that it
 * is destroyed by overwriting its beginning. The newest two of the present epoch are kept; once a new epoch has a copy, none of an older one is.
 * What changed in the last seconds before a loss of the keyring is not in them. What the keyring says of disks that keep old blocks holds here.
 */
export type Copies = ReturnType<typeof createCopies>
type Random = (size: number) => Buffer
type Options = {
  dir: string
  random: Random
  source: () => { contents: Contents; epoch: number }
  failed: (error: unknown) => void
  disk?: Disk
}

const NAME = /^([0-9]{8})-([0-9]{8})\.copy(\.new)?$/
const AFTER_MS = 5_000
const KEPT = 2

export function createCopies({ dir, random, source, failed, disk = openDisk() }: Options) {
  let timer: NodeJS.Timeout | undefined
  let saved: number | undefined // epoch of the newest copy
  let dirty = true
  let last: Promise<unknown> = Promise.resolve()

  async function save() {
    if (!dirty && saved === source().epoch) return
    const { contents, epoch } = source()
    const newest = Math.max(0, ...filesIn(dir, disk).map(({ number }) => number))
    dirty = false
    try {
      const key = random(KEY)
      const bytes = Buffer.concat([key, sealSnapshot(contents, key, { file: 'copy', epoch }, random)])
      await disk.put(join(dir, `${pad(epoch)}-${pad(newest + 1)}.copy`), bytes)
      for (const secret of [key, bytes]) secret.fill(0)
      await tidy(epoch)
    } catch (error) {
      dirty = true
      throw error
    }
    saved = epoch
  }

  async function tidy(epoch: number) {
    const files = filesIn(dir, disk)
    const present = files.filter(file => file.epoch === epoch && !file.unfinished)
    const kept = present.slice(-KEPT).map(({ name }) => name)
    for (const { name } of files) {
      if (kept.includes(name)) continue
      await disk.overwrite(join(dir, name), random(KEY))
      await disk.remove(join(dir, name))
    }
  }

  const settle = (): Promise<void> => {
    clearTimeout(timer)
    timer = undefined
    const mine = last.then(save)
    last = mine.catch(() => {})
    return mine.catch(cause => {
      throw new BulkheadError('UNAVAILABLE', 'The copies of the keyring could not be written.', {
        remedy: 'See to their folder, then ask again: what was erased is still in the old copies.',
        cause,
      })
    })
  }
  return {
    /** A copy follows within seconds. */
    changed() {
      dirty = true
      timer ??= setTimeout(() => void settle().catch(failed), AFTER_MS).unref()
    },
    /** The newest copy holds what the keyring holds, and none holds what is no longer in it. Throws UNAVAILABLE. */
    settle,
    async close() {
      await settle().catch(failed)
      disk.close()
    },
  }
}

function filesIn(dir: string, disk: Disk) {
  const parsed = disk.list(dir).map(name => NAME.exec(name))
  return parsed.flatMap(found => {
    if (!found) return []
    const [name, epoch, number, unfinished] = found
    return [{ name, epoch: Number(epoch), number: Number(number), unfinished: unfinished !== undefined }]
  })
}
const pad = (number: number) => String(number).padStart(8, '0')

/** What is in a copy. Throws INTERNAL where it is damaged, BAD_REQUEST where it is none. */
export function readCopy(path: string, disk: Disk = openDisk()): { contents: Contents; epoch: number } {
  const [, epoch] = NAME.exec(path.slice(path.lastIndexOf('/') + 1)) ?? []
  const bytes = disk.read(path)
  if (epoch === undefined || !bytes || bytes.length < KEY)
    throw new BulkheadError('BAD_REQUEST', 'This is no copy of a keyring.')
  const place = { file: 'copy', epoch: Number(epoch) } as const
  return { contents: readSnapshot(bytes.subarray(KEY), bytes.subarray(0, KEY), place), epoch: Number(epoch) }
}
