import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { BulkheadError } from './errors.ts'

const BUSY = 5 // SQLITE_BUSY

/**
 * One process a folder. The lock is the operating system's own, on a file that SQLite opens: it ends with the process however that
 * ends, and two that start at once cannot both have it. Throws CONFLICT, with what `whose` says.
 */
export function lockFolder(dir: string, whose: string): { release(): void } {
  const file = open(dir)
  try {
    file.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE')
  } catch (cause) {
    file.close()
    if ((cause as { errcode?: number }).errcode !== BUSY) throw unusable(dir, cause)
    throw new BulkheadError('CONFLICT', `${whose} uses ${dir} already.`, { remedy: 'Stop it first.', cause })
  }
  return { release: () => file.close() }
}

function open(dir: string): DatabaseSync {
  try {
    return new DatabaseSync(join(dir, 'lock.db'), { timeout: 0 })
  } catch (cause) {
    throw unusable(dir, cause)
  }
}

const unusable = (dir: string, cause: unknown) =>
  new BulkheadError('HOME_UNUSABLE', `${dir} cannot be locked.`, {
    remedy: 'See that it is there, and that this user may write in it.',
    cause,
  })
