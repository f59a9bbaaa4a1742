import assert from 'node:assert/strict'
import { test } from 'node:test'
import { leavesOf, naiveRoot, readerOf, vector } from '../../../test/foreign/tlog/vector.ts'
import {
  consistencyProof,
  EMPTY_ROOT,
  inclusionProof,
  leafHash,
  nodeHash,
  treeRoot,
  verifyConsistency,
  verifyInclusion,
} from './merkle.ts'

const base64 = (hashes: Buffer[]) => hashes.map(hash => hash.toString('base64'))
const unproven = { code: 'UNPROVEN' }
const SIZES = 70
const leaves = Array.from({ length: SIZES }, (_, index) => leafHash(Buffer.from(`entry ${index}`)))
// Every subtree once: a test that is slow is not run.
const subtrees = new Map<string, Buffer>()
const read = (level: number, index: number) => {
  const key = `${level}/${index}`
  const known = subtrees.get(key) ?? readerOf(leaves)(level, index)
  subtrees.set(key, known)
  return known
}
const roots = [EMPTY_ROOT, ...leaves.map((_, index) => naiveRoot(leaves.slice(0, index + 1)))]

test('root and proofs of the vector come out to the byte', () => {
  const tree = readerOf(leavesOf(vector.entries))
  assert.equal(treeRoot(7, tree).toString('base64'), vector.root)
  assert.deepEqual(base64(inclusionProof(vector.inclusion.index, 7, tree)), vector.inclusion.hashes)
  assert.equal(treeRoot(vector.consistency.from, tree).toString('base64'), vector.consistency.oldRoot)
  assert.deepEqual(base64(consistencyProof(vector.consistency.from, 7, tree)), vector.consistency.hashes)
})

test('the empty tree has the hash of nothing as its root', () => {
  assert.equal(treeRoot(0, read).toString('hex'), 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855')
})

test('every leaf of every tree up to 70 leaves is proved, and under no other leaf, index or size', () => {
  for (let size = 1; size <= SIZES; size++) {
    const root = treeRoot(size, read)
    assert.deepEqual(root, roots[size])
    for (let index = 0; index < size; index++) {
      const proof = inclusionProof(index, size, read)
      verifyInclusion(index, size, leaves[index]!, proof, root)
      assert.throws(() => verifyInclusion(index, size, leaves[(index + 1) % SIZES]!, proof, root), unproven)
      if (size > 1)
        assert.throws(() => verifyInclusion((index + 1) % size, size, leaves[index]!, proof, root), unproven)
      assert.throws(() => verifyInclusion(index, size, leaves[index]!, [...proof, leaves[0]!], root), unproven)
      if (proof.length > 0)
        assert.throws(() => verifyInclusion(index, size, leaves[index]!, proof.slice(1), root), unproven)
    }
  }
})

test('every pair of trees up to 70 leaves is proved consistent, and no changed root or proof is', () => {
  for (let to = 0; to <= SIZES; to++)
    for (let from = 0; from <= to; from++) {
      const proof = consistencyProof(from, to, read)
      verifyConsistency(from, to, roots[from]!, roots[to]!, proof)
      assert.throws(() => verifyConsistency(from, to, leaves[0]!.map(byte => byte ^ 1) as Buffer, roots[to]!, proof))
      const forged = Buffer.from(roots[to]!.map(byte => byte ^ 1))
      if (from > 0) assert.throws(() => verifyConsistency(from, to, roots[from]!, forged, proof), unproven)
      assert.throws(() => verifyConsistency(from, to, roots[from]!, roots[to]!, [...proof, leaves[0]!]), unproven)
      for (let at = 0; at < proof.length; at++)
        assert.throws(() => verifyConsistency(from, to, roots[from]!, roots[to]!, proof.with(at, forged)), unproven)
    }
})

test('a rewritten leaf makes the larger tree inconsistent', () => {
  const rewritten = leaves.with(2, leafHash(Buffer.from('another past')))
  const proof = consistencyProof(5, 20, readerOf(rewritten.slice(0, 20)))
  assert.throws(() => verifyConsistency(5, 20, roots[5]!, naiveRoot(rewritten.slice(0, 20)), proof), unproven)
})

test('impossible indexes, sizes and hashes are refused without a crash', () => {
  const root = roots[7]!
  for (const [index, size] of [
    [7, 7],
    [-1, 7],
    [0, 0],
    [1.5, 7],
    [Number.NaN, 7],
    [0, Number.POSITIVE_INFINITY],
    [0, 2 ** 60],
  ] as const) {
    assert.throws(() => verifyInclusion(index, size, leaves[0]!, [], root), unproven)
    assert.throws(() => inclusionProof(index, size, () => leaves[0]!), { code: 'BAD_REQUEST' })
  }
  assert.throws(() => verifyInclusion(0, 2, leaves[0]!, [Buffer.alloc(31)], root), unproven)
  assert.throws(() => verifyInclusion(0, 2 ** 52, leaves[0]!, Array(70).fill(leaves[0]), root), unproven)
  assert.throws(() => consistencyProof(8, 7, read), { code: 'BAD_REQUEST' })
  assert.throws(() => verifyConsistency(8, 7, root, root, []), unproven)
})

test('trees beyond 2^32 leaves keep their arithmetic', () => {
  const same = (level: number): Buffer => (level === 0 ? leaves[0]! : nodeHash(same(level - 1), same(level - 1)))
  const levels = [leaves[0]!]
  for (let level = 1; level <= 45; level++) levels.push(nodeHash(levels[level - 1]!, levels[level - 1]!))
  assert.deepEqual(levels[3], same(3))
  const size = 2 ** 45 + 12345
  const wide = (level: number) => levels[level]!
  const root = treeRoot(size, wide)
  for (const index of [0, 2 ** 33 + 7, 2 ** 45 - 1, 2 ** 45, size - 1])
    verifyInclusion(index, size, leaves[0]!, inclusionProof(index, size, wide), root)
  verifyConsistency(2 ** 40 + 3, size, treeRoot(2 ** 40 + 3, wide), root, consistencyProof(2 ** 40 + 3, size, wide))
})
