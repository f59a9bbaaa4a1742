import { rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { isRoot, ownPath } from '../../src/cli/home.ts'
import { writeAll } from '../../src/cli/people/import.ts'
import { personAlias } from '../../src/people/alias.ts'
import { toBase64 } from '../../src/people/bytes.ts'
import { bytesOf } from '../files.ts'
import { lootSearch } from '../loot.ts'
import { mayRead, memoryOf } from '../memory.ts'
import { keepAs } from '../native.ts'
import { plainP6 } from '../p6/plain.ts'
import { asShown, type Client } from '../people/shown.ts'
import { type Colleague, importStaff, openClient, staffCanaries, staffOf } from '../people/staff.ts'
import { atMost, type Figure, none, type Result, type Skipped } from '../report.ts'
import { openWorld, type Say, type World } from '../world.ts'
import type { Kind } from './lies.ts'
import { recordLedger, withOldLedger } from './oldledger.ts'

// P5: code execution in the console. Its script runs as the console's user, takes the socket at which the command line finds the console,
// and lies to an honest operator's client; and asks the vault and the ledger over the console's own sockets.

type Shown = Colleague & { id: string; proven: boolean }
type Script = Awaited<ReturnType<typeof keepAs>>
type Named = { name: string; kind: Kind }

export async function drillP5({ say, short = false }: { say: Say; short?: boolean }): Promise<Result> {
  const began = performance.now()
  const world = await openWorld()
  const { installation, notices } = world
  let script: Script | undefined
  try {
    const old = await recordLedger(installation.home)
    script = await keepAs('console', 'drill/p5/captured.ts', installation.home, resolve(import.meta.dirname, '../..'))
    const { staff, ids } = await importStaff(world, staffOf('P5', short ? 60 : 500))
    const client = await openClient(world)
    const [a, b] = [ids[0]!, ids[1]!]
    const show = async (): Promise<Shown[]> => {
      const line = ['people', 'show', personAlias(a), personAlias(b), '--passkey', installation.passkey]
      return (await installation.cli<{ people: Shown[] }>(...line)).people
    }
    await show()
    for (const at of [0, 1]) staff[at] = { ...staff[at]!, office: `${staff[at]!.office} B` }
    const changed = [a, b].map((id, at) => ({ id, version: 2, person: { ...(staff[at] as Colleague), fields: {} } }))
    await writeAll(changed, client, () => {})
    const now = new Map([a, b].map((id, at) => [id, asShown(staff[at]!)]))
    const honestly = (await show()).filter(({ id, proven, ...one }) => proven && now.get(id) === asShown(one)).length
    say(`${ids.length} people were imported through the captured console, and two of them shown.`)

    const lies = await script.ask<Named[]>({ do: 'lies' })
    const believed: string[] = []
    for (const { name, kind } of lies) {
      await script.ask({ lie: name })
      if (await isBelieved(kind, { world, client, now, show, staff })) believed.push(name)
    }
    const exchanged = lies.find(({ name }) => name.includes('sealed bytes exchanged'))!
    await script.ask({ lie: exchanged.name })
    const noticed = await notices.after(() => show().catch(() => {}), 'record-unproven')
    await script.ask({})
    say(`${lies.length} lies were told.`)
    const attacks = await script.ask<{ tried: string[]; got: string[] }>({ do: 'attacks' })
    const canaries = [...staffCanaries(staffOf('P5', ids.length)), ...staffCanaries(staff.slice(0, 2))]
    const loot = lootSearch(canaries)
    loot.search(Buffer.from((await script.ask<string[]>({ do: 'heard' })).join('\n')), 'what passed through it')
    loot.search(Buffer.from((await script.ask<string[]>({ do: 'tables' })).join('\n')), 'its tables')
    for (const { path, bytes } of bytesOf(ownPath(installation.home, 'console'))) loot.search(bytes, path)
    const [pid] = installation.pids('console')
    if (mayRead(pid!)) for (const bytes of memoryOf(pid!)) loot.search(bytes, 'its memory', Infinity)
    await sleep(50) // connections that ended meanwhile are noticed
    const reached = await script.ask<string[]>({ do: 'reached' })
    await script.stop()

    const list = () =>
      installation.cli('people', 'list', '--limit', '1').then(
        () => 'believed',
        () => 'refused',
      )
    const shorter = await withOldLedger(installation.home, old, list)
    const before = await list()
    rmSync(join(installation.home, 'remembered.json'))
    const first = await withOldLedger(installation.home, old, list)
    const plain = await plainP6(installation.database, [], staff)
    const figures: Figure[] = [
      none(
        'loot',
        'names, numbers, e-mails, offices, in all that passed and all that it reads',
        loot.found.map(({ what, text, how }) => `${what} ${text}: ${how}`),
        { plain: plain.staff },
      ),
      none('effect', `lies that a client believed, of ${lies.length}`, believed, { plain: 'all' }),
      {
        ...{ kind: 'effect', what: 'people shown while it did not lie', found: honestly, limit: '= 2' },
        holds: honestly === 2,
      },
      none('effect', `what the vault and the ledger did for it, of ${attacks.tried.length}`, attacks.got, {
        plain: 'all',
      }),
      {
        ...{
          kind: 'effect',
          what: 'a ledger shorter than a client has seen; the true one',
          found: `${shorter}; ${before}`,
        },
        ...{ limit: 'refused; believed', holds: shorter === 'refused' && before === 'believed' },
      },
      atMost('notice', 'bytes moved between records, in the ledger, seconds', round(noticed.ledger), 2, {
        plain: 'never',
      }),
      atMost('notice', 'and an alert, seconds', round(noticed.alert), 2, { plain: 'never' }),
    ]
    const skipped: Skipped[] = [
      {
        what: 'two clients shown two ledgers',
        why: `the command line asks the ledger itself, at a socket that the console’s user does not reach. A client’s first look at an old head is ${first}: it has seen no newer one. In the app: test/web/halt.test.ts`,
      },
      { what: 'the app in a browser', why: 'test/web: it is served from the operator’s own machine' },
    ]
    if (isRoot())
      figures.push(
        none('effect', 'files and sockets that a client runs or asks, and it could change', reached, { plain: 'all' }),
      )
    else
      skipped.push({
        what: 'files and sockets of others',
        why: `users are not separate here: ${reached.length} are open to it`,
      })
    return {
      drill: 'P5',
      position: 'code execution in the console',
      seconds: (performance.now() - began) / 1000,
      figures,
      tried: [...lies.map(({ name }) => name), ...attacks.tried, 'a ledger as it was before'],
      skipped,
    }
  } finally {
    await script?.stop()
    await world.stop()
  }
}

const round = (seconds: number) => Math.round(seconds * 100) / 100

type Around = {
  world: World
  client: Client
  /** How the two who are asked for are now. */
  now: ReadonlyMap<string, string>
  show: () => Promise<Shown[]>
  staff: readonly Colleague[]
}

/** What an honest client does, and whether it came to do or to show what nobody wrote. What it calls unproven it does not believe. */
async function isBelieved(kind: Kind, { world, client, now, show, staff }: Around): Promise<boolean> {
  const wrong = (people: Shown[]) => people.some(({ id, proven, ...one }) => proven && now.get(id) !== asShown(one))
  if (kind === 'show') return show().then(wrong, () => false)
  if (kind === 'write') {
    const people = [2, 3].map(at => ({ id: crypto.randomUUID(), version: 1, person: { ...staff[at]!, fields: {} } }))
    return writeAll(people, client, () => {}).then(
      () => true,
      () => false,
    )
  }
  if (kind === 'unlock')
    return openClient(world).then(
      ({ key, unit }) => toBase64(key.publicKey) !== unit.publicKey,
      () => false,
    )
  const line = ['people', 'find', staff[0]!.familyName, '--passkey', world.installation.passkey]
  return world.installation.cli<{ people: Shown[] }>(...line).then(
    ({ people }) => wrong(people),
    () => false,
  )
}
