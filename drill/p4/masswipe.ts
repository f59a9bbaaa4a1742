import type { Draft, Order } from '../../src/console/api.ts'
import type { Roster } from '../../src/trust/roster.ts'
import { personOf } from '../canaries.ts'
import { CLOCKED, type Clock, clockOf } from '../clock/clock.ts'
import { controlOf, type Members } from '../members.ts'
import { openPlain } from '../plain/office.ts'
import { atMost, type Figure, none } from '../report.ts'
import { passkeyOf, type Session, signIn } from '../session.ts'
import { openWorld, type Say, type World } from '../world.ts'
import { type CrowdDevice, connectCrowd, enrolCrowd } from './crowd.ts'

// The mass wipe of 2026 again: a stolen owner's session and passkey against the whole fleet, then with an accomplice who may approve, for 72
// hours of a clock that the drill sets. Every device comes every six hours.

const HOURS = 72
const EVERY = 6
const BUDGET = 10 // devices in 24 hours, as a new installation has it
const SINGLES = 4 // an hour, beside the one order for everybody
const SHARES = [
  ['full', 0.7],
  ['no-wipe', 0.15],
  ['private', 0.15],
] as const
const [OWNER, ACCOMPLICE, HONEST] = [0, 1, 2] // members, by place

export async function massWipe({
  say,
  devices,
  hours = HOURS,
}: {
  say: Say
  devices: number
  hours?: number
}): Promise<{ figures: Figure[]; tried: string[] }> {
  // The fleet comes within minutes, which is faster than a new installation lets devices enrol.
  const policy = { budgets: { enrol: { devices: 100_000, seconds: 60 } } }
  const world = await openWorld({ start: CLOCKED, members: 2, policy })
  try {
    return await replay(world, say, devices, hours)
  } finally {
    await world.stop()
  }
}

async function replay(world: World, say: Say, count: number, hours: number) {
  const clock = clockOf(world)
  const members = controlOf(world, () => clock.shift)
  const { installation, owner, notices } = world
  // The accomplice approves orders and is no owner; the third member is an owner who knows of nothing.
  const accomplice = owner.trusted.roster.members[ACCOMPLICE]!.id
  await members.change(
    next => {
      next.members.find(({ id }) => id === accomplice)!.roles = ['operator', 'approver', 'responder']
    },
    [0, 2],
  )
  const fleet: CrowdDevice[] = []
  for (const [tier, share] of SHARES) {
    const uses = Math.max(1, Math.round(count * share))
    const { profileUrl } = await owner.invite({ uses, tier })
    fleet.push(...(await enrolCrowd(profileUrl, tier, uses)))
  }
  say(`${fleet.length} devices have enrolled.`)
  const thief = (await signIn(installation.urls.console, passkeyOf(world, OWNER), owner.trusted))!

  const alone = await wipeAlone(world, thief, fleet)
  await connectCrowd(fleet, 0)
  const wipedAlone = wiped(fleet).length
  say(`Alone: ${alone.tried.length} ways tried, ${wipedAlone} devices wiped.`)

  await clock.forward(3600)
  await approveBoth(world, alone.everybody)
  const noticed = await notices.after(() => connectCrowd(fleet.slice(0, 60), 1), 'turnstile-refused', 'budget-destroy')
  let errors = 0
  for (let hour = 1; hour <= hours; hour++) {
    if (hour > 1) await clock.forward(3600)
    if (hour % 8 === 1) await moreSingles(world, fleet, hour)
    if (hour % 12 === 0) await weaken(members)
    errors += await connectCrowd(
      fleet.filter((_, at) => at % EVERY === hour % EVERY),
      hour,
    )
    if (hour % 12 === 0) say(`Hour ${hour}: ${wiped(fleet).length} devices wiped.`)
  }
  const protectedOnes = fleet.filter(
    ({ tier, sent }) => tier !== 'full' && sent.some(({ type }) => type === 'EraseDevice'),
  )
  const most = BUDGET * Math.ceil(hours / 24)
  const together = wiped(fleet).length
  const waited = await raisedByOwners(clock, members, fleet)
  const plain = await plainWipe(world, Math.min(count, 500))
  say(`The plain baseline: ${plain}.`)
  return {
    tried: [
      ...alone.tried,
      'one order for everybody, approved by two',
      `${SINGLES} single orders every eight hours, approved by two`,
      'a larger budget proposed by one owner and the accomplice',
    ],
    figures: [
      atMost('effect', `wiped by a stolen owner alone (of ${fleet.length})`, wipedAlone, 0, { plain }),
      atMost('effect', `wiped with an accomplice in ${hours} h`, together, most, { plain }),
      none(
        'effect',
        'no-wipe and private devices that were told to erase',
        protectedOnes.map(({ id, tier }) => `${id}, ${tier}`),
        { plain: 'no such thing' },
      ),
      {
        kind: 'effect',
        what: 'hours before a budget that two owners raised counts',
        found: waited,
        limit: '≥ 24',
        holds: waited >= 24,
        plain: 'no such thing',
      },
      atMost('effect', 'connects that failed', errors, 0),
      atMost('notice', 'first refusal in the ledger, seconds', Math.round(noticed.ledger * 100) / 100, 1, {
        plain: 'never',
      }),
      atMost('notice', 'first refusal an alert, seconds', Math.round(noticed.alert * 100) / 100, 1, { plain: 'never' }),
    ] satisfies Figure[],
  }
}

