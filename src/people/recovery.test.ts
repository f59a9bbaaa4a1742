import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import test from 'node:test'
import fc from 'fast-check'
import { randomBytes, toBase64 } from './bytes.ts'
import { sha256 } from './hash.ts'
import { makeKeyPair } from './keys.ts'
import { makeShares, parseShare, type RecoveryOf, restoreUnitKey } from './recovery.ts'
import { combine, inverse, split, times } from './shamir.ts'

const pair = await makeKeyPair()
const of: RecoveryOf = {
  installation: 'office.example.org',
  unit: randomUUID(),
  alias: 'root',
  publicKey: toBase64(pair.publicKey),
  genesisDigest: sha256('a genesis'),
}

test('the field is that of AES: the products that FIPS 197 works out', () => {
  assert.equal(times(0x57, 0x83), 0xc1)
  assert.equal(times(0x57, 0x13), 0xfe)
  for (const [power, product] of [
    [0x02, 0xae],
    [0x04, 0x47],
    [0x08, 0x8e],
    [0x10, 0x07],
  ] as const)
    assert.equal(times(0x57, power), product)
  for (let one = 1; one < 256; one++) assert.equal(times(one, inverse(one)), 1)
})

test('a polynomial worked out by hand gives its shares', () => {
  // f(x) = 0x42 + 0x0b x: f(1) = 0x49, f(2) = 0x42 ^ 0x16 = 0x54, f(3) = 0x42 ^ 0x1d = 0x5f
  const points = split(Uint8Array.of(0x42), 2, 3, () => Uint8Array.of(0x0b))
  assert.deepEqual(
    points.map(({ bytes }) => bytes[0]),
    [0x49, 0x54, 0x5f],
  )
})

test('any k of n give the secret back, and one fewer says nothing of it', () =>
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 1, maxLength: 40 }),
      fc
        .integer({ min: 1, max: 20 })
        .chain(shares => fc.tuple(fc.integer({ min: 1, max: shares }), fc.constant(shares))),
      fc.infiniteStream(fc.nat()),
      (secret, [needed, shares], picks) => {
        const points = split(secret, needed, shares, randomBytes)
        const chosen = points.map(point => ({ point, by: picks.next().value })).sort((one, other) => one.by - other.by)
        const some = chosen.slice(0, needed).map(({ point }) => point)
        assert.deepEqual(Buffer.from(combine(some)), Buffer.from(secret))
      },
    ),
  ))

test('for every secret there is a polynomial through fewer shares than are needed', () => {
  const [point] = split(Uint8Array.of(99), 2, 3, () => Uint8Array.of(200))
  const possible = new Set<number>()
  for (let other = 0; other < 256; other++)
    possible.add(combine([point!, { index: 2, bytes: Uint8Array.of(other) }])[0]!)
  assert.equal(possible.size, 256)
})

test('three of five papers give a unit’s key back, whichever, as they were printed or typed', async () => {
  const texts = await makeShares(pair.privateKey, of, { needed: 3, shares: 5 })
  assert.equal(texts.length, 5)
  for (const text of texts)
    assert.match(text, /share \d of 5; 3 are needed.\nInstallation office.example.org, unit root/)
  for (const chosen of [
    [0, 1, 2],
    [4, 2, 0],
    [1, 3, 4],
    [0, 1, 2, 3, 4],
    [0, 0, 1, 4],
  ])
    assert.deepEqual(
      await restoreUnitKey(
        chosen.map(at => texts[at]!),
        of,
      ),
      pair,
    )
  const typed = texts.map(text =>
    text
      .split('\n')
      .filter(line => line.startsWith('>'))
      .join(' ')
      .replaceAll(/[>-]/g, ' ')
      .toLowerCase()
      .replaceAll('0', 'o')
      .replaceAll('1', 'l'),
  )
  assert.deepEqual(await restoreUnitKey(typed.slice(2), of), pair)
  await assert.rejects(restoreUnitKey([texts[0]!, texts[1]!], of), { code: 'REFUSED' })
  await assert.rejects(restoreUnitKey([texts[0]!, texts[0]!, texts[0]!], of), { code: 'REFUSED' })
  await assert.rejects(restoreUnitKey([], of), { code: 'REFUSED' })
})

test('a share with one wrong letter, or of another unit, key or installation, is told apart', async () => {
  const [text = ''] = await makeShares(pair.privateKey, of, { needed: 2, shares: 2 })
  const start = text.indexOf('> ') + 2
  for (let at = start; at < text.length; at++) {
    if (!/[0-9A-Z]/.test(text[at]!)) continue
    const wrong = text.slice(0, at) + (text[at] === '7' ? '8' : '7') + text.slice(at + 1)
    assert.throws(() => parseShare(wrong), { code: 'MALFORMED' })
  }
  for (const wrong of ['', text.slice(0, -5), `${text.trimEnd()}7`, text.replace('>', '> U')])
    assert.throws(() => parseShare(wrong), { code: 'MALFORMED' })
  for (const other of [
    { ...of, unit: randomUUID() },
    { ...of, publicKey: toBase64((await makeKeyPair()).publicKey) },
    { ...of, genesisDigest: sha256('another') },
  ])
    await assert.rejects(restoreUnitKey([text], other), { code: 'UNPROVEN' })
})

test('shares that would not restore the key of the roster are never handed out', async () => {
  const another = { ...of, publicKey: toBase64((await makeKeyPair()).publicKey) }
  await assert.rejects(makeShares(pair.privateKey, another, { needed: 2, shares: 3 }), { code: 'UNPROVEN' })
  for (const quorum of [
    { needed: 0, shares: 3 },
    { needed: 4, shares: 3 },
    { needed: 1, shares: 21 },
    { needed: 1.5, shares: 2 },
  ])
    await assert.rejects(makeShares(pair.privateKey, of, quorum), { code: 'USAGE' })
})
