import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { privateKeyOf, vector } from '../../../test/foreign/tlog/vector.ts'
import { BulkheadError } from '../../base/errors.ts'
import { decodeCheckpoint, encodeCheckpoint, openCheckpoint } from './checkpoint.ts'
import { cosignatureSigner, cosignatureTime, newestTime, verifierOf } from './cosignature.ts'
import {
  decodeSignature,
  decodeVkey,
  encodeSignature,
  encodeVkey,
  noteSigner,
  openNote,
  signNote,
  splitNote,
  vkeyOf,
} from './note.ts'

const logKey = privateKeyOf(vector.logSeed)
const witnessKey = privateKeyOf(vector.witnessSeed)
const logVkey = decodeVkey(vector.logVkey)
const witnessVkey = decodeVkey(vector.witnessVkey)
const [log, witness] = [verifierOf(logVkey), verifierOf(witnessVkey)]
const text = encodeCheckpoint({ origin: vector.logName, size: 7, root: Buffer.from(vector.root, 'base64') })
const unproven = { code: 'UNPROVEN' }
const malformed = { code: 'MALFORMED' }

test('keys and the doubly signed checkpoint of the vector come out to the byte', () => {
  assert.equal(encodeVkey(vkeyOf(vector.logName, 1, logKey)), vector.logVkey)
  assert.equal(encodeVkey(vkeyOf(vector.witnessName, 4, witnessKey)), vector.witnessVkey)
  const signers = [noteSigner(vector.logName, logKey), cosignatureSigner(vector.witnessName, witnessKey, vector.time)]
  assert.equal(signNote(text, signers), vector.checkpoint)
})

test('the checkpoint of the vector opens with both keys, and tells when the witness saw it', () => {
  const opened = openCheckpoint(vector.checkpoint, vector.logName, log, [witness])
  assert.equal(opened.size, 7)
  assert.deepEqual(
    opened.verified.map(line => line.name),
    [vector.logName, vector.witnessName],
  )
  assert.equal(cosignatureTime(opened.verified[1]!), vector.time)
  assert.equal(newestTime(opened.verified, [witnessVkey]), vector.time)
  assert.equal(newestTime(opened.verified, [logVkey]), null)
})

test('an unknown key is passed over, and a note signed by unknown keys only is unproven', () => {
  assert.deepEqual(
    openNote(vector.checkpoint, [log]).unknown.map(line => line.name),
    [vector.witnessName],
  )
  assert.throws(() => openNote(vector.checkpoint, []), unproven)
  assert.throws(
    () => openCheckpoint(vector.checkpoint, vector.logName, verifierOf(vkeyOf('other', 1, logKey)), [witness]),
    unproven,
  )
})

test('a changed size, root, origin or time fails the known signature', () => {
  for (const [from, to] of [
    ['\n7\n', '\n8\n'],
    ['9qnj', '9qnk'],
    ['mdm.example/audit\n7', 'mdm.example/other\n7'],
    ['AABlU/EA', 'AABlU/EB'],
  ] as const) {
    const changed = vector.checkpoint.replace(from, to)
    assert.notEqual(changed, vector.checkpoint)
    assert.throws(() => openNote(changed, [log, witness]), unproven)
  }
})

test('a checkpoint of another log under the same key is refused', () => {
  const other = signNote(encodeCheckpoint({ origin: 'elsewhere', size: 7, root: Buffer.alloc(32) }), [
    noteSigner(vector.logName, logKey),
  ])
  assert.throws(() => openCheckpoint(other, vector.logName, log), unproven)
})

test('a witness that signs beside a log that does not proves nothing', () => {
  const alone = signNote(text, [cosignatureSigner(vector.witnessName, witnessKey, vector.time)])
  assert.throws(() => openCheckpoint(alone, vector.logName, log, [witness]), unproven)
})

test('a known key counts once, and a second line of it is not looked at', () => {
  const { signatures } = splitNote(vector.checkpoint)
  const twice = vector.checkpoint + encodeSignature({ ...signatures[0]!, signature: Buffer.alloc(64) })
  assert.equal(openNote(twice, [log]).verified.length, 1)
})

test('sixteen unknown signatures are accepted, a thousand are not', () => {
  const line = encodeSignature({ name: 'stranger', keyId: 1, signature: Buffer.alloc(64) })
  assert.equal(openNote(vector.checkpoint + line.repeat(16), [log, witness]).unknown.length, 16)
  assert.throws(() => openNote(vector.checkpoint + line.repeat(1000), [log]), { code: 'LIMIT' })
  assert.throws(() => openNote('x'.repeat(1_000_001), [log]), { code: 'LIMIT' })
})

test('malformed notes, signature lines and keys are refused', () => {
  for (const note of [
    '',
    '\n',
    'text\n',
    'text\n\n',
    'text\n\n— a AAAA\n',
    'text\n\n- a AAAAAAAA\n',
    vector.checkpoint.slice(0, -1),
    vector.checkpoint.replace('mdm', 'm\tm'),
    `\ud800${vector.checkpoint}`,
  ])
    assert.throws(() => splitNote(note), malformed, JSON.stringify(note))
  for (const line of ['— a  AAAAAAAA', '— a+b AAAAAAAAAAA=', '— a AAAAAAAAAAB=', '— a b AAAAAAAAAAA='])
    assert.throws(() => decodeSignature(line), malformed, line)
  for (const vkey of [
    '',
    'a+b',
    vector.logVkey.replace('a492', 'a493'),
    vector.logVkey.replace('+A', '+B'),
    vector.logVkey.toUpperCase(),
    `${vector.logVkey}=`,
    `x ${vector.logVkey}`,
  ])
    assert.throws(() => decodeVkey(vkey), malformed, vkey)
})

test('malformed checkpoints are refused', () => {
  const root = vector.root
  for (const body of [
    '',
    'o\n7\n',
    `\n7\n${root}\n`,
    `o\n07\n${root}\n`,
    `o\n-1\n${root}\n`,
    `o\n7e3\n${root}\n`,
    `o\n7\n${root}`,
    `o\n7\nAAAA\n`,
    `o\n7\n${root}\n\nx\n`,
    `o\n99999999999999999999\n${root}\n`,
  ])
    assert.throws(() => decodeCheckpoint(body), malformed, JSON.stringify(body))
  assert.deepEqual(decodeCheckpoint(`o\n7\n${root}\nmore\n`).extensions, ['more'])
})

test('only Ed25519 keys sign notes', () => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  assert.throws(() => vkeyOf('name', 1, privateKey), malformed)
})

test('whatever is thrown at a note, it opens or throws an error of ours', () => {
  const cuts = fc.tuple(fc.nat(vector.checkpoint.length), fc.nat(20), fc.string({ unit: 'binary', maxLength: 20 }))
  fc.assert(
    fc.property(cuts, ([at, gone, put]) => {
      const changed = vector.checkpoint.slice(0, at) + put + vector.checkpoint.slice(at + gone)
      try {
        const opened = openNote(changed, [log, witness])
        assert.equal(opened.text, text)
      } catch (error) {
        assert.ok(error instanceof BulkheadError)
      }
    }),
    { numRuns: 500 },
  )
})
