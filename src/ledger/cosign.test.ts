import assert from 'node:assert/strict'
import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { setTimeout as wait } from 'node:timers/promises'
import { testRoster } from '../../test/support/roster.ts'
import { silentLog } from '../base/log.ts'
import { openCheckpoint } from '../wire/tlog/checkpoint.ts'
import { newestTime, verifierOf } from '../wire/tlog/cosignature.ts'
import { decodeVkey, encodeSignature, splitNote, type Vkey, vkeyOf } from '../wire/tlog/note.ts'
import { openProof } from '../wire/tlog/proof.ts'
import { startWitness } from '../witness/server.ts'
import type { LogName } from './api.ts'
import { openHead } from './checkpoint.ts'
import { ledgerClient } from './client.ts'
import { type Disk, openDisk } from './disk.ts'
import { fsck } from './fsck.ts'
import { Sequence } from './sequence.ts'
import { startLedger } from './server.ts'

const place = mkdtempSync(join(tmpdir(), 'bhcos-'))
after(() => rmSync(place, { recursive: true, force: true }))
const { genesis, trusted, ledger: keys } = testRoster()
const vkeys = {
  main: vkeyOf('example.test/main', 1, createPublicKey(keys.main)),
  control: vkeyOf('example.test/control', 1, createPublicKey(keys.control)),
}
const signingOf = (log: LogName) => ({
  origin: `example.test/${log}`,
  key: keys[log],
  clockName: 'example.test/clock',
  clockKey: keys.clock,
})
const http = { host: '127.0.0.1', port: 0 }
let count = 0
const newDir = () => join(place, String(count++))

async function witness(dir = newDir(), port = 0) {
  const logs = [vkeys.main, vkeys.control]
  const running = await startWitness({ dir, logs, host: '127.0.0.1', port, clock: Date.now, log: silentLog })
  return { ...running, dir, key: decodeVkey(running.vkey) }
}

/** `named`: the witnesses' keys in the roster. */
async function ledger(witnesses: string[], dir = newDir(), named?: string[]) {
  const socket = `${newDir()}s`
  const sockets = { console: socket }
  const options = {
    dir,
    name: 'example.test',
    genesis,
    trusted: named ? naming(named) : trusted,
    keys,
    clock: Date.now,
    sockets,
    http,
    witnesses,
    log: silentLog,
  }
  const running = await startLedger(options)
  const edge = ledgerClient({ path: socket })
  const close = async () => {
    edge.close()
    await running.close()
  }
  const deliver = (id: string) =>
    edge.append({ log: 'main', entries: [{ entry: `{"type":"group","unique":"group:${id}"}` }] })
  return { dir, url: running.url, edge, deliver, close }
}

const naming = (witnesses: string[]) => ({
  ...trusted,
  roster: { ...trusted.roster, policy: { ...trusted.roster.policy, witnesses } },
})

/** The witnesses among `keys` whose cosignature of this log holds. Throws where one does not hold, as every verifier does. */
function cosigners(note: string, log: LogName, keys: Vkey[]): string[] {
  const { verified } = openCheckpoint(note, `example.test/${log}`, verifierOf(vkeys[log]), keys.map(verifierOf))
  openHead(signingOf(log), note)
  return verified.map(({ name }) => name).filter(name => keys.some(key => key.name === name))
}

async function until<T>(act: () => Promise<T>, seconds = 30): Promise<T> {
  for (const late = Date.now() + seconds * 1000; ; await wait(50))
    try {
      return await act()
    } catch (error) {
      if (Date.now() > late) throw error
    }
}

test('a delivery is proved under a head that both witnesses signed, and the newest checkpoint carries their lines', async () => {
  const [one, two] = [await witness(), await witness()]
  const running = await ledger([one.url, `${two.url}#${two.vkey}`])
  const { edge, url } = running
  await assert.rejects(edge.prove({ log: 'main', index: 0, cosigned: true }), { code: 'NOT_FOUND' })
  await running.deliver('a')
  const names = [one.name, two.name].sort()
  const proof = await until(async () => {
    const found = await edge.prove({ log: 'main', index: 0, cosigned: true })
    assert.deepEqual(cosigners(found.checkpoint!, 'main', [one.key, two.key]).sort(), names)
    return found
  })
  const entry = Buffer.from('{"type":"group","unique":"group:a"}')
  const hashes = proof.hashes.map(hash => Buffer.from(hash, 'base64'))
  openProof({ index: 0, hashes, checkpoint: proof.checkpoint! }, entry, 'example.test/main', verifierOf(vkeys.main))
  for (const path of ['checkpoint', 'checkpoint.cosigned'])
    await until(async () => {
      const answer = await fetch(`${url}/main/${path}`)
      assert.deepEqual(cosigners(await answer.text(), 'main', [one.key, two.key]).sort(), names)
    })
  await assert.rejects(edge.prove({ log: 'main', index: 0, size: 1, cosigned: true }), { code: 'BAD_REQUEST' })
  for (const each of [running, one, two]) await each.close()
})

