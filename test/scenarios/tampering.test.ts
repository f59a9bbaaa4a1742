import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { after, before, describe, test } from 'node:test'
import { eraseBody, type Plan, plansOf } from '../../drill/p2/plans.ts'
import { elsewhere, harmless, tables } from '../../drill/p2/rows.ts'
import { enrolledSides, type Side, wordsOf } from '../../drill/p2/sides.ts'
import type { Device } from '../../simulator/device.ts'
import { createFleet, inParallel } from '../../simulator/fleet.ts'
import type { Draft, Order } from '../../src/console/api.ts'
import { commandUuid } from '../../src/trust/token.ts'
import type { Voucher } from '../../src/trust/voucher.ts'
import { type Installation, idOf, startInstallation, until } from '../support/installation.ts'
import { createOperator, type Operator } from '../support/operator.ts'
import { type Change, changesOf, columnsOf, type Pair, rowOf, tamper } from '../support/tamper.ts'

// Somebody owns the database. Whatever they do to its rows, no device gets a command that was not approved for it, and those that were
// left alone get theirs. Each case has two devices of its own, and an order for each: a lock with a message for the first, a question
// for the second. First everything is set up, then everything is changed, then the processes forget what they knew, then all devices come.

let installation: Installation
let owner: Operator
const query = (text: string, values: unknown[] = []) => installation.database.query(text, values)

type Case = { name: string; table: string; mine: Side; other: Side; changed: boolean; error?: Error }

let plans: Record<string, Plan>
const cases: Case[] = []
const untouched: Side[] = []
const UNTOUCHED = 4

before(async () => {
  // One approval and no budget, so that nothing but what was tampered with stands in the way of a lock.
  const quorum = { read: 1, change: 1, trust: 1, destroy: 1 }
  const destroy = { devices: 100_000, percent: 100, seconds: 60, after: 'all' } as const
  const enrol = { devices: 100_000, seconds: 60 }
  installation = await startInstallation({ policy: { quorum, budgets: { destroy, enrol } } })
  owner = createOperator(installation)
  plans = plansOf(installation.database, owner)
  const plan = await planned()
  const sides = await enrolledSides(owner, 2 * plan.length + UNTOUCHED)
  untouched.push(...sides.splice(0, UNTOUCHED))
  for (const [at, { name, table }] of plan.entries())
    cases.push({ name, table, mine: sides[2 * at]!, other: sides[2 * at + 1]!, changed: false })
  await inParallel(plan, 8, async ({ change, attack }, at) => {
    const { mine, other, table } = cases[at]!
    if (attack) await attack(mine, other)
    cases[at]!.changed = attack ? true : await changeRows(table, mine, other, change!)
  })
  await Promise.all([installation.renew('edge'), installation.renew('vault')])
  await inParallel([...untouched, ...sides], 16, async ({ device }) => {
    if (!device.state.enrolment) return
    await device.connect().catch(error => {
      const found = cases.find(({ mine, other }) => mine.device === device || other.device === device)
      if (!found) throw error
      found.error = error
    })
  })
})
after(async () => {
  for (const { device } of [...untouched, ...cases.flatMap(({ mine, other }) => [mine, other])]) device.close()
  await installation?.stop()
})

type Planned = { name: string; table: string; change?: Change; attack?: Plan }

/** Every change to every table, read off two rows of each as they are now. */
async function planned(): Promise<Planned[]> {
  const sample = await enrolledSides(owner, 2)
  const found: Planned[] = []
  for (const [table, { key, of }] of Object.entries(tables)) {
    const pair = (await Promise.all(sample.map(side => rowOf(installation.database, table, key, of(side))))) as Pair
    for (const change of await changesOf(installation.database, table, pair))
      found.push({ name: change.name, table, change })
  }
  for (const { device } of sample) device.close()
  return [...found, ...Object.entries(plans).map(([name, attack]) => ({ name, table: 'plans', attack }))]
}

async function changeRows(table: string, mine: Side, other: Side, change: Change): Promise<boolean> {
  const { key, of } = tables[table]!
  const rows = await Promise.all([mine, other].map(side => rowOf(installation.database, table, key, of(side))))
  return tamper(installation.database, table, key, rows as Pair, change)
}

