import { join } from 'node:path'
import { BulkheadError } from '../base/errors.ts'
import { type Checkpoint, openCheckpoint } from '../wire/tlog/checkpoint.ts'
import { verifierOf } from '../wire/tlog/cosignature.ts'
import { leafHash, nodeHash, treeRoot } from '../wire/tlog/merkle.ts'
import type { Vkey } from '../wire/tlog/note.ts'
import { decodeBundle, TILE_WIDTH, type Tile, tilePath } from '../wire/tlog/tile.ts'
import type { Disk } from './disk.ts'
import { COSIGNED, Store, tilesOfGrowth } from './store.ts'

/**
 * A copy of one log, made from what anybody can read. Nothing is written before it is proved: every tile and entry leads to the root
 * that the log signed, and that tree begins with the one mirrored before. The checkpoint is written last, so a copy that was
 * interrupted goes on where it stopped. Whoever changes the folder is found by the next run or by fsck.
 */
export type MirrorOptions = {
  disk: Disk
  dir: string
  log: Vkey
  /** Reads `path` below the log's prefix: at most `limit` bytes; null where there is none. */
  fetch(path: string, limit: number): Promise<Buffer | null>
}
/** `from`, `to`: entries before and after. */
export type Mirrored = { from: number; to: number; fetched: number }
type Head = Checkpoint & { note: string }

const MAX_NOTE = 64 * 1024
const MAX_BUNDLE = TILE_WIDTH * (2 + 0xffff)
const HASH = 32
const GROUP = 8 // at once, so that hostile bundles stay within memory

/** Throws REFUSED for a log that forked or shrank, UNPROVEN for tiles that are not the signed tree's, MALFORMED, UNAVAILABLE. */
export async function mirrorLog(options: MirrorOptions): Promise<Mirrored> {
  const { disk, dir, log, fetch } = options
  const store = new Store(disk, dir)
  const open = (note: string): Head => ({ ...openCheckpoint(note, log.name, verifierOf(log)), note })
  const kept = store.readCheckpoint()
  const before = kept === null ? null : open(kept)
  const next = open(text(await fetch('checkpoint', MAX_NOTE), 'checkpoint'))
  const tiles = new ProvedTiles(options, next)
  try {
    await tiles.assertRoot()
    if (before) await assertContinues(before, next, tiles)
  } catch (error) {
    // What the log signed twice is evidence against it.
    if (error instanceof BulkheadError && error.code === 'REFUSED')
      await store.putCheckpoint(next.note, 'checkpoint.refused')
    throw error
  }
  const grown = tilesOfGrowth(before?.size ?? 0, next.size)
  await copyTiles(store, tiles, grown)
  if (kept !== next.note) await store.putCheckpoint(next.note)
  await store.dropPartials(grown)
  await keepCosigned(options, store, tiles, next, open)
  return { from: before?.size ?? 0, to: next.size, fetched: tiles.fetched }
}

async function assertContinues(before: Head, next: Head, tiles: ProvedTiles) {
  if (next.size < before.size)
    throw new BulkheadError('REFUSED', `The log shows ${next.size} entries and has shown ${before.size}.`, {
      remedy:
        'Keep this mirror, and ask the ledger’s owner: a log never shrinks. Only a stale cache would be innocent.',
    })
  if (!(await tiles.rootOf(before.size)).equals(before.root))
    throw new BulkheadError(
      'REFUSED',
      'The log has forked: what it shows now does not continue what it showed before.',
      {
        remedy: 'Keep this folder: checkpoint and checkpoint.refused in it, both signed by the log, convict it.',
      },
    )
}

/** Higher levels first, since they prove the ones below; bundles last. */
async function copyTiles(store: Store, tiles: ProvedTiles, grown: Tile[]) {
  const levelOf = ({ level }: Tile) => (level === 'entries' ? -1 : level)
  const ordered = grown.toSorted((a, b) => levelOf(b) - levelOf(a))
  for (let at = 0; at < ordered.length; at += GROUP) {
    const group = ordered.slice(at, at + GROUP)
    const bytes = new Map(await Promise.all(group.map(async tile => [tilePath(tile), await tiles.read(tile)] as const)))
    await store.writeBytes(group, tile => bytes.get(tilePath(tile))!)
  }
}

/** The last head that witnesses signed, where it is one of this tree: what they hold the log to after a loss. */
async function keepCosigned(
  { fetch }: MirrorOptions,
  store: Store,
  tiles: ProvedTiles,
  next: Head,
  open: (note: string) => Head,
) {
  const note = await fetch(COSIGNED, MAX_NOTE)
  if (!note) return
  const cosigned = open(note.toString())
  if (cosigned.size > next.size) return // it grew meanwhile; the next run has it
  if (!(await tiles.rootOf(cosigned.size)).equals(cosigned.root)) {
    await store.putCheckpoint(cosigned.note, 'checkpoint.refused')
    throw new BulkheadError('REFUSED', 'The log has forked: its witnesses signed another tree than it shows.', {
      remedy: 'Keep this folder: checkpoint and checkpoint.refused in it, both signed by the log, convict it.',
    })
  }
  await store.putCosigned(cosigned.note)
}

/** Tiles of one signed tree: each is believed when the tile above it, and at the top the signed root, contains what it hashes to. */
class ProvedTiles {
  fetched = 0
  readonly #options: MirrorOptions
  readonly #head: Head
  /** Hash tiles lately proved; their number is bounded, the tree's size is not. */
  readonly #proved = new Map<string, Buffer>()

  constructor(options: MirrorOptions, head: Head) {
    this.#options = options
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
    if (this.#proved.size > 512)
      for (const path of this.#proved.keys()) if (!path.includes('.p/')) this.#proved.delete(path)
    this.#proved.set(tilePath(tile), bytes)
  }

  /** From the mirror where an earlier run got that far, else from the log. */
  async #load(tile: Tile, isProved: (bytes: Buffer) => boolean = () => true): Promise<Buffer> {
    const path = tilePath(tile)
    const limit = tile.level === 'entries' ? MAX_BUNDLE : tile.width * HASH
    const isWhole = (bytes: Buffer) => tile.level === 'entries' || bytes.length === limit
    const held = tile.width === TILE_WIDTH ? this.#options.disk.read(join(this.#options.dir, path)) : null
    if (held && isWhole(held) && holds(() => isProved(held))) return held
    const bytes = await this.#options.fetch(path, limit)
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

function text(bytes: Buffer | null, path: string): string {
  if (bytes) return bytes.toString()
  throw new BulkheadError('UNAVAILABLE', `There is no ${path} at this address.`, {
    remedy: 'Give the prefix of one log: bulkhead ledger url',
  })
}
