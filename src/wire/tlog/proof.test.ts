import assert from 'node:assert/strict'
import { createPublicKey } from 'node:crypto'
import { test } from 'node:test'
import { privateKeyOf, vector } from '../../../test/foreign/tlog/vector.ts'
import { verifierOf } from './cosignature.ts'
import { decodeVkey } from './note.ts'
import { encodePromise, openPromise } from './promise.ts'
import { decodeProof, encodeProof, openProof } from './proof.ts'

const log = verifierOf(decodeVkey(vector.logVkey))
const witness = verifierOf(decodeVkey(vector.witnessVkey))
const { index } = vector.inclusion
const proof = {
  index,
  hashes: vector.inclusion.hashes.map(hash => Buffer.from(hash, 'base64')),
  checkpoint: vector.checkpoint,
}
const entry = Buffer.from(vector.entries[index]!)
const text = `c2sp.org/tlog-proof@v1\nindex 5\n${vector.inclusion.hashes.join('\n')}\n\n${vector.checkpoint}`

test('a proof file is written as specified and read back', () => {
  assert.equal(encodeProof(proof), text)
  assert.deepEqual(decodeProof(text), proof)
  const extra = { ...proof, extra: Buffer.from('more') }
  assert.equal(encodeProof(extra), text.replace('\n', '\nextra bW9yZQ==\n'))
  assert.deepEqual(decodeProof(encodeProof(extra)), extra)
})

test('a proof file of the only entry has no hashes', () => {
  const single = { index: 0, hashes: [], checkpoint: vector.checkpoint }
  assert.deepEqual(decodeProof(encodeProof(single)), single)
})

test('the proof file of the vector proves its entry and no other', () => {
  assert.equal(openProof(decodeProof(text), entry, vector.logName, log, [witness]).verified.length, 2)
  assert.throws(() => openProof(proof, Buffer.from(vector.entries[4]!), vector.logName, log), { code: 'UNPROVEN' })
  assert.throws(() => openProof({ ...proof, index: 4 }, entry, vector.logName, log), { code: 'UNPROVEN' })
})

test('a malformed proof file is refused', () => {
  const broken = [
    '',
    'x',
    text.slice(1),
    text.replace('@v1', '@v2'),
    text.replace('index 5', 'index 05'),
    text.replace('index 5\n', ''),
  ]
  broken.push(
    text.replace('iH3G', 'iH3'),
    text.replace('\nindex', '\nextra ?\nindex'),
    text.replace('\n', '\nextra \nextra \n'),
  )
  broken.push(text.replace('index 5\n', `index 5\n${`${vector.root}\n`.repeat(100)}`))
  for (const each of broken) assert.throws(() => decodeProof(each), { code: 'MALFORMED' }, each.slice(0, 60))
})

test('an append promise is what the log signed, to the byte, or it is nothing', () => {
  const key = privateKeyOf(vector.logSeed)
  const statement = { origin: vector.logName, leafHash: vector.root, maxIndex: 6, time: 1_700_000_000_000 }
  const bytes = encodePromise(statement, key)
  assert.equal(
    bytes.subarray(64).toString(),
    `{"leafHash":"${vector.root}","maxIndex":6,"origin":"${vector.logName}","time":1700000000000}`,
  )
  assert.deepEqual(openPromise(bytes, createPublicKey(key)), statement)
  for (let at = 0; at < bytes.length; at++) {
    const changed = Buffer.from(bytes)
    changed[at]! ^= 1
    assert.throws(() => openPromise(changed, createPublicKey(key)), { code: 'UNPROVEN' })
  }
  assert.throws(() => openPromise(bytes.subarray(0, 64), createPublicKey(key)), { code: 'MALFORMED' })
})