/** All that a device did is what was approved for it, once. */
function requireOnlyItsOwn({ device, id, order, wanted, words }: Side, name: string) {
  for (const done of device.executed) {
    assert.equal(done.commandUuid, commandUuid(order, id), name)
    assert.equal(done.requestType, wanted, name)
    assert.ok(wordsOf(done).includes(words), name)
  }
  assert.ok(device.executed.length <= 1, name)
}

test('every table is known to these tests', async () => {
  const { rows } = await query(
    "select table_schema || '.' || table_name as name from information_schema.tables where table_schema in ('edge', 'vault', 'console', 'watch')",
  )
  const known = [...Object.keys(tables), ...elsewhere, ...harmless]
  assert.deepEqual(rows.map(({ name }) => name).sort(), known.sort())
})

test('a device whose rows were left alone gets its command and no other', () => {
  for (const side of untouched) {
    requireOnlyItsOwn(side, 'untouched')
    assert.equal(side.device.executed.length, 1)
  }
})

for (const table of [...Object.keys(tables), 'plans'])
  describe(table === 'plans' ? 'attacks with a plan' : `rows of ${table}, column by column`, () => {
    test('no device gets a command that was not approved for it', () => {
      const tried = cases.filter(one => one.table === table)
      assert.ok(tried.length > 3)
      for (const { mine, other, name } of tried) {
        requireOnlyItsOwn(mine, name)
        requireOnlyItsOwn(other, name)
      }
    })

    test('what goes wrong is refused in words, and is never an error of the server', () => {
      for (const { name, error, table: where } of cases)
        if (where === table && error) assert.match(error.message, /was answered with 403/, `${where}: ${name}`)
    })

    if (table === 'plans') return
    test('each column was changed in some way', async () => {
      const changed = new Set(
        cases.filter(one => one.table === table && one.changed).map(({ name }) => name.split(' ')[0]),
      )
      for (const { name, words } of await columnsOf(installation.database, table))
        if (words.length !== 1) assert.ok(changed.has(name), name) // a column with one possible value has no other
    })
  })

test('the refusals of the turnstile and vouchers that do not hold leave traces', async () => {
  const orderOf = (name: string) => cases.find(one => one.name === name)!.mine.order
  const traced = (code: string, order: string | null) =>
    until(async () => {
      const { rowCount } = await query(
        'select from watch.trace where code = $1 and ($2::uuid is null or order_id = $2)',
        [code, order],
      )
      return rowCount === 0 ? undefined : true
    })
  await traced('turnstile-refused', orderOf('the body becomes an order to erase'))
  await traced('turnstile-refused', orderOf('work of an order is queued for a device that it is not for'))
  await traced('turnstile-refused', orderOf('the work is renamed, so that its answer ends nothing'))
  await traced('voucher-unproven', null)
})

test('whoever approves signs nothing that was changed after it was drafted', async () => {
  const { id } = untouched[0]!
  const wish = { action: 'DeviceLock', set: ['Message=as drafted'], devices: [id] }
  const edits: Record<string, (draft: Draft) => Promise<unknown>> = {
    targets: ({ order }) =>
      query('update console.orders set targets = targets || $2 where order_id = $1', [order, [untouched[1]!.id]]),
    body: ({ order }) => query('update console.orders set body = $2 where order_id = $1', [order, eraseBody()]),
    statement: ({ order }) =>
      query(
        `update console.orders set statement = replace(statement, 'DeviceLock', 'EraseDevice') where order_id = $1`,
        [order],
      ),
  }
  for (const [what, edit] of Object.entries(edits)) {
    const draft = await owner.draft(wish)
    await edit(draft)
    await assert.rejects(installation.approve(draft.order), /UNPROVEN/, what)
    await assert.rejects(owner.approve(draft), { code: 'UNPROVEN' }, what)
    assert.equal((await installation.console.get<Order>(`/api/orders/${draft.order}`)).state, 'draft')
  }
  await owner.approve(await owner.draft(wish)) // unchanged, it is taken
})

