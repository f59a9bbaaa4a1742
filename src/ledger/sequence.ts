import { sign } from 'node:crypto'
import { join } from 'node:path'
import { BulkheadError } from '../base/errors.ts'
import { leafHash, treeRoot } from '../wire/tlog/merkle.ts'
import { encodePromise } from '../wire/tlog/promise.ts'
import { encodeBundle, TILE_WIDTH, type Tile } from '../wire/tlog/tile.ts'
import {
  type Appended,
  type Caller,
  type Conflict,
  type LogName,
  MAX_CONTROL_ENTRY,
  MAX_ENTRY,
  type NewEntry,
  type Outcome,
  type Refusal,
} from './api.ts'
import { assertMayAppend } from './callers.ts'
import { type Head, linesOf, openHead, type Signing, signHead, withLines } from './checkpoint.ts'
import type { Disk } from './disk.ts'
import { decodeEntry, type Entry, uniqueOf } from './entry.ts'
import { HashTree } from './hashes.ts'
import { Journal } from './journal.ts'
import { Store, tilesOfGrowth, tilesToRepair } from './store.ts'
import { UniqueIndex } from './unique.ts'

/**
 * One log. The order that survives a crash at any step:
 *   1. an entry gets its index, in memory; nobody is told
 *   2. the journal has it on disk                         → its promise is signed and answered
 *   3. a checkpoint over all of that is signed            → everybody sees it, with tiles from memory
 *   4. tiles and bundles are on disk, then the checkpoint (about once a second; remade from the journal where a crash lost them)
 *   5. journal segments that full bundles hold are forgotten
 * A checkpoint covers only what step 2 has done, in journal order: a restart finds the same entries at the same indexes, so the same root.
 */
export type SequenceOptions = {
  disk: Disk
  dir: string
  log: LogName
  signing: Signing
  clock: () => number
  state?: LogState
}

/** What a log's entries mean to the ledger itself. It is rebuilt from them at each start, so nothing else has to be kept. */
export type LogState = {
  /** Throws where this entry may not be the next one. */
  check(caller: Caller, entry: Entry): void
  /** Every entry, in order, when it gets its place. */
  added(bytes: Buffer, index: number): void
}
const stateless: LogState = { check: () => {}, added: () => {} }

const MAX_WAITING = 100_000
const MAX_CLOCK_BACK = 60 // seconds

type Accepted = { index: number; leaf: Buffer }

export class Sequence {
  readonly log: LogName
  readonly #signing: Signing
  readonly #state: LogState
  readonly #clock: () => number
  readonly #files: Store
  readonly #tree = new HashTree()
  readonly #unique = new UniqueIndex()
  #journal!: Journal
  /** Entries from #bundled on; what is below is in full bundles. */
  #tail: Buffer[] = []
  #bundled = 0
  #durable = 0
  #head!: Head
  #cosigned: Head | undefined
  #flushing: Promise<void> | undefined
  #storing: Promise<void> | undefined
  #stored: Head | undefined
  #broken: unknown

  private constructor({ disk, dir, log, signing, clock, state }: SequenceOptions) {
    this.log = log
    this.#state = state ?? stateless
    this.#signing = signing
    this.#clock = clock
    this.#files = new Store(disk, dir)
  }

  /** Recovers the log and publishes a checkpoint of now. Throws rather than sign a second past. */
  static async open(options: SequenceOptions): Promise<Sequence> {
    const sequence = new Sequence(options)
    await sequence.#recover(options)
    return sequence
  }

  get head(): Head {
    return this.#head
  }

  /** The last head that witnesses signed, with their lines. Undefined while none has. */
  get cosigned(): Head | undefined {
    return this.#cosigned
  }

  /** The head whose tiles are in their files. */
  get stored(): Head | undefined {
    return this.#stored
  }

  /** What is on disk and no checkpoint covers yet. */
  get waiting(): number {
    return this.#durable - this.#head.size
  }

  /** Why nothing can be appended any more; undefined while all is well. */
  get broken(): unknown {
    return this.#broken
  }

