import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { openCheckpoint } from '../../../src/wire/tlog/checkpoint.ts'
import { verifierOf } from '../../../src/wire/tlog/cosignature.ts'
import {
  consistencyProof,
  inclusionProof,
  treeRoot,
  verifyConsistency,
  verifyInclusion,
} from '../../../src/wire/tlog/merkle.ts'
import { decodeVkey } from '../../../src/wire/tlog/note.ts'
import { kept, runLedger, saidOf } from './ledger.ts'
import { leavesOf, readerOf, vector } from './vector.ts'

/** Go's own transparency log code is the judge of what we write. Without Go, or without its modules, there is no judge. */
const place = mkdtempSync(join(tmpdir(), 'bulkhead-go-'))
after(() => rmSync(place, { recursive: true, force: true }))
const program = join(place, 'check')
const without = build()

function build(): string | false {
  for (const file of ['main.go', 'go.mod', 'go.sum']) cpSync(join(import.meta.dirname, file), join(place, file))
  const built = spawnSync('go', ['build', '-trimpath', '-mod=readonly', '-o', program, '.'], {
    cwd: place,
    timeout: 120_000,
    encoding: 'utf8',
  })
  if (built.error) return 'the program go is not here'
  if (built.status === 0) return false
  // A program of ours that does not compile must not pass for a missing network.
  if (!/dial tcp|lookup |no such host|proxy|i\/o timeout|module lookup disabled/.test(built.stderr))
    throw new Error(built.stderr)
  return 'the Go modules cannot be fetched'
}

function judge(checkpoint: string, entries: string[]) {
  const leaves = leavesOf(entries)
  const read = readerOf(leaves)
  const base64 = (hashes: Buffer[]) => hashes.map(hash => hash.toString('base64'))
  const root = (size: number) => treeRoot(size, read).toString('base64')
  const sizes = leaves.map((_, index) => index + 1)
  const inclusion = sizes.flatMap(size =>
    leaves
      .slice(0, size)
      .map((_, index) => ({ index, size, root: root(size), hashes: base64(inclusionProof(index, size, read)) })),
  )
  const consistency = sizes.flatMap(to =>
    sizes.slice(0, to).map(from => ({
      from,
      to,
      oldRoot: root(from),
      newRoot: root(to),
      hashes: base64(consistencyProof(from, to, read)),
    })),
  )
  const keys = { logVkey: vector.logVkey, cosigners: [vector.witnessVkey] }
  const document = {
    checkpoint,
    ...keys,
    entries: entries.map(entry => Buffer.from(entry).toString('base64')),
    inclusion,
    consistency,
  }
  return ask(document)
}

const ask = (document: object) =>
  spawnSync(program, { input: JSON.stringify(document), encoding: 'utf8', timeout: 20_000 })

test('Go verifies both signatures, the root and every proof of our log', { skip: without }, () => {
  const { status, stdout, stderr } = judge(vector.checkpoint, vector.entries)
  assert.equal(stderr, '')
  assert.equal(stdout, 'signatures 2, inclusion proofs 28, consistency proofs 28\n')
  assert.equal(status, 0)
})

test('Go refuses our checkpoint with another size, and over other entries', { skip: without }, () => {
  assert.match(judge(vector.checkpoint.replace('\n7\n', '\n8\n'), vector.entries).stderr, /invalid signature/)
  assert.match(judge(vector.checkpoint, vector.entries.toReversed()).stderr, /differ/)
})

test('Go verifies a ledger that ran: its checkpoint, clock and witness, its proofs', { skip: without }, async () => {
  const document = await runLedger()
  const { status, stdout, stderr } = ask(document)
  assert.equal(stderr, '')
  assert.equal(stdout, saidOf(document))
  assert.equal(status, 0)
  const [log, , witness] = [document.logVkey, ...document.cosigners]
  assert.match(ask({ ...document, cosigners: [log] }).stderr, /not the key of a cosigner/)
  const bare = document.checkpoint.replace(new RegExp(`^— ${witness!.split('+')[0]} .*\n`, 'm'), '')
  assert.match(ask({ ...document, checkpoint: bare }).stderr, /has not signed/)
})

test('Go says of the kept vectors what it said when they were made', { skip: without }, () => {
  const { stdout, stderr } = ask(kept.document)
  assert.deepEqual([stdout, stderr], [kept.said, ''])
})

test('what Go verified then is verified by us now, without Go', () => {
  const { checkpoint, logVkey, cosigners, entries, inclusion, consistency } = kept.document
  assert.equal(kept.said, saidOf(kept.document))
  const log = decodeVkey(logVkey)
  const known = cosigners.map(vkey => verifierOf(decodeVkey(vkey)))
  const head = openCheckpoint(checkpoint, log.name, verifierOf(log), known)
  assert.equal(head.verified.length, 3)
  const hashed = leavesOf(entries.map(entry => Buffer.from(entry, 'base64').toString()))
  assert.deepEqual(treeRoot(head.size, readerOf(hashed)), head.root)
  const bytes = (hashes: string[]) => hashes.map(hash => Buffer.from(hash, 'base64'))
  for (const { index, size, root, hashes } of inclusion)
    verifyInclusion(index, size, hashed[index]!, bytes(hashes), Buffer.from(root, 'base64'))
  for (const { from, to, oldRoot, newRoot, hashes } of consistency)
    verifyConsistency(from, to, Buffer.from(oldRoot, 'base64'), Buffer.from(newRoot, 'base64'), bytes(hashes))
  assert.ok(inclusion.length > 10 && consistency.length > 5)
})