test('a tier that was raised in the tables gives no right to erase', async () => {
  const { id, device } = untouched[1]!
  await query("update edge.device set tier = 'full' where device_id = $1", [id])
  const erase = () => owner.order({ action: 'EraseDevice', devices: [id] })
  await assert.rejects(erase, { code: 'RIGHT_MISSING' })
  await query(`update vault.certificate set voucher = replace(voucher, '"private"', '"full"') where device_id = $1`, [
    id,
  ])
  await installation.renew('console') // it remembers what it verified
  await assert.rejects(erase, { code: 'REFUSED' })
  await query(`update vault.certificate set voucher = replace(voucher, '"full"', '"private"') where device_id = $1`, [
    id,
  ])
  await device.connect()
  requireOnlyItsOwn(untouched[1]!, 'raised')
})

test("sealed tokens that were moved to another device's row open for nobody", async () => {
  const { profileUrl } = await owner.invite({ uses: 3, tier: 'full' })
  const fleet = await createFleet({ count: 3, seed: 'tokens', models: ['iphone', 'iphone', 'mac'] })
  await fleet.enrolAll(profileUrl)
  const [one, other, mac] = fleet.devices as [Device, Device, Device]
  await mac.setBootstrapToken()
  await query(
    'update edge.device set unlock_token = (select unlock_token from edge.device where device_id = $2) where device_id = $1',
    [idOf(one), idOf(other)],
  )
  await query('update vault.bootstrap_token set device_id = $2 where device_id = $1', [idOf(mac), idOf(one)])
  const ids = [idOf(one), idOf(other)]
  const order = await owner.order({ action: 'ClearPasscode', devices: ids })
  for (const device of [one, other]) await device.connect()
  assert.deepEqual([one.executed.length, other.executed.length], [0, 1])
  const states = (await installation.show(order)).devices.map(({ device, state }) => [device === ids[0], state])
  assert.deepEqual(
    new Map(states as [boolean, string][]),
    new Map([
      [true, 'error'],
      [false, 'acknowledged'],
    ]),
  )
  await assert.rejects(one.getBootstrapToken())
  assert.equal(await mac.getBootstrapToken(), undefined)
  for (const device of fleet.devices) device.close()
})

describe('invitations, column by column', () => {
  type Guest = { device: Device; rights: number | undefined }
  type Try = { name: string; private: Guest[]; full: Guest[] }
  const tried: Try[] = []
  const changed = new Set<string>()

  before(async () => {
    const sample = (await Promise.all([invitation('private'), invitation('full')])).map(({ row }) => row) as Pair
    const changes = await changesOf(installation.database, 'console.invitation', sample)
    const none: Change = { name: 'nothing is changed', column: null, apply: () => undefined }
    await inParallel([none, ...changes], 4, async change => {
      const [mine, other] = await Promise.all([invitation('private'), invitation('full')])
      if (await tamper(installation.database, 'console.invitation', 'invitation_id', [mine.row, other.row], change))
        changed.add(change.name.split(' ')[0]!)
      tried.push({ name: change.name, private: await guests(mine.profileUrl), full: await guests(other.profileUrl) })
    })
  })

  async function invitation(tier: 'private' | 'full') {
    const made = await owner.invite({ tier })
    return { ...made, row: await rowOf(installation.database, 'console.invitation', 'invitation_id', made.invitation) }
  }

  /** Two devices with one invitation for one. */
  async function guests(profileUrl: string): Promise<Guest[]> {
    const { devices } = await createFleet({ count: 2, seed: randomUUID() })
    return Promise.all(
      devices.map(async device => {
        await device.enrol(profileUrl).catch(() => {})
        device.close()
        return { device, rights: device.state.enrolment?.rights }
      }),
    )
  }
  const enrolled = (guests: Guest[]) => guests.flatMap(({ rights }) => rights ?? [])

  test('left alone, each lets one device in, with its own rights', () => {
    const { private: mine, full } = tried.find(({ name }) => name === 'nothing is changed')!
    assert.deepEqual([enrolled(mine), enrolled(full)], [[8151], [8191]])
  })

  test('changed in any way, none lets in more devices than were approved, or with more rights', () => {
    for (const { name, private: mine, full } of tried) {
      assert.ok(enrolled(mine).length <= 1 && enrolled(full).length <= 1, name)
      for (const rights of enrolled(mine)) assert.equal(rights, 8151, name)
      for (const rights of enrolled(full)) assert.equal(rights, 8191, name)
    }
  })

  test('no voucher says anything that its invitation did not', async () => {
    const unit = owner.trusted.roster.units[0]!.id
    const all = tried
      .flatMap(({ private: mine, full }) => [...mine, ...full])
      .filter(({ device }) => device.state.enrolment)
    assert.ok(all.length > tried.length)
    const paths = all.map(({ device }) => idOf(device))
    const { rows } = await query('select voucher from vault.certificate where path_id = any ($1)', [paths])
    const vouchers = rows.map(({ voucher }) => JSON.parse(voucher) as Voucher)
    for (const { device, rights } of all) {
      const voucher = vouchers.find(one => one.path === idOf(device))!
      assert.deepEqual([voucher.tier, voucher.unit, voucher.groups], [rights === 8191 ? 'full' : 'private', unit, []])
    }
  })

  test('each column was changed in some way', async () => {
    for (const { name } of await columnsOf(installation.database, 'console.invitation'))
      assert.ok(changed.has(name), name)
  })
})