  /** One outcome for each entry, when all that were accepted are on disk. Throws UNAVAILABLE. */
  async append(caller: Caller, entries: NewEntry[]): Promise<Outcome[]> {
    this.#requireRoom()
    const accepted = entries.map(entry => this.#accept(caller, entry))
    await this.#persist()
    return accepted.map(each => ('leaf' in each ? this.#promise(each) : each))
  }

  /** Entries of the ledger's own making, on disk when it returns. Whoever judges by `LogState` does so in the same turn. */
  async appendOwn(entries: readonly string[]): Promise<void> {
    this.#requireRoom()
    for (const entry of entries) this.#add(Buffer.from(entry))
    await this.#persist()
  }

  #requireRoom() {
    if (this.#tree.size - this.#durable > MAX_WAITING) throw unavailable('Too many entries wait for the disk.')
    if (this.#broken) throw unavailable('The ledger could not write and waits for a restart.', this.#broken)
  }

  #accept(caller: Caller, { entry, unique }: NewEntry): Accepted | Conflict | Refusal {
    try {
      const decoded = decodeEntry(entry, this.log === 'control' ? MAX_CONTROL_ENTRY : MAX_ENTRY)
      assertMayAppend(caller, this.log, decoded.type)
      if (unique !== undefined && unique !== decoded.unique)
        throw new BulkheadError('BAD_REQUEST', 'The unique key beside the entry is not the one inside.')
      const earlier = this.#earlier(decoded.unique, decoded.bytes)
      if (earlier) return earlier
      this.#state.check(caller, decoded)
      return this.#add(decoded.bytes, decoded.unique)
    } catch (error) {
      const { code, message } = error as BulkheadError
      // What went wrong on our side is no refusal of the entry.
      if (!(error instanceof BulkheadError) || code === 'UNAVAILABLE' || code === 'INTERNAL') throw error
      return { code: code === 'FORBIDDEN' || code === 'LIMIT' ? code : 'BAD_REQUEST', message }
    }
  }

  #earlier(unique: string | undefined, bytes: Buffer): Accepted | Conflict | undefined {
    const index = unique === undefined ? undefined : this.#indexOf(unique)
    if (index === undefined) return undefined
    if (!this.#entryAt(index).equals(bytes)) return { code: 'CONFLICT', index }
    return { index, leaf: this.#tree.read(0, index) }
  }

  #add(bytes: Buffer, unique = uniqueOf(bytes)): Accepted {
    const index = this.#tree.size
    const leaf = leafHash(bytes)
    this.#tree.append(leaf)
    this.#tail.push(bytes)
    if (unique !== undefined) this.#unique.add(unique, index)
    this.#state.added(bytes, index)
    return { index, leaf }
  }

  /** Group commit: whoever comes while the disk is busy shares the next write. */
  async #persist(): Promise<void> {
    const target = this.#tree.size
    while (this.#durable < target) {
      if (this.#broken) throw unavailable('The ledger could not write.', this.#broken)
      this.#flushing ??= this.#flush().finally(() => {
        this.#flushing = undefined
      })
      await this.#flushing
    }
  }

  async #flush() {
    const [first, end] = [this.#durable, this.#tree.size]
    try {
      await this.#journal.append(first, this.#tail.slice(first - this.#bundled, end - this.#bundled))
      this.#durable = end
    } catch (error) {
      this.#broken = error // memory is now ahead of the disk, by how much nobody knows: only a restart can tell
      throw unavailable('The ledger could not write.', error)
    }
  }

  #promise({ index, leaf }: Accepted): Appended {
    const leafHash = leaf.toString('base64')
    const statement = { origin: this.#signing.origin, leafHash, maxIndex: index, time: this.#clock() }
    return { index, leafHash, promise: encodePromise(statement, this.#signing.key).toString('base64') }
  }

  /** The log's key under another prefix than that of notes and promises. */
  signStatement(prefix: string, statement: string): Buffer {
    return sign(null, Buffer.from(`${prefix}${statement}`), this.#signing.key)
  }

  /** Signs a checkpoint over all that is on disk. Also without growth: then only its time is new. */
  publish(): Head {
    // Time never runs backwards, whatever the machine's clock does.
    const time = Math.max(Math.floor(this.#clock() / 1000), this.#head?.time ?? 0)
    const size = this.#durable
    this.#head = this.#carried(signHead(this.#signing, size, treeRoot(size, this.#tree.read), time))
    return this.#head
  }

  /** Witnesses signed size and root, not the time: their lines hold for every head of that size. */
  #carried(head: Head): Head {
    return this.#cosigned?.size === head.size ? withLines(head, linesOf(this.#cosigned)) : head
  }

  /** Writes the head and its tiles to their files, for the next start and for whoever checks them. */
  store(): Promise<void> {
    this.#storing ??= this.#store(tilesOfGrowth(this.#stored!.size, this.#head.size), this.#head).finally(() => {
      this.#storing = undefined
    })
    return this.#storing
  }

  async #store(tiles: Tile[], head: Head): Promise<void> {
    await this.#files.write(tiles, {
      hashes: (level, index, width) => this.#tree.tile(level, index, width),
      entries: (first, count) => this.#entries(first, count),
    })
    await this.#files.putCheckpoint(head.note)
    this.#stored = head
    await this.#forget(tiles, head.size)
  }

