import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Remembered } from '../trust/follow.ts'

/** How far the control log was seen, so that a shorter one is noticed. Losing the file loses nothing but that. Who writes it can only make this edge refuse. */
export function rememberIn(dir: string) {
  const path = join(dir, 'control.json')
  return {
    read(): Remembered | undefined {
      try {
        const { size, root } = JSON.parse(readFileSync(path, 'utf8')) as Remembered
        return Number.isSafeInteger(size) && typeof root === 'string' ? { size, root } : undefined
      } catch {
        return undefined
      }
    },
    write(head: Remembered): void {
      writeFileSync(`${path}.new`, JSON.stringify(head))
      renameSync(`${path}.new`, path)
    },
  }
}