const wiped = (fleet: readonly CrowdDevice[]) => fleet.filter(device => device.wiped)
const ofTier = (fleet: readonly CrowdDevice[], tier: string) =>
  fleet.filter(one => one.tier === tier).map(({ id }) => id)

/** All that one owner's session and passkey can say. Returns the order for everybody, which waits for a second member. */
async function wipeAlone(
  world: World,
  thief: Session,
  fleet: readonly CrowdDevice[],
): Promise<{ everybody: Draft; tried: string[] }> {
  const full = ofTier(fleet, 'full')
  const draft = (body: object) =>
    thief.ask<Draft>('POST', '/api/orders', { action: 'EraseDevice', reason: 'a clean start', ...body })
  const { body: everybody } = await draft({ devices: full })
  const tried = [
    'one order for everybody',
    'approved twice by the same owner',
    'for devices without the right',
    '40 single orders',
    'a standing order',
  ]
  for (let times = 0; times < 2; times++) await sign(world, everybody, OWNER)
  await draft({ all: true })
  for (const tier of ['no-wipe', 'private']) await draft({ devices: ofTier(fleet, tier).slice(0, 5) })
  for (const id of full.slice(0, 40)) await sign(world, (await draft({ devices: [id] })).body, OWNER)
  await thief.ask('POST', '/api/standing', { action: 'EraseDevice', reason: 'a clean start', trigger: 'daily' })
  return { everybody, tried }
}

async function sign({ owner, installation }: World, { order, digest }: Draft, by: number): Promise<string> {
  if (order === undefined) return 'refused'
  const approval = owner.sign(Buffer.from(digest, 'hex'), by)
  return installation.console.post<Order>(`/api/orders/${order}/approvals`, { approval }).then(
    ({ state }) => state,
    () => 'refused',
  )
}

async function approveBoth(world: World, draft: Draft) {
  for (const by of [OWNER, ACCOMPLICE]) await sign(world, draft, by)
}

/** Orders for one device each, in case small ones are not counted. */
async function moreSingles(world: World, fleet: readonly CrowdDevice[], hour: number) {
  const left = fleet.filter(({ tier, wiped: gone }) => tier === 'full' && !gone)
  for (let at = 0; at < SINGLES && left.length > 0; at++) {
    const { id } = left[(hour * SINGLES + at) % left.length]!
    await approveBoth(world, await world.owner.draft({ action: 'EraseDevice', devices: [id] }))
  }
}

/** One owner and somebody who is none: it stays a proposal. */
async function weaken(members: ReturnType<typeof controlOf>) {
  await members
    .change(
      next => {
        next.policy.budgets = { destroy: { devices: 100_000, percent: 100, seconds: 60, after: 'all' } }
      },
      [OWNER, ACCOMPLICE],
    )
    .catch(() => {})
}

/** Two owners may change the roster, so they may raise a budget. What it takes them is a day, with an entry that everybody sees. */
async function raisedByOwners(clock: Clock, members: Members, fleet: readonly CrowdDevice[]): Promise<number> {
  const { state } = await members.change(raise, [OWNER, HONEST])
  if (state !== 'done') throw new Error(`Two owners could not change the roster: it is ${state}.`)
  const before = wiped(fleet).length
  const left = fleet.filter(({ tier, wiped: gone }) => tier === 'full' && !gone).slice(0, 40)
  for (let hours = 1; hours <= 26; hours += hours < 23 ? 11 : 1) {
    await clock.forward(3600 * (hours === 1 || hours >= 24 ? 1 : 11))
    await connectCrowd(left, 100 + hours)
    if (wiped(fleet).length - before > BUDGET) return hours
  }
  return Infinity
}

const raise = (next: Roster) => {
  next.policy.budgets = { destroy: { devices: 100_000, percent: 100, seconds: 60, after: 'all' } }
}

/** How many of the plain baseline's devices are gone after one request, in words. */
async function plainWipe({ installation }: World, count: number): Promise<string> {
  const plain = await openPlain(
    installation.database,
    Array.from({ length: count }, (_, at) => personOf(`wipe ${at}`)),
  )
  try {
    await plain.order('EraseDevice', undefined)
    for (const device of plain.devices) await device.connect()
    const gone = plain.devices.filter(({ executed }) => executed.some(({ type }) => type === 'EraseDevice')).length
    return `${gone} of ${count}`
  } finally {
    await plain.close()
  }
}
