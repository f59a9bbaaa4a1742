import { BulkheadError } from '../../base/errors.ts'

/** C2SP tlog-tiles: where hashes and entries of a log are found, 256 in a tile. */

export const TILE_WIDTH = 256
/** `level` of hash tiles is 0 to 7 in any tree that numbers can count; 'entries' are entry bundles. `width`: 1 to 256. */
export type Tile = { level: number | 'entries'; index: number; width: number }

const SHAPE = /^tile\/(entries|[0-7])\/((?:x[0-9]{3}\/){0,5}[0-9]{3})(?:\.p\/([1-9][0-9]{0,2}))?$/

/** tile/0/x001/x234/067 or tile/entries/000.p/12 */
export function tilePath({ level, index, width }: Tile): string {
  return `tile/${level}/${indexPath(index)}${width === TILE_WIDTH ? '' : `.p/${width}`}`
}

/** The one path of a tile; null for anything else, such as leading x000 groups and a partial tile of 256. */
export function decodeTilePath(path: string): Tile | null {
  const match = path.length > 64 ? null : SHAPE.exec(path)
  if (!match) return null
  const index = Number(match[2]!.replaceAll(/[x/]/g, ''))
  const width = match[3] === undefined ? TILE_WIDTH : Number(match[3])
  const tile: Tile = { level: match[1] === 'entries' ? 'entries' : Number(match[1]), index, width }
  return width <= TILE_WIDTH && Number.isSafeInteger(index) && tilePath(tile) === path ? tile : null
}

function indexPath(index: number): string {
  const groups = [group(index % 1000)]
  for (let rest = Math.floor(index / 1000); rest > 0; rest = Math.floor(rest / 1000))
    groups.unshift(`x${group(rest % 1000)}`)
  return groups.join('/')
}
const group = (value: number) => String(value).padStart(3, '0')

/** The tiles of one level that came to be when the tree grew from `from` to `to` leaves: full ones, and one partial at the end. */
export function grownTiles(level: number | 'entries', from: number, to: number): Tile[] {
  const leaves = level === 'entries' ? 1 : TILE_WIDTH ** level
  const [before, after] = [Math.floor(from / leaves), Math.floor(to / leaves)]
  const tiles: Tile[] = []
  for (let index = Math.floor(before / TILE_WIDTH); index * TILE_WIDTH < after; index++) {
    const width = Math.min(TILE_WIDTH, after - index * TILE_WIDTH)
    if (index * TILE_WIDTH + width > before) tiles.push({ level, index, width })
  }
  return tiles
}

/** An entry bundle: u16be length and bytes, for each entry. Throws LIMIT above 65,535 bytes. */
export function encodeBundle(entries: readonly Uint8Array[]): Buffer {
  const parts = entries.flatMap(entry => {
    if (entry.length > 0xffff) throw new BulkheadError('LIMIT', 'An entry of a bundle has at most 65,535 bytes.')
    return [Buffer.of(entry.length >> 8, entry.length & 0xff), entry]
  })
  return Buffer.concat(parts)
}

/** Exactly `width` entries and nothing behind them. Throws MALFORMED. The entries share the memory of `bytes`. */
export function decodeBundle(bytes: Buffer, width: number): Buffer[] {
  const { entries, end } = readEntries(bytes, width)
  if (end !== bytes.length) throw new BulkheadError('MALFORMED', 'An entry bundle with bytes behind its entries.')
  return entries
}

/** The first `width` entries of a bundle, as a narrower bundle. Throws MALFORMED. */
export function narrowBundle(bytes: Buffer, width: number): Buffer {
  return bytes.subarray(0, readEntries(bytes, width).end)
}

function readEntries(bytes: Buffer, width: number): { entries: Buffer[]; end: number } {
  const entries: Buffer[] = []
  let at = 0
  while (entries.length < width) {
    const start = at + 2
    const end = start <= bytes.length ? start + bytes.readUInt16BE(at) : Number.POSITIVE_INFINITY
    if (end > bytes.length) throw new BulkheadError('MALFORMED', 'An entry bundle that ends within an entry.')
    entries.push(bytes.subarray(start, end))
    at = end
  }
  return { entries, end: at }
}
