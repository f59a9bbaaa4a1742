import { randomBytes } from 'node:crypto'
import { inParallel } from '../../simulator/fleet.ts'
import { isRoot } from '../../src/cli/home.ts'
import { sha256 } from '../../src/trust/statement.ts'
import { uuidBytes } from '../../src/trust/token.ts'
import { atMost, type Figure, none, type Result, type Skipped } from '../report.ts'
import { allJudged, approved, canaries, enrolPlanted, openWorld, type Planted, type Say, type World } from '../world.ts'
import { attackRows } from './attack.ts'
import { attackDirectory } from './directory.ts'
import { dump } from './dump.ts'
import { becomeMember } from './member.ts'
import { plainP2 } from './plain.ts'
import { eraseBody } from './plans.ts'
import { reachOf, turnOrders, turnQueue } from './server.ts'
import type { Side } from './sides.ts'

/** P2: the database, read and write, as its superuser. `short`: the plans alone, not every column. */
export async function drillP2({ say, short = false }: { say: Say; short?: boolean }): Promise<Result> {
  const began = performance.now()
  const policy = { budgets: { enrol: { devices: 10_000, seconds: 3600 } } } // each attack has two devices of its own
  const world = await openWorld({ policy })
  const figures: Figure[] = []
  const skipped: Skipped[] = []
  const tried: string[] = ['dump of every table, grep of every file of the server']
  try {
    const { installation, effects, notices } = world
    const planted = await enrolPlanted(world, 'P2', short ? ['iphone', 'mac'] : ['iphone', 'iphone', 'ipad', 'mac'])
    await honestLife(world, planted)
    say(`${planted.length} devices of canaries have enrolled and told what they know.`)

    const directory = await attackDirectory(world, planted, { short, say })
    tried.push(...directory.tried)
    const people = planted.map(({ id, person }) => ({ id, texts: [person.owner, person.email, person.phone] }))
    const known = [...canaries(planted), ...directory.canaries]
    const loot = await dump(installation.database, known, [...people, ...directory.links], { files: !short })
    say(`${(loot.bytes / 1e6).toFixed(0)} MB were searched.`)

    const { sides, untouched, names } = await attackRows(world, { columns: !short })
    tried.push(...names)
    say(`${names.length} attacks on rows were made.`)
    const noticed = await notices.after(() => redirect(world, planted), 'turnstile-refused', 'not-a-target')
    const { tried: claims, got: member } = await becomeMember(world)
    tried.push(...claims)
    await Promise.all((['edge', 'vault', 'console'] as const).map(name => installation.renew(name)))
    const everybody = [...planted, ...untouched, ...sides]
    const connectAll = () =>
      inParallel(everybody, 16, ({ device }) =>
        device.state.enrolment ? device.connect().catch(() => {}) : Promise.resolve(),
      )
    await connectAll()
    const served = untouched.filter(({ device }) => device.executed.length === 1).length
    await turn(world, untouched, connectAll)
    tried.push(
      'the function that hands out work gives every device the same order, for ever',
      'every body becomes an order to erase',
    )
    say('Every device has been there, and there again.')

    const guessed = await guess(world)
    tried.push(guessed.name)
    const reach = await reachOf(installation.database, installation.home)
    tried.push('COPY … TO PROGRAM, and what its user can read and write')
    const violations = effects.violations(allJudged(everybody))
    const plain = await plainP2(
      installation.database,
      planted.map(({ person }) => person),
      directory.staff,
    )
    figures.push(
      none(
        'loot',
        'names, numbers, e-mails, offices, serials found',
        loot.found.map(({ what, text, how }) => `${what} ${text}: ${how}`),
        { plain: plain.loot },
      ),
      none('loot', 'which human has which device', loot.links, { plain: plain.links }),
      ...directory.figures(plain.directory),
      none('effect', 'commands that nobody approved', violations, { plain: plain.effect }),
      {
        kind: 'effect',
        what: 'devices left alone got theirs',
        found: served,
        limit: `= ${untouched.length}`,
        holds: served === untouched.length,
      },
      none('effect', 'rights of a member', member, { plain: plain.member }),
      atMost('effect', 'guessed URLs that were answered', guessed.answered, 0),
      atMost('notice', 'to a signed entry, seconds', round(noticed.ledger), 2, { plain: 'never' }),
      atMost('notice', 'to an alert, seconds', round(noticed.alert), 2, { plain: 'never' }),
    )
    if (isRoot())
      figures.push(
        none(
          'effect',
          `files and sockets of others, by COPY … TO PROGRAM (as user ${reach.user})`,
          [...reach.reads, ...reach.writes],
          { plain: 'all' },
        ),
      )
    else
      skipped.push({
        what: 'files and sockets of others, by COPY … TO PROGRAM',
        why: `users are not separate here, so the server's user reaches ${reach.reads.length} files: P2 stands only where they are`,
      })
    skipped.push({
      what: 'search tokens, for who knows some of the people already',
      why: 'whose record shares a token with theirs may share a name’s beginning: how much that says was not measured',
    })
    for (const { device } of everybody) device.close()
  } finally {
    await world.stop()
  }
  return {
    drill: 'P2',
    position: 'the database, read and write, as its superuser',
    seconds: (performance.now() - began) / 1000,
    figures,
    tried,
    skipped,
  }
}

