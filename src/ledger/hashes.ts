import { nodeHash } from '../wire/tlog/merkle.ts'
import { TILE_WIDTH } from '../wire/tlog/tile.ts'

const HASH = 32
const CHUNK = 4096 // hashes in one Buffer; a multiple of a tile, so a tile never crosses two
const STRIDE = 4 // levels between two columns: memory 1/15 above the leaves' own, at most 15 hashes to find any node
const FAN = 2 ** STRIDE

/** Hashes one behind the other in large Buffers, about 32 bytes each and no object for any. */
class Column {
  readonly #chunks: Buffer[] = []
  length = 0

  push(hash: Buffer) {
    if (this.length % CHUNK === 0) this.#chunks.push(Buffer.allocUnsafeSlow(CHUNK * HASH))
    hash.copy(this.#chunks.at(-1)!, (this.length % CHUNK) * HASH)
    this.length++
  }

  /** `count` hashes that lie in one chunk. The memory is the column's own. */
  slice(from: number, count: number): Buffer {
    const at = (from % CHUNK) * HASH
    return this.#chunks[Math.floor(from / CHUNK)]!.subarray(at, at + count * HASH)
  }
}

/** A growing tree in memory: all leaf hashes, and of the nodes above every fourth level. What is between is computed when asked for. */
export class HashTree {
  readonly #columns: Column[] = [new Column()]

  get size(): number {
    return this.#columns[0]!.length
  }

  append(leaf: Buffer): void {
    let hash = leaf
    for (let at = 0; ; at++) {
      const column = this.#columns[at] ?? new Column()
      this.#columns[at] = column
      column.push(hash)
      if (column.length % FAN !== 0) return
      hash = fold(column.slice(column.length - FAN, FAN))
    }
  }

  /** A HashReader (wire/tlog/merkle.ts) over the leaves appended so far. */
  read = (level: number, index: number): Buffer => {
    const rest = level % STRIDE
    const count = 2 ** rest
    return fold(this.#columns[(level - rest) / STRIDE]!.slice(index * count, count))
  }

  /** The bytes of a hash tile. */
  tile(level: number, index: number, width: number): Buffer {
    return this.#columns[(level * 8) / STRIDE]!.slice(index * TILE_WIDTH, width)
  }
}

/** The root over 2^n hashes that lie behind each other; a copy, never the column's memory. */
function fold(hashes: Buffer): Buffer {
  let level = Buffer.from(hashes)
  while (level.length > HASH) {
    const above = Buffer.allocUnsafe(level.length / 2)
    for (let at = 0; at < above.length; at += HASH)
      nodeHash(level.subarray(2 * at, 2 * at + HASH), level.subarray(2 * at + HASH, 2 * at + 2 * HASH)).copy(above, at)
    level = above
  }
  return level
}
