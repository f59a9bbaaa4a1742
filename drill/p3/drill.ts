import { generateKeyPairSync } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { approve, type SoftwarePasskey } from '../../src/cli/passkey.ts'
import type { Order } from '../../src/console/api.ts'
import { toBase64 } from '../../src/people/bytes.ts'
import type { Approval } from '../../src/trust/approval.ts'
import { CLOCKED, clockOf } from '../clock/clock.ts'
import { lootSearch } from '../loot.ts'
import { type Colleague, importStaff, openClient, staffCanaries, staffOf } from '../people/staff.ts'
import { openPlain } from '../plain/office.ts'
import { atMost, type Figure, none, type Result } from '../report.ts'
import { passkeyOf, type Session, signIn, withToken } from '../session.ts'
import { allJudged, approved, canaries, enrolPlanted, openWorld, type Planted, type Say, type World } from '../world.ts'
import { type Wanted, wantedBodies } from './bodies.ts'
import { overhear, peopleBodies, queriesOf } from './people.ts'

// P3: what a signed-in member's client keeps and sends is stolen: the token, and every assertion that was on its way. Not the passkey.

const HOURS = 8 // a session's life

export async function drillP3({ say, short = false }: { say: Say; short?: boolean }): Promise<Result> {
  const began = performance.now()
  const world = await openWorld({ start: CLOCKED })
  try {
    const { installation, owner, effects, notices } = world
    const planted = await enrolPlanted(world, 'P3', ['iphone', 'mac'])
    for (const action of ['DeviceInformation', 'SecurityInfo'])
      await approved(world, { action, devices: planted.map(({ id }) => id), reason: `for ${planted[0]!.person.owner}` })
    for (const { device } of planted) await device.connect()
    await owner.group(
      'office',
      planted.map(({ id }) => id),
    )
    const victim = (await signIn(installation.urls.console, passkeyOf(world, 0), owner.trusted))!
    const draft = await owner.draft({ action: 'EraseDevice', devices: [planted[0]!.id] })

    const { staff, ids } = await importStaff(world, staffOf('P3', short ? 60 : 500))
    const client = await openClient(world)
    const overheard = await overhear(victim, client, ids)
    const bodies = await peopleBodies(client, overheard, ids)
    const before = await standing(world)
    const thief = withToken(installation.urls.console, victim.token)
    const noticed = await notices.after(
      () =>
        thief.ask('POST', `/api/orders/${draft.order}/approvals`, {
          approval: elsewhere(world)(Buffer.from(draft.digest, 'hex')),
        }),
      'approval-unproven',
    )
    const stolen = await everyRoute(world, thief, planted, draft, bodies)
    say(`${stolen.calls} requests over ${stolen.routes.length} routes.`)
    const changed = differences(before, await standing(world))
    for (const { device } of planted) await device.connect()
    const loot = lootSearch([...canaries(planted), ...staffCanaries(staff)])
    loot.search(Buffer.from([overheard.answer, ...stolen.heard].join('\n')))
    const opened = stolen.heard.filter(text => /"state":"ok"/.test(text))
    await sleep(50) // connections that ended meanwhile are noticed
    const plain = await plainP3(world, planted, staff)
    const figures: Figure[] = [
      none(
        'loot',
        'names, numbers, e-mails, offices, serials read',
        loot.found.map(({ what, text, how }) => `${what} ${text}: ${how}`),
        { plain: plain.loot },
      ),
      none('loot', 'people whom the vault opened its half of for the thief', opened, { plain: plain.people }),
      none('effect', 'what came to count', changed, { plain: plain.effect }),
      none('effect', 'commands that nobody approved', effects.violations(allJudged(planted)), { plain: plain.effect }),
      none('effect', 'routes that set a cookie, or let another origin read', stolen.leaky),
      ...(await ends(world, victim)),
      atMost(
        'notice',
        'an assertion made elsewhere, in the ledger, seconds',
        Math.round(noticed.ledger * 100) / 100,
        2,
        { plain: 'never' },
      ),
      atMost('notice', 'and an alert, seconds', Math.round(noticed.alert * 100) / 100, 2, { plain: 'never' }),
    ]
    for (const { device } of planted) device.close()
    return {
      drill: 'P3',
      position: 'a signed-in member’s session, without the passkey',
      seconds: (performance.now() - began) / 1000,
      figures,
      tried: [...stolen.routes, ...Object.keys(assertions(world))],
      skipped: [
        {
          what: 'a unit’s key that is not sealed to a passkey yet',
          why: 'a session may put noise in its place, and then that member needs the owner’s command line to be let in',
        },
        {
          what: 'the storage of a real browser, copied into another',
          why: 'the token is all that the app keeps; test/web shows the app in Chromium',
        },
      ],
    }
  } finally {
    await world.stop()
  }
}