const round = (seconds: number) => Math.round(seconds * 100) / 100

/** What a day brings: questions that are answered, a reason that names somebody, a lock that two members approved. */
async function honestLife(world: World, planted: readonly Planted[]) {
  const devices = planted.map(({ id }) => id)
  const reason = `for ${planted[0]!.person.owner}, ${planted[0]!.person.phone}`
  for (const action of ['DeviceInformation', 'InstalledApplicationList', 'CertificateList', 'SecurityInfo'])
    await approved(world, { action, devices, reason })
  await approved(world, {
    action: 'EnableLostMode',
    set: ['Message=Please bring it back'],
    devices: devices.slice(0, 1),
    reason,
  })
  for (const { device } of planted) await device.connect()
}

/** Work of an order is queued for a device that it is not for, which comes at once. */
async function redirect({ installation, owner, effects }: World, [one, other]: readonly Planted[]) {
  const order = await approved({ owner, effects }, { action: 'ProfileList', devices: [one!.id] })
  await installation.database.query(
    `insert into edge.pending (device_id, order_id, command_uuid, expires_at) values ($1, $2, gen_random_uuid(), 'infinity')`,
    [other!.id, order],
  )
  await other!.device.connect()
}

async function turn({ installation }: World, untouched: readonly Side[], connectAll: () => Promise<void>) {
  const [one, other] = untouched
  for (const [order, serial] of [
    [one!.order, 0],
    [other!.order, 1],
  ] as const) {
    await turnQueue(installation.database, order, serial)
    await connectAll()
  }
  await turnOrders(installation.database, eraseBody())
  await installation.renew('edge')
  await connectAll()
}

const GUESSES = 500

/** Whoever reads the database knows the ids in every URL, and not the code behind them. */
async function guess({ installation }: World) {
  const { rows } = await installation.database.query('select path_id, device_id from vault.certificate')
  const ids = rows.flatMap(({ path_id, device_id }) => [path_id as string, device_id as string])
  const codes = [() => Buffer.alloc(16), () => randomBytes(16), (id: Buffer) => sha256(id).subarray(0, 16)]
  let answered = 0
  await inParallel(Array.from({ length: GUESSES }), 16, async (_, at) => {
    const id = uuidBytes(ids[at % ids.length]!)
    const token = Buffer.concat([id, codes[at % codes.length]!(id)]).toString('base64url')
    const { status } = await fetch(`${installation.urls.edge}/d/${token}/connect`, { method: 'PUT', body: '<plist/>' })
    if (status !== 404) answered++
  })
  return { name: `${GUESSES} URLs guessed from the ids in the tables`, answered }
}
