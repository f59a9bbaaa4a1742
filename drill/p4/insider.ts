import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { inParallel } from '../../simulator/fleet.ts'
import { approve, createSoftwarePasskey, publicPasskey, type SoftwarePasskey } from '../../src/cli/passkey.ts'
import type { Draft, Order } from '../../src/console/api.ts'
import { controlOf } from '../members.ts'
import { enrolledSides, judged, type Side } from '../p2/sides.ts'
import { atMost, type Figure, none } from '../report.ts'
import { passkeyOf, type Session, signIn } from '../session.ts'
import { approved, openWorld, type Say, type World } from '../world.ts'
import { disguises } from './disguises.ts'

// One member, with their own passkey and session, through the console as it is. What they may approve alone (questions and settings) is left
// out: everything here destroys or changes trust, so nothing of it may ever be executed.

const [INSIDER, ACCOMPLICE, HONEST] = [0, 1, 2]
const SINGLES = 15

type Inside = { world: World; session: Session; sides: Side[]; members: ReturnType<typeof controlOf> }

export async function insider({ say }: { say: Say }): Promise<{ figures: Figure[]; tried: string[] }> {
  const world = await openWorld({ members: 2 })
  try {
    const { installation, owner, effects, notices } = world
    const sides = await enrolledSides(owner, 24, 'full')
    for (const { order, wanted, words, id } of sides) effects.approve(order, { type: wanted, words, devices: [id] })
    const session = (await signIn(installation.urls.console, passkeyOf(world, INSIDER), owner.trusted))!
    const inside = { world, session, sides, members: controlOf(world) }
    const noticed = await notices.after(() => forge(inside), 'approval-unproven')
    const tried = await attempts(inside)
    say(`${tried.length} ways were tried.`)
    await inParallel(sides, 8, ({ device }) => device.connect())
    const served = sides.filter(({ device }) => device.executed.length > 0).length
    const violations = effects.violations(sides.map(judged))
    for (const { device } of sides) device.close()
    return {
      tried,
      figures: [
        none('effect', 'commands of one member alone, or of a friend too soon', violations, { plain: 'any' }),
        {
          kind: 'effect',
          what: 'honest orders that were carried out',
          found: served,
          limit: `= ${sides.length}`,
          holds: served === sides.length,
        },
        atMost('notice', 'a forged approval in the ledger, seconds', Math.round(noticed.ledger * 100) / 100, 2, {
          plain: 'never',
        }),
      ],
    }
  } finally {
    await world.stop()
  }
}

const draft = async ({ session }: Inside, body: object): Promise<Draft> =>
  (await session.ask<Draft>('POST', '/api/orders', { reason: 'routine', set: [], ...body })).body
const post = ({ session }: Inside, order: string, approval: object) =>
  session.ask<Order>('POST', `/api/orders/${order}/approvals`, { approval })
const signedBy = ({ world }: Inside, passkey: SoftwarePasskey, digest: string) =>
  approve(passkey, Buffer.from(digest, 'hex'), world.owner.trusted.roster)
const erase = (devices: string[]) => ({ action: 'EraseDevice', devices })

