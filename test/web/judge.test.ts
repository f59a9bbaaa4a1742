import assert from 'node:assert/strict'
import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'
import { once } from 'node:events'
import { after, test } from 'node:test'
import { Worker } from 'node:worker_threads'
import { signHead } from '../../src/ledger/checkpoint.ts'
import type { Approval } from '../../src/trust/approval.ts'
import { isAttested } from '../../src/trust/attestation.ts'
import { canonical } from '../../src/trust/canonical.ts'
import { previousOf } from '../../src/trust/control.ts'
import { decodeRoster, rosterDigest } from '../../src/trust/roster.ts'
import { standingOf } from '../../src/trust/standing.ts'
import { consistencyProof, leafHash, nodeHash, treeRoot } from '../../src/wire/tlog/merkle.ts'
import { judge, type Shown } from '../../web/src/judge.ts'
import { Buffer as PageBuffer } from '../../web/src/node/buffer.ts'
import { pageKey, rawSignature, verifyInPage } from '../../web/src/node/keys.ts'
import { sha256 } from '../../web/src/node/sha256.ts'
import { testRoster } from '../support/roster.ts'
import { chromiumPasskey } from './chromium.ts'
import type { Asked } from './page.ts'

/** The page judges the ledger by the server's own code, on stand-ins for Node: both must come to the same, of the true and of the forged. */
const page = new Worker(new URL('page.ts', import.meta.url))
after(() => page.terminate())
async function inPage(asked: Asked): Promise<Record<string, unknown>> {
  page.postMessage(asked)
  return (await once(page, 'message'))[0]
}

const { genesis, trusted, ledger, owner, approver } = testRoster()
const genesisDigest = trusted.genesisDigest.toString('hex')
const NOW = 1_800_000_000

const logGenesis = canonical({ type: 'roster', unique: 'roster:0', version: 0, digest: genesisDigest })
const freeze = (n: number) => canonical({ type: 'freeze', unique: `freeze:${n}`, at: NOW, watch: `rule-${n}` })

/** The version after `before`, with the destroy quorum that makes it another. */
const versionAfter = (before: string, destroy: number) => {
  const roster = decodeRoster(before)
  const policy = { ...roster.policy, quorum: { ...roster.policy.quorum, destroy } }
  return canonical({ ...roster, policy, version: roster.version + 1, previous: previousOf(before), createdAt: NOW })
}
const versionEntry = (statement: string, approvals: Approval[]) => {
  const { version } = decodeRoster(statement)
  return canonical({ type: 'roster', unique: `roster:${version}`, version, at: NOW, statement, approvals })
}
const approved = (statement: string, by = owner) => by.approve(rosterDigest(statement, trusted.genesisDigest))

const hashesOf = (entries: readonly string[]) =>
  function read(level: number, index: number): Buffer {
    if (level === 0) return leafHash(Buffer.from(entries[index]!))
    return nodeHash(read(level - 1, 2 * index), read(level - 1, 2 * index + 1))
  }
function head(log: 'main' | 'control', entries: readonly string[], key: KeyObject = ledger[log]) {
  const root = treeRoot(entries.length, hashesOf(entries))
  const clock = { clockName: 'example.test/clock', clockKey: ledger.clock }
  const { note } = signHead({ origin: `example.test/${log}`, key, ...clock }, entries.length, root, NOW)
  return { note, remembered: { size: entries.length, root: root.toString('hex') } }
}

const MAIN = ['one', 'two', 'three']
function shown(control: string[], fields: Partial<Shown> = {}, main = MAIN): Shown {
  return {
    genesis,
    genesisDigest,
    control: [{ checkpoint: head('control', control).note, entries: control }],
    main: { checkpoint: head('main', main).note, proof: [] },
    remembered: {},
    ...fields,
  }
}

