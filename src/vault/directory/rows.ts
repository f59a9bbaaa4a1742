import { BulkheadError } from '../../base/errors.ts'
import { KINDS, type Kind } from '../../trust/directory.ts'
import { uuidBytes, uuidText } from '../../trust/token.ts'
import { KEY } from './frame.ts'

/**
 * What the keyring knows of one record. `body`: SHA-256 of the inner half of its current version; `key`: private, X25519, raw; `made`: the epoch
 * in which that key was made. In memory and on disk it is the same 105 bytes: a hundred thousand take 17 MB.
 */
export type Row = {
  kind: Kind
  id: string
  unit: string
  version: number
  made: number
  body: Buffer
  key: Buffer
}
/** Instead of a digest: whatever was sealed to the record's key counts. Only devices have it, whose reports nobody versions. */
export const UNBOUND = Buffer.alloc(32)
export const REPORT_VERSION = 1
export type Place = Pick<Row, 'kind' | 'id'>

const UNIT = 17
const VERSION = 33
const MADE = 37
const BODY = 41
const SECRET = 73
export const ROW = SECRET + KEY
export const NAME = 17

export function encodeRow({ kind, id, unit, version, made, body, key }: Row): Buffer {
  const bytes = Buffer.alloc(ROW)
  bytes.set(encodeName({ kind, id }))
  bytes.set(uuidBytes(unit), UNIT)
  bytes.writeUInt32BE(version, VERSION)
  bytes.writeUInt32BE(made, MADE)
  bytes.set(body, BODY)
  bytes.set(key, SECRET)
  return bytes
}

/** Copies, but not of the key: no copy of that stays behind when it is erased. It is to be used at once, before the row may be another's. */
function decodeRow(bytes: Buffer): Row {
  return {
    ...decodeName(bytes),
    unit: uuidText(bytes.subarray(UNIT)),
    version: bytes.readUInt32BE(VERSION),
    made: bytes.readUInt32BE(MADE),
    body: Buffer.from(bytes.subarray(BODY, SECRET)),
    key: bytes.subarray(SECRET, ROW),
  }
}

export const encodeName = ({ kind, id }: Place): Buffer =>
  Buffer.concat([Buffer.from([KINDS.indexOf(kind)]), uuidBytes(id)])

export function decodeName(bytes: Buffer): Place {
  const kind = KINDS[bytes[0]!]
  if (!kind) throw new BulkheadError('INTERNAL', 'The keyring names a kind of record that this program does not know.')
  return { kind, id: uuidText(bytes.subarray(1, NAME)) }
}
export const nameOf = (place: Place): string => encodeName(place).toString('latin1')

/** All rows, one beside the other without gaps. What is removed is overwritten. */
export class Rows {
  #bytes = Buffer.alloc(1024 * ROW)
  readonly #places = new Map<string, number>()

  get size(): number {
    return this.#places.size
  }

  find(place: Place): Row | undefined {
    const at = this.#places.get(nameOf(place))
    return at === undefined ? undefined : decodeRow(this.#row(at))
  }

  put(row: Buffer): void {
    const name = row.toString('latin1', 0, NAME)
    const at = this.#places.get(name) ?? this.size
    if ((at + 1) * ROW > this.#bytes.length) this.#grow()
    this.#places.set(name, at)
    this.#row(at).set(row)
  }

  remove(place: Place): void {
    const at = this.#places.get(nameOf(place))
    if (at === undefined) return
    const last = this.#row(this.size - 1)
    this.#row(at).set(last)
    this.#places.set(last.toString('latin1', 0, NAME), at)
    this.#places.delete(nameOf(place))
    last.fill(0)
  }

  /** Rows as they are written, `most` at a time. */
  *pieces(most: number): Generator<Buffer> {
    for (let at = 0; at < this.size; at += most)
      yield this.#bytes.subarray(at * ROW, Math.min(at + most, this.size) * ROW)
  }

  /** Those whose key was made before an epoch. */
  *madeBefore(epoch: number): Generator<Place> {
    for (let at = 0; at < this.size; at++) if (this.#row(at).readUInt32BE(MADE) < epoch) yield decodeName(this.#row(at))
  }

  #row(at: number): Buffer {
    return this.#bytes.subarray(at * ROW, (at + 1) * ROW)
  }

  #grow() {
    const old = this.#bytes
    this.#bytes = Buffer.alloc(old.length * 2)
    this.#bytes.set(old)
    old.fill(0)
  }
}
