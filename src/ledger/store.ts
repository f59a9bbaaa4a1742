import { dirname, join } from 'node:path'
import { decodeBundle, encodeBundle, grownTiles, TILE_WIDTH, type Tile, tilePath } from '../wire/tlog/tile.ts'
import type { Disk } from './disk.ts'

/**
 * One log's tile storage, which is the truth about it: <dir>/checkpoint, <dir>/tile/…, and <dir>/checkpoint.cosigned.
 * Who changes a bundle or tile is found by fsck, by every mirror and by the next start: the root no longer is the signed one.
 */
export type Contents = {
  hashes(level: number, index: number, width: number): Buffer
  entries(from: number, count: number): Buffer[]
}

export const COSIGNED = 'checkpoint.cosigned'

export class Store {
  readonly dir: string
  readonly #disk: Disk

  constructor(disk: Disk, dir: string) {
    this.#disk = disk
    this.dir = dir
  }

  readCheckpoint(): string | null {
    return this.#disk.read(join(this.dir, 'checkpoint'))?.toString() ?? null
  }

  /** The last head that witnesses signed. */
  readCosigned(): string | null {
    return this.#disk.read(join(this.dir, COSIGNED))?.toString() ?? null
  }

  /** The 256 entries of a full bundle; null where there is none. Throws MALFORMED. */
  readBundle(index: number): Buffer[] | null {
    const bytes = this.#disk.read(this.#path({ level: 'entries', index, width: TILE_WIDTH }))
    return bytes && decodeBundle(bytes, TILE_WIDTH)
  }

  /** Writes tiles. Full ones and bundles are on disk when it returns; partial ones can be made again. */
  async write(tiles: Tile[], contents: Contents): Promise<void> {
    await this.writeBytes(tiles, tile => bytesOf(tile, contents))
  }

  /** The same, with the bytes of each tile themselves. */
  async writeBytes(tiles: Tile[], bytes: (tile: Tile) => Buffer): Promise<void> {
    await inGroups(tiles, tile => this.#disk.put(this.#path(tile), bytes(tile), isFull(tile)))
    const folders = new Set(tiles.filter(isFull).flatMap(tile => this.#foldersOf(tile)))
    await inGroups([...folders], folder => this.#disk.syncFolder(folder))
  }

  async putCheckpoint(note: string, name = 'checkpoint'): Promise<void> {
    await this.#disk.put(join(this.dir, name), Buffer.from(note), true)
    await this.#disk.syncFolder(this.dir)
  }

  putCosigned(note: string): Promise<void> {
    return this.putCheckpoint(note, COSIGNED)
  }

  /** Partial tiles whose full tile is there are of no use: a reader of them gets the beginning of the full one. */
  async dropPartials(tiles: Tile[]): Promise<void> {
    for (const tile of tiles.filter(isFull)) await this.#disk.remove(`${this.#path(tile)}.p`)
  }

  /** The folders whose lists of names must be on disk: every thousandth tile opened new ones. */
  #foldersOf(tile: Tile): string[] {
    const folders = [dirname(this.#path(tile))]
    while (tile.index % 1000 === 0 && folders.at(-1) !== this.dir) folders.push(dirname(folders.at(-1)!))
    return folders
  }

  #path(tile: Tile): string {
    return join(this.dir, tilePath(tile))
  }
}

/** All tiles, of every level, that the growth from `from` to `to` leaves made or widened. */
export function tilesOfGrowth(from: number, to: number): Tile[] {
  return levelsOf(to).flatMap(level => grownTiles(level, from, to))
}

/** The tiles of a tree that are not full. */
export function partialTiles(size: number): Tile[] {
  return levelsOf(size)
    .flatMap(level => grownTiles(level, 0, size).slice(-1))
    .filter(tile => !isFull(tile))
}

/** What a start writes: all above the last checkpoint of `from` leaves, and the partial tiles below, whose bytes nobody waited for. */
export function tilesToRepair(from: number, to: number): Tile[] {
  const tiles = [...tilesOfGrowth(from, to), ...partialTiles(to)]
  return [...new Map(tiles.map(tile => [tilePath(tile), tile])).values()]
}

function levelsOf(size: number): Tile['level'][] {
  const levels: Tile['level'][] = ['entries']
  for (let level = 0; TILE_WIDTH ** level <= size; level++) levels.push(level)
  return levels
}

const isFull = (tile: Tile) => tile.width === TILE_WIDTH

function bytesOf({ level, index, width }: Tile, contents: Contents): Buffer {
  if (level !== 'entries') return contents.hashes(level, index, width)
  return encodeBundle(contents.entries(index * TILE_WIDTH, width))
}

/** In groups, since open files are few. Waits for all of a group also where one fails: what still writes would meet the next attempt. */
async function inGroups<T>(items: T[], act: (item: T) => Promise<void>) {
  for (let at = 0; at < items.length; at += 16) {
    const outcomes = await Promise.allSettled(items.slice(at, at + 16).map(act))
    const failed = outcomes.find(outcome => outcome.status === 'rejected')
    if (failed) throw failed.reason
  }
}
