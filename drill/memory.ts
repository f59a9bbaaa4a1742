import { closeSync, openSync, readFileSync, readSync } from 'node:fs'

// What stands in a process's memory while it runs, as root sees it. Nothing is stopped and nothing is written.

const PIECE = 16 * 1024 * 1024
const OVERLAP = 4096
const EMPTY = Buffer.alloc(PIECE)

/** Every readable part of it that may change, in pieces. Throws where this user may not look (EACCES, EPERM). */
export function* memoryOf(pid: number): Generator<Buffer> {
  const maps = readFileSync(`/proc/${pid}/smaps`, 'utf8')
  const file = openSync(`/proc/${pid}/mem`, 'r')
  try {
    for (const [, from, to, resident] of maps.matchAll(/^([0-9a-f]+)-([0-9a-f]+) rw[\s\S]*?^Rss: +([0-9]+) kB/gm)) {
      if (Number(resident) === 0) continue // nothing was ever written there, or it is gone
      const [start, end] = [BigInt(`0x${from}`), BigInt(`0x${to}`)]
      for (let at = start; at < end; at += BigInt(PIECE - OVERLAP)) {
        const left = Number(end - at)
        const bytes = Buffer.alloc(Math.min(left, PIECE))
        const length = read(file, bytes, at)
        if (length > 0 && !bytes.equals(EMPTY.subarray(0, bytes.length))) yield bytes.subarray(0, length)
        if (left <= PIECE) break
      }
    }
  } finally {
    closeSync(file)
  }
}

/** Parts that are only reserved cannot be read. */
function read(file: number, bytes: Buffer, at: bigint): number {
  try {
    return readSync(file, bytes, 0, bytes.length, at)
  } catch (error) {
    if (['EIO', 'EFAULT'].includes((error as NodeJS.ErrnoException).code ?? '')) return 0
    throw error
  }
}

/** Whether this user may read that process's memory at all. */
export function mayRead(pid: number): boolean {
  try {
    for (const _ of memoryOf(pid)) return true
  } catch {}
  return false
}

/** Secret bytes as they may be written somewhere. */
export type Secret = { what: string; bytes: Buffer }
export const secretForms = (what: string, secret: Buffer): Secret[] =>
  [
    secret,
    Buffer.from(secret).reverse(),
    Buffer.from(secret.toString('hex')),
    Buffer.from(secret.toString('hex').toUpperCase()),
    Buffer.from(secret.toString('base64')),
    Buffer.from(secret.toString('base64url')),
  ].map(bytes => ({ what, bytes }))