/** Assertions that a thief can come by, none of them for what it is sent with. */
function assertions(world: World, seen: readonly Approval[] = []): Record<string, (digest: Buffer) => Approval> {
  const { app } = world.owner.trusted.roster
  const own = passkeyOf(world, 0)
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const forged: SoftwarePasskey = { ...own, privateKey: privateKey.export({ format: 'pem', type: 'pkcs8' }).toString() }
  return {
    'made at another origin': elsewhere(world),
    'made for another relying party': digest => approve(own, digest, { app: { ...app, rpId: 'bulkhead.example' } }),
    'signed by a key of the thief’s': digest => approve(forged, digest, { app }),
    'for something else': () => approve(own, Buffer.alloc(32, 7), { app }),
    'without user verification': digest => withoutVerification(approve(own, digest, { app })),
    'with an empty signature': digest => ({ ...approve(own, digest, { app }), signature: '' }),
    ...Object.fromEntries(seen.map((approval, at) => [`replayed, ${at + 1}`, () => approval])),
  }
}

/** An adversary in the middle has the member's own authenticator sign, at an origin that is not the app's. */
function elsewhere(world: World) {
  const { app } = world.owner.trusted.roster
  const origin = 'http://localhost.evil.example'
  return (digest: Buffer) => approve(passkeyOf(world, 0), digest, { app: { ...app, origin } })
}

function withoutVerification(approval: Approval): Approval {
  const bytes = Buffer.from(approval.authenticatorData, 'base64url')
  bytes[32] = 0x01
  return { ...approval, authenticatorData: bytes.toString('base64url') }
}

type Heard = { calls: number; routes: string[]; heard: string[]; leaky: string[] }

/** Every route that the console says it has, with every assertion. */
async function everyRoute(
  world: World,
  thief: Session,
  planted: readonly Planted[],
  draft: { order: string; digest: string },
  people: Wanted[],
): Promise<Heard> {
  const { body: document } = await thief.ask<{ paths: Record<string, Record<string, unknown>> }>('GET', '/openapi.json')
  const { rows } = await world.installation.database.query(
    'select approval from console.approval union select approval from console.group_version',
  )
  const signed = assertions(
    world,
    rows.map(({ approval }) => approval as Approval),
  )
  const wanted = wantedBodies(world, planted[0]!.id, draft, people)
  const { body: open } = await thief.ask<{ proposal: string }>('POST', '/api/proposals', {
    ...wanted.find(({ path }) => path.test('/api/proposals'))!.bodies(() => ({}) as Approval)[0],
    approval: undefined,
  })
  const queries = queriesOf(world.owner.trusted.roster.units[0]!.id)
  const out: Heard = { calls: 0, routes: [], heard: [], leaky: [] }
  const fill = (path: string, name: string) =>
    path
      .replace('{id}', draft.order)
      .replace('{proposal}', open.proposal ?? '0'.repeat(32))
      .replace('{name}', name)
  // Throwing the draft away comes last: until then it is there to be approved.
  const last = ([path]: [string, unknown]) => Number(path.endsWith('/discard'))
  for (const [template, methods] of Object.entries(document.paths).sort((a, b) => last(a) - last(b)))
    for (const method of Object.keys(methods).map(one => one.toUpperCase())) {
      if (template === '/api/session' && method === 'DELETE') continue // that is how it ends
      out.routes.push(`${method} ${template}`)
      for (const path of new Set([fill(template, planted[0]!.id), fill(template, 'office')]))
        for (const sign of method === 'GET' ? [() => ({}) as Approval] : Object.values(signed)) {
          const bodies =
            method === 'GET' ? [undefined] : (wanted.find(one => one.path.test(path))?.bodies(sign) ?? [{}])
          for (const body of bodies) {
            out.calls++
            const query = method === 'GET' ? (queries[template] ?? '') : ''
            out.heard.push((await thief.ask(method, `${path}${query}`, body)).text)
          }
        }
    }
  for (const path of ['/api/devices', '/api/roster', '/openapi.json']) {
    const headers = { origin: 'https://evil.example', authorization: `Bearer ${thief.token}` }
    const { headers: said } = await fetch(`${world.installation.urls.console}${path}`, { headers })
    for (const name of ['set-cookie', 'access-control-allow-origin'])
      if (said.has(name)) out.leaky.push(`${path}: ${name}`)
  }
  return out
}

