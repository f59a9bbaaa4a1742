import { BulkheadError } from '../base/errors.ts'
import { leafHash, nodeHash, treeRoot } from '../wire/tlog/merkle.ts'
import { decodeBundle, TILE_WIDTH, type Tile, tilePath } from '../wire/tlog/tile.ts'

/** Where tiles come from: neither is believed. */
export type Source = {
  /** What an earlier run has kept. */
  held(path: string): Buffer | null
  /** Reads `path` below the log's prefix: at most `limit` bytes; null where there is none. */
  fetch(path: string, limit: number): Promise<Buffer | null>
}
/** What the log signed. */
type Tree = { size: number; root: Buffer }

const MAX_BUNDLE = TILE_WIDTH * (2 + 0xffff)
const MAX_KEPT = 512 // tiles
const HASH = 32

/** Tiles of one signed tree: each is believed when the tile above it, and at the top the signed root, contains what it hashes to. */
export class ProvedTiles {
  fetched = 0
  readonly #source: Source
  readonly #head: Tree
  /** Hash tiles lately proved; their number is bounded, the tree's size is not. */
  readonly #proved = new Map<string, Buffer>()

  constructor(source: Source, head: Tree) {
    this.#source = source
    this.#head = head
  }

  /** The tiles at the right edge are proved by the root, all at once: it is made of every hash in them. */
  async assertRoot(): Promise<void> {
    for (let level = 0; TILE_WIDTH ** level <= this.#head.size; level++) {
      const tile = this.#tile(level, Math.floor(this.#head.size / TILE_WIDTH ** (level + 1)))
      if (tile.width > 0) this.#keep(tile, await this.#load(tile))
    }
    if ((await this.rootOf(this.#head.size)).equals(this.#head.root)) return
    throw new BulkheadError('UNPROVEN', 'The tiles do not lead to the root that the log signed.')
  }

  /** The root over the first `size` leaves of this tree. */
  async rootOf(size: number): Promise<Buffer> {
    const nodes = new Map<string, Buffer>()
    const asked: [number, number][] = []
    treeRoot(size, (level, index) => {
      asked.push([level, index])
      return Buffer.alloc(HASH)
    })
    for (const [level, index] of asked) nodes.set(`${level} ${index}`, await this.#node(level, index))
    return treeRoot(size, (level, index) => nodes.get(`${level} ${index}`)!)
  }

  /** A tile's bytes, proved. Throws UNPROVEN. */
  async read(tile: Tile): Promise<Buffer> {
    if (tile.level !== 'entries') return this.#hashes(tile.level, tile.index)
    const leaves = await this.#hashes(0, tile.index)
    const isProved = (bytes: Buffer) =>
      Buffer.concat(decodeBundle(bytes, tile.width).map(entry => leafHash(entry))).equals(leaves)
    return this.#load(tile, isProved)
  }

  /** The hash of the complete subtree of 2^level leaves. */
  async #node(level: number, index: number): Promise<Buffer> {
    const within = level % 8
    const first = index * 2 ** within
    const hashes = await this.#hashes((level - within) / 8, Math.floor(first / TILE_WIDTH))
    const at = (first % TILE_WIDTH) * HASH
    return fold(hashes.subarray(at, at + 2 ** within * HASH))
  }

  async #hashes(level: number, index: number): Promise<Buffer> {
    const tile = this.#tile(level, index)
    const proved = this.#proved.get(tilePath(tile))
    if (proved) return proved
    if (tile.width < TILE_WIDTH) throw new BulkheadError('INTERNAL', 'A partial tile away from the edge.')
    const above = await this.#node((level + 1) * 8, index)
    const bytes = await this.#load(tile, bytes => fold(bytes).equals(above))
    this.#keep(tile, bytes)
    return bytes
  }

  /** A tile as wide as this tree makes it; 0 where it has none. */
  #tile(level: number, index: number): Tile & { level: number } {
    const nodes = Math.floor(this.#head.size / TILE_WIDTH ** level)
    return { level, index, width: Math.max(0, Math.min(TILE_WIDTH, nodes - index * TILE_WIDTH)) }
  }

  #keep(tile: Tile, bytes: Buffer) {
    // Those of the edge are few and proved only once, so they stay.
    if (this.#proved.size > MAX_KEPT)
      for (const path of this.#proved.keys()) if (!path.includes('.p/')) this.#proved.delete(path)
    this.#proved.set(tilePath(tile), bytes)
  }

  /** From the mirror where an earlier run got that far, else from the log. */
  async #load(tile: Tile, isProved: (bytes: Buffer) => boolean = () => true): Promise<Buffer> {
    const path = tilePath(tile)
    const limit = tile.level === 'entries' ? MAX_BUNDLE : tile.width * HASH
    const isWhole = (bytes: Buffer) => tile.level === 'entries' || bytes.length === limit
    const held = tile.width === TILE_WIDTH ? this.#source.held(path) : null
    if (held && isWhole(held) && holds(() => isProved(held))) return held
    const bytes = await this.#source.fetch(path, limit)
    if (!bytes) throw new BulkheadError('UNAVAILABLE', `The log does not show ${path}.`, { remedy: 'Try again.' })
    this.fetched++
    if (!isWhole(bytes) || !isProved(bytes))
      throw new BulkheadError('UNPROVEN', `${path} is not part of the tree that the log signed.`)
    return bytes
  }
}

function holds(judge: () => boolean): boolean {
  try {
    return judge()
  } catch {
    return false
  }
}

/** The root over 2^n hashes that lie behind each other. */
function fold(hashes: Buffer): Buffer {
  if (hashes.length === HASH) return hashes
  const half = hashes.length / 2
  return nodeHash(fold(hashes.subarray(0, half)), fold(hashes.subarray(half)))
}
