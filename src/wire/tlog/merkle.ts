import { hash } from 'node:crypto'
import { BulkheadError } from '../../base/errors.ts'

/**
 * RFC 6962 Merkle trees over SHA-256. Numbers above 2^31 occur: no shifts here.
 * A reader returns the hash of the complete subtree of 2^level leaves that starts at leaf index * 2^level; it is asked for no other.
 */
export type HashReader = (level: number, index: number) => Buffer

/** SHA-256. By way of a string: several times faster than asking for a Buffer at these lengths. */
const sha256 = (bytes: Uint8Array) => Buffer.from(hash('sha256', bytes, 'latin1'), 'latin1')

export const EMPTY_ROOT: Buffer = sha256(Buffer.alloc(0))

export function leafHash(entry: Uint8Array): Buffer {
  const input = Buffer.allocUnsafe(1 + entry.length)
  input[0] = 0
  input.set(entry, 1)
  return sha256(input)
}

const pair = Buffer.alloc(65, 1) // hashing is synchronous, so one buffer serves all

export function nodeHash(left: Uint8Array, right: Uint8Array): Buffer {
  pair.set(left, 1)
  pair.set(right, 33)
  return sha256(pair)
}

/** The root of the first `size` leaves. */
export function treeRoot(size: number, read: HashReader): Buffer {
  assertSize(size)
  return size === 0 ? EMPTY_ROOT : rangeHash(0, size, read)
}

/** The audit path of leaf `index` in the tree of `size` leaves, lowest first. Throws BAD_REQUEST. */
export function inclusionProof(index: number, size: number, read: HashReader): Buffer[] {
  assertSize(size)
  if (!Number.isSafeInteger(index) || index < 0 || index >= size)
    throw new BulkheadError('BAD_REQUEST', 'There is no such leaf in this tree.')
  const path: Buffer[] = []
  let low = 0
  let high = size
  while (high - low > 1) {
    const middle = low + splitPoint(high - low)
    if (index < middle) {
      path.push(rangeHash(middle, high, read))
      high = middle
    } else {
      path.push(rangeHash(low, middle, read))
      low = middle
    }
  }
  return path.reverse()
}

/** Proves that the tree of `to` leaves begins with the tree of `from` leaves. Empty where from is 0 or to. Throws BAD_REQUEST. */
export function consistencyProof(from: number, to: number, read: HashReader): Buffer[] {
  assertSize(from)
  assertSize(to)
  if (from > to) throw new BulkheadError('BAD_REQUEST', 'A tree is consistent only with a larger one.')
  if (from === 0 || from === to) return []
  const path: Buffer[] = []
  let low = 0
  let high = to
  while (high !== from) {
    const middle = low + splitPoint(high - low)
    if (from <= middle) {
      path.push(rangeHash(middle, high, read))
      high = middle
    } else {
      path.push(rangeHash(low, middle, read))
      low = middle
    }
  }
  if (low !== 0) path.push(rangeHash(low, high, read))
  return path.reverse()
}

/** Throws UNPROVEN unless `proof` leads from the leaf to `root`. */
export function verifyInclusion(
  index: number,
  size: number,
  leaf: Buffer,
  proof: readonly Buffer[],
  root: Buffer,
): void {
  if (!isSize(size) || !isSize(index) || index >= size) throw unproven()
  const rest = [...checked(proof)]
  const value = climb(index, size - 1, leaf, leaf, rest).larger
  if (rest.length !== 0 || !value.equals(root)) throw unproven()
}

/** Throws UNPROVEN unless `proof` shows that the tree with `newRoot` begins with the one with `oldRoot`. */
export function verifyConsistency(
  from: number,
  to: number,
  oldRoot: Buffer,
  newRoot: Buffer,
  proof: readonly Buffer[],
): void {
  if (!isSize(from) || !isSize(to) || from > to) throw unproven()
  const rest = [...checked(proof)]
  if (from === to || from === 0) {
    const expected = from === 0 ? EMPTY_ROOT : newRoot
    if (rest.length !== 0 || !oldRoot.equals(expected) || (to === 0 && !newRoot.equals(EMPTY_ROOT))) throw unproven()
    return
  }
  let index = from - 1
  let last = to - 1
  while (index % 2 === 1) {
    index = (index - 1) / 2
    last = Math.floor(last / 2)
  }
  // Where the old tree is one complete subtree, its root is the start and is not in the proof.
  const start = index === 0 ? oldRoot : rest.shift()
  if (!start) throw unproven()
  const { smaller, larger } = climb(index, last, start, start, rest)
  if (rest.length !== 0 || !smaller.equals(oldRoot) || !larger.equals(newRoot)) throw unproven()
}

/** From node `index` of a level whose last node is `last` up to the root. `smaller` joins left siblings only: the tree that ends here. */
function climb(
  index: number,
  last: number,
  smaller: Buffer,
  larger: Buffer,
  rest: Buffer[],
): { smaller: Buffer; larger: Buffer } {
  while (last > 0) {
    if (index % 2 === 1 || index === last) {
      // A last node without a sibling rises until it is a right child.
      while (index % 2 === 0) {
        index /= 2
        last = Math.floor(last / 2)
      }
      const left = take(rest)
      smaller = nodeHash(left, smaller)
      larger = nodeHash(left, larger)
    } else larger = nodeHash(larger, take(rest))
    index = Math.floor(index / 2)
    last = Math.floor(last / 2)
  }
  return { smaller, larger }
}

/** The hash of leaves low to high, where low begins a subtree that is large enough. */
function rangeHash(low: number, high: number, read: HashReader): Buffer {
  const parts: Buffer[] = []
  while (low < high) {
    const level = Math.floor(Math.log2(high - low))
    // log2 rounds near powers of two above 2^48; a too high level would ask for leaves that are not there.
    const fitting = 2 ** level > high - low ? level - 1 : level
    parts.push(read(fitting, low / 2 ** fitting))
    low += 2 ** fitting
  }
  return parts.reduceRight((right, left) => nodeHash(left, right))
}

/** The largest power of two below `count`. */
function splitPoint(count: number): number {
  let split = 1
  while (split * 2 < count) split *= 2
  return split
}

function take(rest: Buffer[]): Buffer {
  const next = rest.shift()
  if (!next) throw unproven()
  return next
}

function checked(proof: readonly Buffer[]): readonly Buffer[] {
  if (proof.length > 64 || proof.some(hash => hash.length !== 32)) throw unproven()
  return proof
}

const isSize = (size: number) => Number.isSafeInteger(size) && size >= 0
function assertSize(size: number) {
  if (!isSize(size)) throw new BulkheadError('BAD_REQUEST', 'A tree size is a whole number.')
}
const unproven = () => new BulkheadError('UNPROVEN', 'This proof does not lead to the root.')
