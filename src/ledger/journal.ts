import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { BulkheadError } from '../base/errors.ts'
import { MAX_CONTROL_ENTRY } from './api.ts'
import type { Disk } from './disk.ts'

/**
 * The write-ahead file: every entry that is promised and not yet in a full bundle. Who changes it can drop or invent entries that no
 * checkpoint covers yet; a promise or the next consistency proof then shows it.
 * Segments are named by their first index. A record: u32be length, eight bytes of SHA-256 over index and entry, the entry.
 * Only the end of the last segment can be torn, by a crash before its write was acknowledged: it is cut off. Anything else is a fault.
 */
const HEAD = 12
const SEGMENT_BYTES = 8 * 1024 * 1024
const NAME = /^[0-9]{16}$/

type Segment = { path: string; first: number; end: number; bytes: number }

export function encodeRecord(index: number, entry: Buffer): Buffer {
  const head = Buffer.allocUnsafe(4)
  head.writeUInt32BE(entry.length)
  return Buffer.concat([head, checksum(index, entry), entry])
}

/** The whole records at the start of a segment, and where they end. */
export function readRecords(bytes: Buffer, first: number): { entries: Buffer[]; end: number } {
  const entries: Buffer[] = []
  let at = 0
  while (bytes.length - at >= HEAD) {
    const length = bytes.readUInt32BE(at)
    const entry = bytes.subarray(at + HEAD, at + HEAD + length)
    if (length > MAX_CONTROL_ENTRY || entry.length < length) break
    if (!checksum(first + entries.length, entry).equals(bytes.subarray(at + 4, at + HEAD))) break
    entries.push(entry)
    at += HEAD + length
  }
  return { entries, end: at }
}

function checksum(index: number, entry: Buffer): Buffer {
  const place = Buffer.allocUnsafe(8)
  place.writeBigUInt64BE(BigInt(index))
  return createHash('sha256').update(place).update(entry).digest().subarray(0, 8)
}

export class Journal {
  readonly #disk: Disk
  readonly #folder: string
  readonly #segments: Segment[] = []

  private constructor(disk: Disk, folder: string) {
    this.#disk = disk
    this.#folder = folder
  }

  /** Hands every entry to `each`, then makes sure that the disk has them all. Throws INTERNAL where one is missing from the middle. */
  static async open(disk: Disk, folder: string, each: (index: number, entry: Buffer) => void): Promise<Journal> {
    const journal = new Journal(disk, folder)
    const names = disk.list(folder).filter(name => NAME.test(name))
    for (const name of names) await journal.#recover(name, name === names.at(-1), each)
    return journal
  }

  async #recover(name: string, last: boolean, each: (index: number, entry: Buffer) => void) {
    const path = join(this.#folder, name)
    const first = Number(name)
    const before = this.#segments.at(-1)
    if (before && before.end !== first) throw damaged(path)
    const bytes = this.#disk.read(path)!
    const { entries, end } = readRecords(bytes, first)
    if (end !== bytes.length && !last) throw damaged(path)
    // Also where nothing is torn: what a killed process wrote may not have reached the disk, and is about to be signed.
    if (last) await this.#disk.truncate(path, end)
    entries.forEach((entry, at) => void each(first + at, entry))
    this.#segments.push({ path, first, end: first + entries.length, bytes: end })
  }

  /** Entries `first` and following. They are on disk when this returns; where it throws, nobody knows, and the ledger must stop. */
  async append(first: number, entries: Buffer[]): Promise<void> {
    const segment = this.#segmentFor(first)
    const records = Buffer.concat(entries.map((entry, at) => encodeRecord(first + at, entry)))
    await this.#disk.append(segment.path, records)
    segment.end = first + entries.length
    segment.bytes += records.length
  }

  #segmentFor(first: number): Segment {
    const last = this.#segments.at(-1)
    if (last && last.bytes < SEGMENT_BYTES) return last
    const path = join(this.#folder, String(first).padStart(16, '0'))
    const segment = { path, first, end: first, bytes: 0 }
    this.#segments.push(segment)
    return segment
  }

  /** Forgets segments of which every entry is below `bundled`, except the one being written. */
  async trim(bundled: number): Promise<void> {
    while (this.#segments.length > 1 && this.#segments[0]!.end <= bundled) {
      await this.#disk.remove(this.#segments[0]!.path)
      this.#segments.shift()
    }
  }
}

const damaged = (path: string) =>
  new BulkheadError('INTERNAL', `The ledger's journal is damaged: ${path}.`, {
    remedy: 'Restore the ledger from its mirror and run fsck.',
  })