test('an entry that no cosigned head covers yet is asked for again, also where there is no witness', async () => {
  const { edge, deliver, close } = await ledger([])
  await deliver('a')
  const error = await edge.prove({ log: 'main', index: 0, cosigned: true }).catch(error => error)
  assert.deepEqual([error.code, error.remedy], ['UNAVAILABLE', 'Ask again in a second.'])
  await assert.rejects(edge.checkpoint({ log: 'main', cosigned: true }), { code: 'UNAVAILABLE' })
  await close()
})

test('an absent witness stops nothing, and signs again when it is back, from the size that it remembers', async () => {
  const [stays, goes] = [await witness(), await witness()]
  const running = await ledger([stays.url, goes.url])
  const signedBy = async (names: string[], index: number) => {
    const { checkpoint } = await running.edge.prove({ log: 'main', index, cosigned: true })
    assert.deepEqual(cosigners(checkpoint!, 'main', [stays.key, goes.key]).sort(), names.sort())
  }
  await running.deliver('a')
  await until(() => signedBy([stays.name, goes.name], 0))
  await goes.close()
  for (const [at, id] of ['b', 'c', 'd'].entries()) {
    await running.deliver(id)
    await until(() => signedBy([stays.name], at + 1))
  }
  const back = await witness(goes.dir, Number(new URL(goes.url).port))
  await until(() => signedBy([stays.name, goes.name], 3))
  for (const each of [running, stays, back]) await each.close()
})

test("the control log's time is cosigned anew while nothing happens", async () => {
  const one = await witness()
  const { edge, close } = await ledger([one.url])
  const timeOf = async () => {
    const { checkpoint } = await edge.checkpoint({ log: 'control', cosigned: true })
    const { verified } = openCheckpoint(checkpoint, 'example.test/control', verifierOf(vkeys.control), [
      verifierOf(one.key),
    ])
    return newestTime(verified, [one.key])!
  }
  const first = await until(timeOf)
  await until(async () => assert.ok((await timeOf()) > first))
  for (const each of [{ close }, one]) await each.close()
})

test('what a hostile witness answers spoils no checkpoint: no line in the name of another, none in place of ours', async () => {
  const honest = await witness()
  let answers = 0
  const forged = (vkey: { name: string; keyId: number }) =>
    encodeSignature({ name: vkey.name, keyId: vkey.keyId, signature: Buffer.alloc(72, 1) })
  const own = vkeyOf('hostile', 4, generateKeyPairSync('ed25519').privateKey)
  const clock = vkeyOf('example.test/clock', 4, createPublicKey(keys.clock))
  const bodies = [
    [vkeys.main, vkeys.control, clock, own].map(forged).join(''),
    [honest.key, own].map(forged).join(''),
    'x'.repeat(100_000),
    '\n\n— \n— a b\n',
    '',
  ]
  const hostile = createServer((request, response) => {
    request.resume()
    response.writeHead(answers % 7 === 6 ? 409 : 200).end(bodies[answers++ % bodies.length])
  })
  await new Promise<void>(done => hostile.listen(0, '127.0.0.1', done))
  const url = `http://127.0.0.1:${(hostile.address() as AddressInfo).port}`
  const running = await ledger([url, `${honest.url}#${honest.vkey}`])
  for (const index of [0, 1, 2, 3]) {
    await running.deliver(String(index))
    await until(async () => {
      const { checkpoint } = await running.edge.prove({ log: 'main', index, cosigned: true })
      assert.deepEqual(cosigners(checkpoint!, 'main', [honest.key]), [honest.name])
    })
  }
  assert.ok(answers > 2)
  await running.close()
  await honest.close()
  hostile.close()
  hostile.closeAllConnections()
})

