import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { test } from 'node:test'
import { logKey, pastOf } from '../../test/support/pasts.ts'
import { cosignatureTime, verifierOf } from '../wire/tlog/cosignature.ts'
import { openNote, vkeyOf } from '../wire/tlog/note.ts'
import { createWitness, type Seen } from './witness.ts'

const NOW = 1_800_000_000
const key = logKey()
const told = pastOf('office/main', key, 'told')
const other = pastOf('office/main', key, 'other')
const stranger = pastOf('elsewhere/main', key, 'told')
const forger = pastOf('office/main', logKey(), 'told')

function witness() {
  const { privateKey } = generateKeyPairSync('ed25519')
  const seen = new Map<string, Seen>()
  const convicted: string[] = []
  const state = {
    read: (origin: string) => seen.get(origin),
    write: (origin: string, next: Seen) => void seen.set(origin, next),
    convict: (_: string, note: string) => void convicted.push(note),
  }
  const made = createWitness({ name: 'w/1', key: privateKey, logs: [told.vkey], state, clock: () => NOW })
  return { ask: made.addCheckpoint, seen, convicted, vkey: vkeyOf('w/1', 4, privateKey) }
}

test('a witness cosigns a first head, what continues it, and the same head again', () => {
  const { ask, seen, vkey } = witness()
  for (const [from, to] of [
    [0, 7],
    [7, 7],
    [7, 8],
    [8, 40],
  ] as const) {
    // biome-ignore format: pairs
    const { status, body } = ask(told.request(from, to))
    assert.equal(status, 200, body)
    const { verified } = openNote(told.checkpoint(to) + body, [verifierOf(vkey)])
    assert.equal(cosignatureTime(verified[0]!), NOW)
    assert.equal(seen.get('office/main')!.size, to)
  }
})

test('each refusal has the status that the protocol gives it, and changes nothing', () => {
  const { ask, seen } = witness()
  ask(told.request(0, 20))
  const before = seen.get('office/main')
  const rows: [string, string, number][] = [
    ['an unknown origin', stranger.request(0, 7), 404],
    ['a signature of another key', forger.request(20, 30), 403],
    ['no signature of the log', told.request(20, 30).replace(/office\/main (?=\S+\n$)/, 'other/name '), 403],
    ['an old size above the new', told.request(20, 30).replace('old 20', 'old 31'), 400],
    ['a smaller size', told.request(7, 8), 409],
    ['another old size', told.request(0, 30), 409],
    ['the same size with another root', other.request(20, 20), 409],
    ['another past', other.request(20, 30), 422],
    ['a proof cut short', told.request(20, 30, told.proof(20, 30).slice(1)), 422],
    ['a proof with a hash too many', told.request(20, 30, [...told.proof(20, 30), told.proof(20, 30)[0]!]), 422],
    ['a proof where none is needed', told.request(20, 20, told.proof(20, 30)), 422],
    ['64 hashes', told.request(20, 30, Array(64).fill(told.proof(20, 30)[0]!)), 400],
    ['a hash that is none', told.request(20, 30, ['!']), 400],
    ['a leading zero', told.request(20, 30).replace('old 20', 'old 020'), 400],
    ['no old size', told.request(20, 30).replace('old 20\n', ''), 400],
    ['a carriage return', told.request(20, 30).replace('old 20\n', 'old 20\r\n'), 400],
    ['nothing', '', 400],
    ['no checkpoint', 'old 20\n\n', 400],
  ]
  for (const [what, request, status] of rows) {
    const answer = ask(request)
    assert.equal(answer.status, status, `${what}: ${answer.body}`)
    if (status === 409) assert.deepEqual([answer.type, answer.body], ['text/x.tlog.size', '20\n'], what)
    assert.equal(seen.get('office/main'), before, what)
  }
})

test('two roots of one size are kept: the log signed both', () => {
  const { ask, convicted } = witness()
  ask(told.request(0, 20))
  ask(forger.request(20, 20))
  assert.deepEqual(convicted, [])
  ask(other.request(20, 20))
  ask(other.request(0, 20))
  assert.deepEqual(convicted, [other.checkpoint(20), other.checkpoint(20)])
})

test('what fails while it is remembered is not cosigned', () => {
  const { privateKey } = generateKeyPairSync('ed25519')
  const fail = () => {
    throw new Error('disk full')
  }
  const state = { read: () => undefined, write: fail, convict: fail }
  const { addCheckpoint } = createWitness({ name: 'w/1', key: privateKey, logs: [told.vkey], state, clock: () => NOW })
  assert.throws(() => addCheckpoint(told.request(0, 7)), /disk full/)
})
