import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { BulkheadError } from './errors.ts'

/**
 * One process a folder. The lock is the operating system's own, on a file that SQLite opens: it ends with the process however that
 * ends, and two that start at once cannot both have it. Throws CONFLICT, with what `whose` says.
 */
export function lockFolder(dir: string, whose: string): { release(): void } {
  const file = new DatabaseSync(join(dir, 'lock'), { timeout: 0 })
  try {
    file.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE')
  } catch (cause) {
    file.close()
    throw new BulkheadError('CONFLICT', `${whose} uses ${dir} already.`, { remedy: 'Stop it first.', cause })
  }
  return { release: () => file.close() }
}