/** What the page says, after it was held against what the server says of the same. */
async function verdict(asked: Shown): Promise<Record<string, unknown>> {
  let here: Record<string, unknown>
  try {
    const { view, heads } = judge(asked)
    here = { standing: standingOf(view, NOW), heads, passedOver: view.passedOver }
  } catch (error) {
    here = { refused: (error as Error).message }
  }
  const there = await inPage({ shown: asked, now: NOW })
  assert.deepEqual(there, JSON.parse(JSON.stringify(here)))
  return there
}
const refused = async (asked: Shown, why: RegExp) => assert.match(String((await verdict(asked)).refused), why)
type Standing = ReturnType<typeof standingOf>

test('versions that the owners approved count, with who approved them, and so do freezes', async () => {
  const one = versionAfter(genesis, 3)
  const two = versionAfter(one, 4)
  const log = [logGenesis, versionEntry(one, [approved(one)]), freeze(1), versionEntry(two, [approved(two)])]
  const { standing } = (await verdict(shown(log))) as { standing: Standing }
  assert.deepEqual([standing.version, standing.frozen.length, standing.fresh], [2, 1, true])
  assert.deepEqual(
    standing.versions.map(({ by }) => by),
    [[], ['owner-one'], ['owner-one']],
  )
})

const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
const next = versionAfter(genesis, 3)
const forgeries: [name: string, approvals: Approval[]][] = [
  ['nobody approved', []],
  ['somebody approved who is no owner', [approved(next, approver)]],
  ['was approved by an owner as another version', [approved(versionAfter(genesis, 4))]],
  ['carries a signature of another key', [forged(approved(next))]],
]
function forged(approval: Approval): Approval {
  const client = createHash('sha256').update(Buffer.from(approval.clientDataJSON, 'base64url')).digest()
  const signed = Buffer.concat([Buffer.from(approval.authenticatorData, 'base64url'), client])
  return { ...approval, signature: sign('sha256', signed, stranger).toString('base64url') }
}
for (const [name, approvals] of forgeries)
  test(`a version of the roster that ${name} does not count, though the ledger has signed it`, async () => {
    const found = await verdict(shown([logGenesis, versionEntry(next, approvals)]))
    assert.equal((found.standing as Standing).version, 0)
    assert.equal((found.passedOver as unknown[]).length, 1)
  })

test('entries or heads that the ledger has not signed are not believed', async () => {
  const log = [logGenesis, freeze(1)]
  const { note } = head('control', log)
  await refused(shown(log, { control: [{ checkpoint: note, entries: [logGenesis, freeze(2)] }] }), /not those of its/)
  const other = generateKeyPairSync('ed25519').privateKey
  const unsigned = head('control', log, other).note
  await refused(shown(log, { control: [{ checkpoint: unsigned, entries: log }] }), /has not signed|No known key/)
  await refused(
    shown(log, { main: { checkpoint: head('main', MAIN, other).note, proof: [] } }),
    /has not signed|No known key/,
  )
  await refused(shown(log, { main: { checkpoint: note, proof: [] } }), /No known key/)
  await refused(shown(log, { genesis: genesis.replace('owner-one', 'owner-two') }), /genesis is not the one/)
})

test('a control log that became shorter, or another, is refused', async () => {
  const log = [logGenesis, freeze(1), freeze(2)]
  const remembered = { control: head('control', log).remembered }
  await refused(shown(log.slice(0, 2), { remembered }), /control log is shorter/)
  await refused(shown([logGenesis, freeze(1), freeze(3)], { remembered }), /control log is another/)
  await refused(shown([logGenesis, freeze(1), freeze(3), freeze(4)], { remembered }), /control log is another/)
  const longer = await verdict(shown([...log, freeze(3)], { remembered }))
  assert.equal((longer.standing as Standing).size, 4)
})