/** All that members decide; drafts and open proposals are not among it, for they are nothing until somebody signs. */
async function standing(world: World): Promise<Record<string, unknown>> {
  const { console } = world.installation
  const { units } = world.owner.trusted.roster
  const unlocked = await openClient(world).then(
    ({ key }) => toBase64(key.publicKey),
    () => 'by nobody',
  )
  const { orders } = await console.get<{ orders: Order[] }>('/api/orders')
  const { version, frozen, size } = await console.get<Record<string, unknown>>('/api/roster/standing')
  return {
    ...{ version, frozen, size },
    approved: orders
      .filter(({ state }) => state === 'approved' || state === 'done')
      .map(({ order }) => order)
      .sort(),
    approvals: orders.flatMap(({ order, approvals }) => approvals.map(by => `${order} ${by}`)).sort(),
    groups: await console.get('/api/groups'),
    invitations: (await console.get<{ invitations: { invitation: string }[] }>('/api/invitations')).invitations.map(
      ({ invitation }) => invitation,
    ),
    push: await console.get('/api/push'),
    people: await console.get(`/api/people?unit=${units[0]!.id}&limit=500`),
    memberKeys: await console.get('/api/units/member-keys'),
    unlocked,
  }
}

const differences = (before: Record<string, unknown>, after: Record<string, unknown>) =>
  Object.keys(before).filter(key => JSON.stringify(before[key]) !== JSON.stringify(after[key]))

/** The session ends: by signing out, after its hours, and for tokens that are none. */
async function ends(world: World, victim: Session): Promise<Figure[]> {
  const { installation, owner } = world
  const url = installation.urls.console
  const works = async (session: Session) => (await session.ask('GET', '/api/devices')).ok
  const alive: string[] = []
  if (!(await works(victim))) alive.push('it ended before its time')
  const other = (await signIn(url, passkeyOf(world, 0), owner.trusted))!
  await victim.ask('DELETE', '/api/session')
  if (await works(victim)) alive.push('after signing out')
  const { token } = other
  const tampered = [token.slice(0, -1), `${token}A`, token.toLowerCase(), [...token].reverse().join(''), '']
  for (const one of tampered) if (await works(withToken(url, one))) alive.push(`as ${one}`)
  await clockOf(world).forward(HOURS * 3600 + 1)
  if (await works(other)) alive.push(`after ${HOURS} hours`)
  if (
    await signIn(url, passkeyOf(world, 0), owner.trusted, {
      ...owner.trusted.roster,
      app: { ...owner.trusted.roster.app, origin: 'http://localhost.evil.example' },
    })
  )
    alive.push('opened from another origin')
  return [none('effect', 'ways to use it after its end', alive, { plain: 'no end' })]
}

/** The same theft in the plain baseline: the cookie is the administrator. */
async function plainP3({ installation }: World, planted: readonly Planted[], staff: readonly Colleague[]) {
  const plain = await openPlain(
    installation.database,
    planted.map(({ person }) => person),
    staff,
  )
  try {
    const headers = { cookie: `session=${plain.cookie}` }
    const people = await plain.ask<unknown[]>('GET', '/api/people', {}, headers)
    const loot = lootSearch([...canaries(planted), ...staffCanaries(staff)])
    loot.search(Buffer.from(JSON.stringify([await plain.ask('GET', '/api/devices', {}, headers), people])))
    await plain.order('EraseDevice', undefined)
    for (const device of plain.devices) await device.connect()
    return {
      loot: loot.found.length,
      people: people.length,
      effect: plain.devices.filter(({ executed }) => executed.length > 0).length,
    }
  } finally {
    await plain.close()
  }
}
