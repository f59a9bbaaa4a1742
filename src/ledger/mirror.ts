import { join } from 'node:path'
import { BulkheadError } from '../base/errors.ts'
import { type Checkpoint, openCheckpoint } from '../wire/tlog/checkpoint.ts'
import { verifierOf } from '../wire/tlog/cosignature.ts'
import type { Vkey } from '../wire/tlog/note.ts'
import { type Tile, tilePath } from '../wire/tlog/tile.ts'
import type { Disk } from './disk.ts'
import { ProvedTiles, type Source } from './proved.ts'
import { COSIGNED, Store, tilesOfGrowth } from './store.ts'

/**
 * A copy of one log, made from what anybody can read. Nothing is written before it is proved: every tile and entry leads to the root
 * that the log signed, and that tree begins with the one mirrored before. The checkpoint is written last, so a copy that was
 * interrupted goes on where it stopped. Whoever changes the folder is found by whoever checks it against its own signed checkpoint.
 */
export type MirrorOptions = { disk: Disk; dir: string; log: Vkey; fetch: Source['fetch'] }
/** `from`, `to`: entries before and after. */
export type Mirrored = { from: number; to: number; fetched: number }
type Head = Checkpoint & { note: string }

const MAX_NOTE = 64 * 1024
const GROUP = 8 // at once, so that hostile bundles stay within memory

/** Throws REFUSED for a log that forked or shrank, UNPROVEN for tiles that are not the signed tree's, MALFORMED, UNAVAILABLE. */
export async function mirrorLog(options: MirrorOptions): Promise<Mirrored> {
  const { disk, dir, log, fetch } = options
  const store = new Store(disk, dir)
  const open = (note: string): Head => ({ ...openCheckpoint(note, log.name, verifierOf(log)), note })
  const kept = store.readCheckpoint()
  const before = kept === null ? null : open(kept)
  const next = open(text(await fetch('checkpoint', MAX_NOTE), 'checkpoint'))
  const tiles = new ProvedTiles({ fetch, held: path => disk.read(join(dir, path)) }, next)
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

function text(bytes: Buffer | null, path: string): string {
  if (bytes) return bytes.toString()
  throw new BulkheadError('UNAVAILABLE', `There is no ${path} at this address.`, {
    remedy: 'Give the prefix of one log: bulkhead ledger url',
  })
}
