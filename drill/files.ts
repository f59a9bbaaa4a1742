import { closeSync, openSync, readdirSync, readSync } from 'node:fs'
import { join } from 'node:path'

// Every byte of every file of a folder, in pieces.

const PIECE = 32 * 1024 * 1024
const OVERLAP = 4096

export function* bytesOf(folder: string): Generator<{ path: string; bytes: Buffer }> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) yield* bytesOf(path)
    else if (entry.isFile()) for (const bytes of piecesOf(path)) yield { path, bytes }
  }
}

/** A file that goes away meanwhile has no more pieces. */
function* piecesOf(path: string): Generator<Buffer> {
  let file: number
  try {
    file = openSync(path, 'r')
  } catch {
    return
  }
  try {
    for (let at = 0; ; at += PIECE - OVERLAP) {
      const bytes = Buffer.alloc(PIECE)
      const length = readSync(file, bytes, 0, PIECE, at)
      if (length > 0) yield bytes.subarray(0, length)
      if (length < PIECE) return
    }
  } finally {
    closeSync(file)
  }
}
