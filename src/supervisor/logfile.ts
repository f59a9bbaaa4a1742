import { closeSync, fstatSync, openSync, renameSync, writeSync } from 'node:fs'

/** What a process says on stderr, in a file of at most `limit` bytes and one old copy. The supervisor never reads meaning into it. */
export type LogFile = { write(chunk: Uint8Array): void; tail(): string; close(): void }

const LIMIT = 10 * 1024 * 1024
const TAIL = 2000

export function openLog(path: string, limit = LIMIT): LogFile {
  let file = openSync(path, 'a', 0o600)
  let size = fstatSync(file).size
  let last = Buffer.alloc(0)
  return {
    write(chunk) {
      if (size > 0 && size + chunk.length > limit) {
        closeSync(file)
        renameSync(path, `${path}.1`)
        file = openSync(path, 'a', 0o600)
        size = 0
      }
      writeSync(file, chunk)
      size += chunk.length
      last = Buffer.concat([last, chunk]).subarray(-TAIL)
    },
    tail: () => last.toString('utf8').trimEnd(),
    close: () => closeSync(file),
  }
}
