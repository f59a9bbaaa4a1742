import { join } from 'node:path'
import { BulkheadError } from '../base/errors.ts'
import { leafHash, treeRoot } from '../wire/tlog/merkle.ts'
import { decodeBundle, TILE_WIDTH, type Tile, tilePath } from '../wire/tlog/tile.ts'
import type { LogName } from './api.ts'
import { type Head, openHead, type Signing } from './checkpoint.ts'
import type { Disk } from './disk.ts'
import { decodeEntry } from './entry.ts'
import { HashTree } from './hashes.ts'
import { readRecords } from './journal.ts'
import { COSIGNED, partialTiles, tilesOfGrowth } from './store.ts'

/** Checks a log's files against its checkpoint and against each other. Reads only; a running ledger does no harm, but may show a tile too early. */
export type Finding = { log: LogName; place: string; what: string }
/** `signing` with public keys. `dir` is the log's own folder. */
export type FsckOptions = { disk: Disk; dir: string; log: LogName; signing: Signing }
export type FsckResult = { size: number; findings: Finding[] }

export function fsck(options: FsckOptions): FsckResult {
  const findings: Finding[] = []
  const report = (place: string, what: string) => void findings.push({ log: options.log, place, what })
  const head = checkHead(options, report)
  if (!head) return { size: 0, findings }
  const tree = checkEntries(options, head.size, report)
  if (tree.size < head.size) return { size: head.size, findings } // without all leaves no hash above them can be judged
  if (!treeRoot(head.size, tree.read).equals(head.root))
    report('checkpoint', 'The entries do not lead to the signed root.')
  checkCosigned(options, tree, report)
  checkTiles(options, head.size, tree, report)
  checkJournal(options, tree, report)
  return { size: head.size, findings }
}

/** Lines for a person. */
export function describeFindings(log: LogName, { size, findings }: FsckResult): string {
  const lines = findings.map(({ place, what }) => `${log}: ${place}: ${what}\n`)
  return `${lines.join('')}${log}: ${size} entries under the checkpoint, ${findings.length} findings\n`
}

type Report = (place: string, what: string) => void

function checkHead({ disk, dir, signing }: FsckOptions, report: Report): Head | null {
  const note = disk.read(join(dir, 'checkpoint'))
  if (!note) report('checkpoint', 'There is none.')
  return note && guard('checkpoint', report, () => openHead(signing, note.toString()))
}

/** There is one only where witnesses sign. */
function checkCosigned({ disk, dir, signing }: FsckOptions, tree: HashTree, report: Report) {
  const note = disk.read(join(dir, COSIGNED))
  const head = note && guard(COSIGNED, report, () => openHead(signing, note.toString()))
  if (!head) return
  if (head.size > tree.size || !treeRoot(head.size, tree.read).equals(head.root))
    report(COSIGNED, 'The entries do not lead to the root that witnesses signed.')
}

/** Reads every bundle up to `size`; stops at the first that is missing or broken. */
function checkEntries({ disk, dir }: FsckOptions, size: number, report: Report): HashTree {
  const tree = new HashTree()
  const unique = new Map<string, number>()
  for (let index = 0; tree.size < size; index++) {
    const path = tilePath({ level: 'entries', index, width: Math.min(TILE_WIDTH, size - tree.size) })
    const entries = guard(path, report, () => readBundle(disk, join(dir, path), Math.min(TILE_WIDTH, size - tree.size)))
    if (!entries) return tree
    for (const entry of entries) {
      guard(`entry ${tree.size}`, report, () => checkEntry(entry, tree.size, unique))
      tree.append(leafHash(entry))
    }
  }
  return tree
}

function readBundle(disk: Disk, path: string, width: number): Buffer[] {
  const bytes = disk.read(path)
  if (!bytes) throw new BulkheadError('NOT_FOUND', 'This bundle is missing.')
  return decodeBundle(bytes, width)
}

function checkEntry(bytes: Buffer, index: number, unique: Map<string, number>) {
  const { unique: key } = decodeEntry(bytes.toString())
  if (key === undefined) return
  const earlier = unique.get(key)
  if (earlier !== undefined) throw new BulkheadError('CONFLICT', `Its unique key is that of entry ${earlier}.`)
  unique.set(key, index)
}

function checkTiles({ disk, dir }: FsckOptions, size: number, tree: HashTree, report: Report) {
  const full = tilesOfGrowth(0, size).filter(tile => tile.width === TILE_WIDTH)
  for (const tile of [...full, ...partialTiles(size)]) {
    if (tile.level === 'entries') continue // read above
    const what = judgeTile(disk.read(join(dir, tilePath(tile))), tree, tile as Tile & { level: number })
    if (what) report(tilePath(tile), what)
  }
}

function judgeTile(
  bytes: Buffer | null,
  tree: HashTree,
  { level, index, width }: Tile & { level: number },
): string | null {
  if (!bytes) return 'This tile is missing.'
  return bytes.equals(tree.tile(level, index, width)) ? null : 'These are not the hashes of the entries.'
}

/** Entries that are both in the journal and under the checkpoint must be the same; those above are counted as promised. */
function checkJournal({ disk, dir }: FsckOptions, tree: HashTree, report: Report) {
  const folder = join(dir, 'journal')
  for (const name of disk.list(folder)) {
    const first = Number(name)
    const bytes = disk.read(join(folder, name))!
    const { entries, end } = readRecords(bytes, first)
    if (end !== bytes.length) report(`journal/${name}`, `Torn after ${entries.length} entries.`)
    const other = entries.findIndex(
      (entry, at) => first + at < tree.size && !tree.read(0, first + at).equals(leafHash(entry)),
    )
    if (other >= 0) report(`journal/${name}`, `Entry ${first + other} is another than the one in the bundles.`)
  }
}

function guard<T>(place: string, report: Report, act: () => T): T | null {
  try {
    return act()
  } catch (error) {
    if (!(error instanceof BulkheadError)) throw error
    report(place, error.message)
    return null
  }
}