test('where the roster names witnesses, nobody else is believed by form, and a head that others signed is not cosigned', async () => {
  const [one, stranger] = [await witness(), await witness()]
  const alone = await ledger([stranger.url], newDir(), [one.vkey])
  await alone.deliver('a')
  await wait(2500)
  await assert.rejects(alone.edge.prove({ log: 'main', index: 0, cosigned: true }), { code: 'UNAVAILABLE' })
  await alone.close()
  const [known, other] = [await witness(), await witness()]
  const both = await ledger([other.url, known.url], newDir(), ['no key', known.vkey])
  await both.deliver('b')
  await until(async () => {
    const { checkpoint } = await both.edge.prove({ log: 'main', index: 0, cosigned: true })
    const { signatures } = splitNote(checkpoint!)
    assert.deepEqual(
      signatures.map(({ name }) => name).filter(name => !name.startsWith('example.test/')),
      [known.name],
    )
  })
  for (const each of [both, one, stranger, known, other]) await each.close()
})

test('a ledger that was copied and grew two pasts is cosigned in one of them alone', async () => {
  const one = await witness()
  const first = await ledger([one.url])
  await first.deliver('a')
  await until(() => first.edge.prove({ log: 'main', index: 0, cosigned: true }))
  await first.close()
  const copy = newDir()
  cpSync(first.dir, copy, { recursive: true })
  const told = await ledger([one.url], first.dir)
  await told.deliver('b')
  const { checkpoint } = await until(() => told.edge.prove({ log: 'main', index: 1, cosigned: true }))
  await told.close()
  const other = await ledger([one.url], copy)
  await other.deliver('c')
  await until(async () => assert.ok(readdirSync(one.dir).some(name => name.endsWith('.forked'))))
  await other.deliver('d')
  await wait(2500)
  await assert.rejects(other.edge.prove({ log: 'main', index: 1, cosigned: true }), { code: 'UNAVAILABLE' })
  await other.close()
  const evidence = readFileSync(join(one.dir, readdirSync(one.dir).find(name => name.endsWith('.forked'))!), 'utf8')
  const [kept, forked] = [checkpoint!, evidence].map(note => openHead(signingOf('main'), note))
  assert.equal(kept!.size, forked!.size)
  assert.notDeepEqual(kept!.root, forked!.root)
  await one.close()
})

/** A disk that stops at a step, as a killed process does. */
function dying(disk: Disk, at: number): Disk {
  let step = 0
  const guard =
    <A extends unknown[]>(run: (...args: A) => Promise<void>) =>
    (...args: A) =>
      step++ >= at ? Promise.reject(new Error('killed')) : run(...args)
  return { ...disk, put: guard(disk.put), syncFolder: guard(disk.syncFolder) }
}

test('killed between any two steps of keeping a cosigned head, the ledger opens again with one root for each size', async () => {
  const signing = signingOf('main')
  const open = (disk: Disk, dir: string) => Sequence.open({ disk, dir, log: 'main', signing, clock: Date.now })
  const line = { name: 'w', keyId: 7, signature: Buffer.alloc(72, 1) }
  for (const step of [0, 1, 2, 3, 4]) {
    const dir = newDir()
    const disk = openDisk()
    const before = await open(disk, dir)
    await before.append('edge', [{ entry: '{"type":"delivery"}' }])
    const head = before.publish()
    const note = head.note + encodeSignature(line)
    await disk.close()
    const mortal = openDisk()
    const dead = await open(mortal, dir)
    const steps = dying(mortal, step)
    Object.assign(mortal, { put: steps.put, syncFolder: steps.syncFolder })
    await dead.cosign({ ...head, note }).catch(error => assert.match(String(error), /killed/))
    await mortal.close()
    const after = await open(openDisk(), dir)
    assert.deepEqual([after.head.size, after.head.root], [head.size, head.root])
    const { signatures } = splitNote(after.head.note)
    assert.equal(signatures.length, after.cosigned ? 3 : 2, `step ${step}`)
    assert.equal(after.cosigned !== undefined, step > 0, `step ${step}`)
    assert.deepEqual(fsck({ disk: openDisk(), dir, log: 'main', signing }).findings, [])
  }
})