test('a main log that became shorter, or another, or does not prove that it goes on, is refused', async () => {
  const log = [logGenesis]
  const remembered = { main: head('main', MAIN).remembered }
  const grown = [...MAIN, 'four', 'five']
  const proofOf = (entries: string[]) =>
    consistencyProof(3, entries.length, hashesOf(entries)).map(hash => hash.toString('base64'))
  const following = (entries: string[], proof: string[]) =>
    shown(log, { remembered, main: { checkpoint: head('main', entries).note, proof } })
  await refused(following(MAIN.slice(0, 2), []), /main log is shorter/)
  await refused(following(['one', 'two', 'other'], []), /main log is another/)
  await refused(following(grown, []), /main log is another/)
  const fork = ['one', 'two', 'other', 'four', 'five']
  await refused(following(fork, proofOf(fork)), /main log is another/)
  const { heads } = (await verdict(following(grown, proofOf(grown)))) as { heads: { main: { size: number } } }
  assert.equal(heads.main.size, 5)
})

test('a passkey that Chromium attests is accepted in the page as on the server, under its maker’s root alone', async () => {
  const { passkey, maker, aaguid } = chromiumPasskey
  const stolen = { ...passkey, id: randomBytes(32).toString('base64url') }
  for (const [one, list, holds] of [
    [passkey, [{ aaguid, roots: [maker] }], true],
    [stolen, [{ aaguid, roots: [maker] }], false],
    [passkey, [{ aaguid: aaguid.replace('01', 'ff'), roots: [maker] }], false],
    [passkey, [], false],
  ] as const) {
    const accepted = list.map(({ roots, ...rest }) => ({ ...rest, roots: [...roots] }))
    assert.equal(isAttested(one, accepted), holds)
    assert.equal(await inPage({ attested: [one, accepted] }), holds)
  }
})

test('the stand-ins hash, decode and verify as Node does', async () => {
  for (let length = 0; length < 200; length++) {
    const bytes = randomBytes(length)
    assert.equal(PageBuffer.from(sha256(bytes)).toString('hex'), createHash('sha256').update(bytes).digest('hex'))
    for (const encoding of ['hex', 'base64', 'base64url', 'latin1', 'utf8'] as const) {
      const text = bytes.toString(encoding)
      assert.equal(PageBuffer.from(bytes).toString(encoding), text)
      if (encoding !== 'utf8') assert.deepEqual([...PageBuffer.from(text, encoding)], [...bytes])
      for (const cut of [text.slice(0, -1), text.slice(1)])
        assert.deepEqual([...PageBuffer.from(cut, encoding)], [...Buffer.from(cut, encoding)], `${encoding} ${cut}`)
    }
  }
  for (const [kind, hash] of [
    ['p256', 'sha256'],
    ['p384', 'sha384'],
    ['p521', 'sha512'],
    ['ed25519', null],
    ['rsa', 'sha256'],
  ] as const) {
    const { publicKey, privateKey } = pairOf(kind)
    const key = pageKey(publicKey.export({ format: 'der', type: 'spki' }))
    const data = randomBytes(50)
    for (let turn = 0; turn < 20; turn++) {
      const signature = sign(hash, data, privateKey)
      assert.equal(await verifyInPage(hash, data, key, signature), true, kind)
      assert.equal(await verifyInPage(hash, randomBytes(50), key, signature), false, kind)
      if (kind === 'rsa') break
    }
  }
})

function pairOf(kind: 'p256' | 'p384' | 'p521' | 'ed25519' | 'rsa') {
  if (kind === 'ed25519') return generateKeyPairSync('ed25519')
  if (kind === 'rsa') return generateKeyPairSync('rsa', { modulusLength: 2048 })
  return generateKeyPairSync('ec', { namedCurve: { p256: 'P-256', p384: 'P-384', p521: 'P-521' }[kind] })
}

test('a signature in any other spelling than DER is none', () => {
  const good = '3006020101020102'
  assert.equal(rawSignature(Buffer.from(good, 'hex'), 32)?.length, 64)
  for (const bad of [
    '',
    '30',
    '3006020101020182',
    '300702020001020102',
    '300602010102010200',
    '3005020101020102',
    '30810602010102010200',
    '3006020101030102',
    '30060201010202',
  ])
    assert.equal(rawSignature(Buffer.from(bad, 'hex'), 32), undefined, bad)
})
