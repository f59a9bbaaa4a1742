import { BulkheadError } from '../../base/errors.ts'
import { KEY } from './frame.ts'
import { decodeName, encodeName, encodeRow, NAME, nameOf, type Place, ROW, type Row, Rows } from './rows.ts'
import { type Spend, Spending } from './spending.ts'

/**
 * All that the keyring holds, and the changes to it: one byte for the kind of change, then what it says. A snapshot is nothing but changes that
 * make the same contents of none, so there is one decoder.
 */
export type Change =
  /** Rows as they are now. A row ends what was being made anew for its record. */
  | { type: 'rows'; rows: Row[] }
  /** Keys that take the place of present ones, once the rows in the database are wrapped again. */
  | { type: 'next'; keys: { place: Place; key: Buffer }[] }
  | { type: 'gone'; places: Place[] }
  | { type: 'spend'; spend: Spend }
  | { type: 'renew'; below: number }

const TAGS = { meta: 0, rows: 1, next: 2, gone: 3, spend: 4, renew: 5, end: 6 } as const
const PIECE = 10_000 // rows in one frame: a megabyte

export class Contents {
  readonly rows = new Rows()
  readonly spending = new Spending()
  /** By name of the record. */
  readonly next = new Map<string, Buffer>()
  /** Keys that were made before this epoch are to be made anew. */
  renewBelow = 0
  /** Something was removed, and an older key still opens it. */
  eraseDue = false
  /** Of the digests of ids: secret, and the same for as long as the keyring lives. */
  #salt: Buffer = Buffer.alloc(0)
  #ended = false

  static fresh(salt: Buffer): Contents {
    const contents = new Contents()
    contents.#salt = salt
    return contents
  }
  get salt(): Buffer {
    return this.#salt
  }

  apply(bytes: Buffer): void {
    const body = bytes.subarray(1)
    switch (bytes[0]) {
      case TAGS.rows:
        for (let at = 0; at < body.length; at += ROW) this.#put(body.subarray(at, at + ROW))
        return
      case TAGS.next:
        for (let at = 0; at < body.length; at += NAME + KEY)
          this.next.set(body.toString('latin1', at, at + NAME), Buffer.from(body.subarray(at + NAME, at + NAME + KEY)))
        return
      case TAGS.gone:
        for (let at = 0; at < body.length; at += NAME) this.#remove(decodeName(body.subarray(at)))
        return
      case TAGS.spend:
        this.spending.add(JSON.parse(body.toString()) as Spend)
        return
      case TAGS.renew:
        this.renewBelow = body.readUInt32BE()
        return
      case TAGS.meta:
        this.#restore(JSON.parse(body.toString()) as Meta)
        return
      case TAGS.end:
        this.#ended = body.readUInt32BE() === this.rows.size
        return
      default:
        throw new BulkheadError('INTERNAL', 'The keyring holds a change that this program does not know.')
    }
  }

  #put(row: Buffer) {
    this.rows.put(row)
    this.next.delete(row.toString('latin1', 0, NAME))
  }

  #remove(place: Place) {
    this.rows.remove(place)
    this.next.get(nameOf(place))?.fill(0)
    this.next.delete(nameOf(place))
    this.eraseDue = true
  }

  #restore({ salt, renewBelow, spending }: Meta) {
    this.#salt = Buffer.from(salt, 'base64')
    this.renewBelow = renewBelow
    this.spending.restore(spending)
  }

  /** Changes that make the same again. */
  *snapshot(): Generator<Buffer> {
    const meta: Meta = {
      salt: this.#salt.toString('base64'),
      renewBelow: this.renewBelow,
      spending: this.spending.kept(),
    }
    yield tagged('meta', Buffer.from(JSON.stringify(meta)))
    for (const piece of this.rows.pieces(PIECE)) yield tagged('rows', piece)
    const next = [...this.next].flatMap(([name, key]) => [Buffer.from(name, 'latin1'), key])
    yield tagged('next', ...next)
    yield tagged('end', u32(this.rows.size))
  }
  /** Whether a snapshot was read to its end. */
  get whole(): boolean {
    return this.#ended
  }
}
type Meta = { salt: string; renewBelow: number; spending: unknown }

export function encodeChange(change: Change): Buffer {
  switch (change.type) {
    case 'rows':
      return joined('rows', change.rows.map(encodeRow))
    case 'next':
      return tagged('next', ...change.keys.flatMap(({ place, key }) => [encodeName(place), key]))
    case 'gone':
      return tagged('gone', Buffer.concat(change.places.map(encodeName)))
    case 'spend':
      return tagged('spend', Buffer.from(JSON.stringify(change.spend)))
    case 'renew':
      return tagged('renew', u32(change.below))
  }
}

const tagged = (tag: keyof typeof TAGS, ...parts: Buffer[]) => Buffer.concat([Buffer.from([TAGS[tag]]), ...parts])
/** The parts hold keys, and are not needed any more. */
function joined(tag: keyof typeof TAGS, parts: Buffer[]): Buffer {
  const whole = tagged(tag, ...parts)
  for (const part of parts) part.fill(0)
  return whole
}
function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}
