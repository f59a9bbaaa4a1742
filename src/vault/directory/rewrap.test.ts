import assert from 'node:assert/strict'
import { randomBytes, randomUUID } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { sha256 } from '../../trust/statement.ts'
import { openKeyring } from './keyring.ts'
import { createOffers } from './offers.ts'
import { openOuter, sealOuter } from './outer.ts'
import { rewrap, type SealedRows } from './rewrap.ts'
import type { Row } from './rows.ts'

const place = mkdtempSync(join(tmpdir(), 'bulkhead-rewrap-'))
after(() => rmSync(place, { recursive: true, force: true }))
const genesisDigest = randomBytes(32)
const random = randomBytes
const clock = () => 1_800_000_000
const unit = randomUUID()

/** A keyring and the rows that it opens, as PostgreSQL would hold them. */
async function world(count: number) {
  const dir = mkdtempSync(join(place, 'keyring-'))
  const keyring = await openKeyring({ dir, random, clock })
  const table = new Map<string, Buffer>()
  const inner = new Map<string, Buffer>()
  const rows = Array.from({ length: count }, (): Row => {
    const content = randomBytes(200)
    const of = { kind: 'person', id: randomUUID(), unit, version: 1, made: keyring.epoch } as const
    const row = { ...of, body: sha256(content), key: randomBytes(32) }
    table.set(`${row.id}/1`, sealOuter(row.key, row, content, genesisDigest))
    inner.set(row.id, content)
    return row
  })
  for (let at = 0; at < count; at += 1000)
    await keyring.change(() => ({ type: 'rows', rows: rows.slice(at, at + 1000) }))
  const store: SealedRows = {
    read: async records => records.map(({ id, version }) => table.get(`${id}/${version}`)),
    async write(records) {
      for (const { id, version, sealed } of records)
        if (table.has(`${id}/${version}`)) table.set(`${id}/${version}`, sealed)
    },
  }
  return { dir, keyring, table, inner, rows, store }
}
type World = Awaited<ReturnType<typeof world>>
const run = ({ keyring, store }: World, options: { rows?: SealedRows; batch?: number } = {}) =>
  rewrap({ keyring, rows: store, random, genesisDigest, batch: 50, ...options })
const requireReadable = ({ keyring, table, inner, rows }: World) => {
  for (const { kind, id } of rows) {
    const now = keyring.find({ kind, id })!
    const next = keyring.nextKey(now)
    const sealed = table.get(`${id}/${now.version}`)!
    const opened =
      openOuter(now.key, now, sealed, genesisDigest) ?? (next && openOuter(next, now, sealed, genesisDigest))
    assert.deepEqual(opened, inner.get(id))
  }
}

test('afterwards the old keys open nothing, neither rows nor the keyring’s files, and the new ones all', async () => {
  const all = await world(120)
  const before = new Map(all.table)
  const oldKey = readFileSync(join(all.dir, readdirSync(all.dir).find(name => name.endsWith('.key'))!))
  const { wrapped, missing, unopened } = await run(all)
  assert.deepEqual({ wrapped, missing, unopened }, { wrapped: 120, missing: 0, unopened: 0 })
  requireReadable(all)
  for (const row of all.rows.slice(0, 50)) {
    assert.equal(openOuter(row.key, row, all.table.get(`${row.id}/1`)!, genesisDigest), undefined)
    assert.equal(openOuter(all.keyring.find(row)!.key, row, before.get(`${row.id}/1`)!, genesisDigest), undefined)
  }
  const files = Buffer.concat(readdirSync(all.dir).map(name => readFileSync(join(all.dir, name))))
  assert.ok(!files.includes(oldKey))
  assert.deepEqual(all.keyring.due(), [])
  assert.equal((await run(all)).wrapped, 120, 'and again, when it is asked for again')
  await all.keyring.close()
})

test('killed before and after the rows of any batch are stored it loses nothing, and goes on where it was', async () => {
  for (const [batch, stored] of [
    [1, false],
    [1, true],
    [2, false],
    [3, true],
  ] as const) {
    const all = await world(130)
    let writes = 0
    const dying: SealedRows = {
      ...all.store,
      async write(records) {
        if (++writes === batch && !stored) throw new Error('killed')
        await all.store.write(records)
        if (writes === batch) throw new Error('killed')
      },
    }
    await assert.rejects(run(all, { rows: dying }), /killed/)
    requireReadable(all)
    await all.keyring.close()
    const again = { ...all, keyring: await openKeyring({ dir: all.dir, random, clock }) }
    requireReadable(again)
    assert.equal((await run(again)).wrapped, 130 - (batch - 1) * 50)
    requireReadable(again)
    for (const row of again.rows) assert.notDeepEqual(again.keyring.find(row)!.key, row.key)
    await again.keyring.close()
  }
})

test('rows that are missing or swapped are counted and keep their keys, for when they are restored', async () => {
  const all = await world(10)
  const [lost, swapped, other] = all.rows as [Row, Row, Row]
  const kept = new Map(all.table)
  all.table.delete(`${lost.id}/1`)
  all.table.set(`${swapped.id}/1`, all.table.get(`${other.id}/1`)!)
  const { wrapped, missing, unopened } = await run(all)
  assert.deepEqual({ wrapped, missing, unopened }, { wrapped: 8, missing: 1, unopened: 1 })
  for (const { id } of [lost, swapped]) all.table.set(`${id}/1`, kept.get(`${id}/1`)!)
  requireReadable(all)
  assert.equal((await run(all)).wrapped, 2)
  requireReadable(all)
  await all.keyring.close()
})

test('who was handed a release key before is told to ask again, and a version that is written meanwhile stays readable', async () => {
  const all = await world(3)
  const offers = createOffers(all.keyring, clock, random)
  const [early, meanwhile] = all.rows as [Row, Row, Row]
  offers.offer(early, unit)
  let key: Buffer | undefined
  const content = randomBytes(20)
  const rows: SealedRows = {
    ...all.store,
    async write(records) {
      assert.equal(offers.accept(early, unit), undefined)
      offers.offer(meanwhile, unit)
      key = offers.accept(meanwhile, unit)!
      const row: Row = { ...meanwhile, version: 2, key, made: all.keyring.epoch, body: sha256(content) }
      all.table.set(`${row.id}/2`, sealOuter(key, row, content, genesisDigest))
      all.inner.set(row.id, content)
      await all.keyring.change(() => ({ type: 'rows', rows: [row] }))
      await all.store.write(records)
    },
  }
  await run(all, { rows })
  requireReadable(all)
  assert.deepEqual(all.keyring.find(meanwhile)!.key, key)
  assert.equal(offers.accept(early, unit), undefined)
  await all.keyring.close()
})

test('the vault answers others while it wraps', async t => {
  const all = await world(2_000)
  const began = performance.now()
  let [longest, last] = [0, began]
  const timer = setInterval(() => {
    longest = Math.max(longest, performance.now() - last)
    last = performance.now()
  }, 1)
  const { wrapped } = await run(all, { batch: 500 })
  clearInterval(timer)
  const each = (performance.now() - began) / wrapped
  t.diagnostic(
    `${each.toFixed(2)} ms each: 50,000 in ${Math.round(each * 50)} s; busy for at most ${Math.round(longest)} ms`,
  )
  assert.ok(longest < 1_000)
  await all.keyring.close()
})