async function attempts(inside: Inside): Promise<string[]> {
  const { world, session, sides, members } = inside
  const own = passkeyOf(world, INSIDER)
  const ids = sides.map(({ id }) => id)
  const alone = async ({ order, digest }: Draft, times = 1) => {
    if (order === undefined) return
    for (let at = 0; at < times; at++) await post(inside, order, signedBy(inside, own, digest))
  }
  const plans: Record<string, () => Promise<unknown>> = {
    'a mass wipe, alone': async () => alone(await draft(inside, erase(ids)), 2),
    'a mass wipe, split into singles': async () => {
      for (const id of ids.slice(0, SINGLES)) await alone(await draft(inside, erase([id])))
    },
    'the approval of one order for another': async () => {
      const [one, other] = [
        await draft(inside, { action: 'ProfileList', devices: [ids[0]!] }),
        await draft(inside, erase([ids[0]!])),
      ]
      await post(inside, other.order, signedBy(inside, own, one.digest))
    },
    'both approvals of an order that two members agreed on, again for one that says the same': () => replay(inside),
    'the approved order edited: its page, put, patched and drafted again under its id': async () => {
      const { order } = sides[1]!
      for (const method of ['PUT', 'PATCH', 'DELETE']) await session.ask(method, `/api/orders/${order}`, erase(ids))
      await session.ask('POST', '/api/orders', { ...erase(ids), reason: 'routine', order, id: order })
    },
    'a standing order that destroys, or changes trust': async () => {
      for (const action of ['EraseDevice', 'DeviceLock', 'InstallApplication'])
        for (const trigger of ['daily', 'enrolment'])
          await alone(
            (await session.ask<Draft>('POST', '/api/standing', { action, set: [], reason: 'routine', trigger })).body,
          )
    },
    'a second account of one’s own, proposed alone': async () => {
      const second = newcomer(world)
      await members.change(next => void next.members.push(memberOf(world, second)), [INSIDER]).catch(() => {})
      const made = await draft(inside, erase(ids))
      await alone(made)
      await post(inside, made.order, signedBy(inside, second, made.digest))
    },
    'a friend whom two owners add, used at once': () => friend(inside),
    'a second passkey of one’s own, used at once': () => secondKey(inside),
    'a weaker policy that two owners agree on, used at once': async () => {
      await members.change(
        next => {
          next.policy.quorum = { ...next.policy.quorum, trust: 1, destroy: 1 }
        },
        [INSIDER, ACCOMPLICE],
      )
      await alone(await draft(inside, erase(ids)))
    },
    'a group that grows after its order was approved': () => growingGroup(inside),
    ...Object.fromEntries(
      Object.entries(disguises).map(([name, wish]) => [
        `in disguise: ${name}`,
        async () => alone(await draft(inside, { ...wish, devices: ids.slice(0, 2) })),
      ]),
    ),
  }
  for (const plan of Object.values(plans)) await plan()
  return Object.keys(plans)
}

function newcomer({ installation }: World): SoftwarePasskey {
  return createSoftwarePasskey(join(installation.home, `${randomUUID()}.passkey`), 'friend')
}
function memberOf({ owner }: World, passkey: SoftwarePasskey) {
  const { app, members } = owner.trusted.roster
  return {
    id: randomUUID(),
    alias: `friend-${passkey.credentialId
      .slice(0, 6)
      .toLowerCase()
      .replace(/[^a-z0-9]/g, 'x')}`,
    roles: members[0]!.roles,
    passkeys: [publicPasskey(passkey, [app.origin])],
  }
}

/** An order of two honest members is carried out; then their approvals are sent again, to it and to its twin. */
async function replay(inside: Inside) {
  const { world, sides } = inside
  const { installation, owner } = world
  const wish = { action: 'EnableLostMode', set: ['Message=Lost', 'PhoneNumber=1'], devices: [sides[2]!.id] }
  const order = await approved(world, wish)
  const { rows } = await installation.database.query('select approval from console.approval where order_id = $1', [
    order,
  ])
  const twin = await owner.draft(wish)
  for (const { approval } of rows) for (const at of [order, twin.order]) await post(inside, at, approval)
}

/** Insider and accomplice, both owners, make a friend; insider and friend then agree. */
async function friend(inside: Inside) {
  const { world, sides, members } = inside
  const third = newcomer(world)
  await members.change(next => void next.members.push(memberOf(world, third)), [INSIDER, ACCOMPLICE])
  const made = await draft(inside, erase(sides.map(({ id }) => id)))
  for (const passkey of [passkeyOf(world, INSIDER), third])
    await post(inside, made.order, signedBy(inside, passkey, made.digest))
}

/** A member is one member with however many passkeys, and a new one cools off like a new member. */
async function secondKey(inside: Inside) {
  const { world, sides, members } = inside
  const second = newcomer(world)
  const { app } = world.owner.trusted.roster
  await members.change(
    next => void next.members[INSIDER]!.passkeys.push(publicPasskey(second, [app.origin])),
    [INSIDER, HONEST],
  )
  const made = await draft(inside, erase(sides.map(({ id }) => id)))
  for (const passkey of [passkeyOf(world, INSIDER), second])
    await post(inside, made.order, signedBy(inside, passkey, made.digest))
}

async function growingGroup({ world, sides }: Inside) {
  const { owner, effects } = world
  const [one, other] = [sides[3]!.id, sides[4]!.id]
  const alias = 'growing'
  const before = await owner.group(alias, [one])
  const order = await owner.order({ action: 'ProfileList', group: alias })
  effects.approve(order, { type: 'ProfileList', devices: [one] })
  await owner.group(alias, [one, other], before)
}

/** An approval that holds in all but its signature. */
async function forge(inside: Inside) {
  const made = await draft(inside, { action: 'ProfileList', devices: [inside.sides[0]!.id] })
  await post(inside, made.order, {
    ...signedBy(inside, passkeyOf(inside.world, INSIDER), made.digest),
    signature: 'AAAA',
  })
}