  /** Keeps a head of ours that witnesses have signed; their lines come into the checkpoint too where it is still of that size. One call at a time. */
  async cosign(head: Head): Promise<void> {
    while (this.#stored!.size < head.size) await this.store() // the files never hold a cosigned head beyond their own
    await this.#files.putCosigned(head.note)
    this.#cosigned = head
    if (this.#head.size === head.size) this.publish()
  }

  /** A tile under the head, as far as memory has it: all hashes, and the entries that are in no full bundle yet. */
  tile({ level, index, width }: Tile): Buffer | null {
    const leaves = (index * TILE_WIDTH + width) * (level === 'entries' ? 1 : TILE_WIDTH ** level)
    if (leaves > this.#head.size) return null
    if (level !== 'entries') return this.#tree.tile(level, index, width)
    const first = index * TILE_WIDTH
    return first < this.#bundled ? null : encodeBundle(this.#entries(first, width))
  }

  /** Full bundles are read from disk from now on. */
  async #forget(tiles: Tile[], size: number) {
    const bundled = size - (size % TILE_WIDTH)
    this.#tail.splice(0, bundled - this.#bundled)
    this.#bundled = bundled
    await this.#journal.trim(bundled)
    await this.#files.dropPartials(tiles)
  }

  /** Waits for what is under way with the disk. */
  async settle(): Promise<void> {
    await Promise.allSettled([this.#flushing, this.#storing])
  }

  /** An entry on disk. Throws NOT_FOUND. */
  entry(index: number): { bytes: Buffer; leaf: Buffer } {
    if (index >= this.#durable) throw new BulkheadError('NOT_FOUND', 'There is no such entry.')
    return { bytes: this.#entryAt(index), leaf: this.#tree.read(0, index) }
  }

  /** The index of the entry that used up this key, once it is on disk. */
  find(unique: string): number | undefined {
    const index = this.#indexOf(unique)
    return index === undefined || index >= this.#durable ? undefined : index
  }

  /** Reads nodes of the tree. Ask only for what lies under `head`: the rest is not yet anybody's to see. */
  get hashes() {
    return this.#tree.read
  }

  #indexOf(unique: string): number | undefined {
    return this.#unique.find(unique, index => uniqueOf(this.#entryAt(index)) === unique)
  }

  #entryAt(index: number): Buffer {
    return this.#entries(index, 1)[0]!
  }

  /** Entries of one bundle. */
  #entries(first: number, count: number): Buffer[] {
    if (first >= this.#bundled) return this.#tail.slice(first - this.#bundled, first - this.#bundled + count)
    const bundle = this.#files.readBundle(Math.floor(first / TILE_WIDTH))
    if (!bundle) throw new BulkheadError('INTERNAL', 'An entry bundle is missing.', { remedy: 'Run fsck.' })
    return bundle.slice(first % TILE_WIDTH, (first % TILE_WIDTH) + count)
  }

  async #recover({ disk, dir }: SequenceOptions) {
    for (let index = 0; ; index++) {
      const bundle = this.#files.readBundle(index)
      if (!bundle) break
      for (const entry of bundle) this.#add(entry)
      this.#bundled += TILE_WIDTH
      this.#tail = []
    }
    this.#journal = await Journal.open(disk, join(dir, 'journal'), (index, entry) => this.#replay(index, entry))
    this.#durable = this.#tree.size
    const head = this.#readHead()
    this.#cosigned = this.#readCosigned()
    await this.#store(tilesToRepair(head?.size ?? 0, this.#durable), this.publish())
  }

  #replay(index: number, entry: Buffer) {
    if (index > this.#tree.size) throw damaged('Entries are missing between the bundles and the journal.')
    if (index === this.#tree.size) this.#add(entry)
    else if (!this.#tree.read(0, index).equals(leafHash(entry)))
      throw damaged('Journal and bundles hold different entries.')
  }

  /** The last checkpoint, which what was found must continue. */
  #readHead(): Head | null {
    const note = this.#files.readCheckpoint()
    if (note === null) return null
    const head = openHead(this.#signing, note)
    if (head.size > this.#tree.size) throw damaged('Entries under the last checkpoint are missing.')
    if (!treeRoot(head.size, this.#tree.read).equals(head.root))
      throw damaged('The entries are not those of the last checkpoint.')
    if (head.time > this.#clock() / 1000 + MAX_CLOCK_BACK)
      throw new BulkheadError('UNAVAILABLE', 'The clock of this machine is behind the last checkpoint.', {
        remedy: 'Set the clock, then start again.',
      })
    this.#head = head
    return head
  }

  /** Witnesses hold us to it, so it is checked like the checkpoint. */
  #readCosigned(): Head | undefined {
    const note = this.#files.readCosigned()
    if (note === null) return undefined
    const head = openHead(this.#signing, note)
    if (head.size > this.#tree.size || !treeRoot(head.size, this.#tree.read).equals(head.root))
      throw damaged('The entries are not those that witnesses have cosigned.')
    return head
  }
}

const damaged = (message: string) =>
  new BulkheadError('INTERNAL', message, { remedy: 'Restore the ledger from its mirror and run fsck.' })
const unavailable = (message: string, cause?: unknown) => new BulkheadError('UNAVAILABLE', message, { cause })