describe('versions of groups, column by column', () => {
  const changed = new Set<string>()
  const tried: { name: string; ordered: boolean }[] = []
  let mine: Side
  let other: Side

  before(async () => {
    ;[mine, other] = (await enrolledSides(owner, 2)) as [Side, Side]
    const sample = await groups('sample')
    const changes = await changesOf(installation.database, 'console.group_version', sample.newest)
    const none: Change = { name: 'nothing is changed', column: null, apply: () => undefined }
    await inParallel([none, ...changes, ...rollbacks], 8, async (change, at) => {
      const { alias, newest } = await groups(`case-${at}`)
      if (await tamper(installation.database, 'console.group_version', 'ctid', newest, change))
        changed.add(change.name.split(' ')[0]!)
      const ordered = await owner.order({ action: 'DeviceLock', set: [`Message=${change.name}`], group: alias }).then(
        () => true,
        () => false,
      )
      tried.push({ name: change.name, ordered })
    })
    for (const { device } of [mine, other]) await device.connect()
  })
  after(() => {
    for (const side of [mine, other]) side?.device.close()
  })

  /** Changes that bring an older version of the group back: the other device was a member then. */
  const rollbacks: Change[] = [
    { name: 'the newest version is deleted', column: null, apply: ([, older]) => [older] },
    {
      name: 'the versions change places',
      column: null,
      apply: ([a, b]) => [
        { ...a, version: b.version },
        { ...b, version: a.version },
      ],
    },
    { name: 'the older version is made the newest', column: null, apply: ([a, b]) => [a, { ...b, version: 7 }] },
  ]

  /** A group of both devices that has become a group of the first alone: its two rows. */
  async function groups(alias: string) {
    const first = await owner.group(alias, [mine.id, other.id])
    await owner.group(alias, [mine.id], first)
    const { rows } = await query(
      `select to_jsonb(g) || jsonb_build_object('ctid', g.ctid::text) as row from console.group_version g where alias = $1 order by version desc`,
      [alias],
    )
    return { alias, newest: rows.map(({ row }) => row) as Pair }
  }

  test('left alone, the group is who it was approved to be', () => {
    assert.equal(tried.find(({ name }) => name === 'nothing is changed')!.ordered, true)
    assert.ok(mine.device.executed.some(({ keys }) => keys.Message === 'nothing is changed'))
  })

  test('changed in any way, no device gets a command for a group that it is not in', () => {
    assert.deepEqual(
      other.device.executed.map(({ keys }) => keys.Message).filter(message => message !== undefined),
      [],
    )
    for (const { name, ordered } of tried)
      assert.equal(
        mine.device.executed.some(({ keys }) => keys.Message === name),
        ordered,
        name,
      )
  })

  test('each column was changed in some way', async () => {
    for (const { name } of await columnsOf(installation.database, 'console.group_version'))
      assert.ok(changed.has(name), name)
  })
})
