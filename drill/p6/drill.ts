import { createPrivateKey } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { isRoot, keysPath, ownPath } from '../../src/cli/home.ts'
import { bytesOf } from '../files.ts'
import { lootSearch } from '../loot.ts'
import { mayRead, memoryOf } from '../memory.ts'
import { runAs } from '../native.ts'
import { keysIn } from '../people/keys.ts'
import { openInner, openOuter, type Sealed } from '../people/opening.ts'
import { openShown } from '../people/shown.ts'
import { importStaff, openClient, staffCanaries, staffOf } from '../people/staff.ts'
import { type Figure, none, type Result, type Skipped } from '../report.ts'
import { allJudged, approved, canaries, enrolPlanted, openWorld, type Say } from '../world.ts'
import { plainP6 } from './plain.ts'

// P6: code execution in the vault. Its script runs as the vault's user, with its keys, keyring, database role and sockets; beside them it is
// given every sealed row, as if the console or the database were its accomplice.

/** What the script brings out. */
export type Taken = {
  texts: string[]
  reached: string[]
  keys: Record<string, string>
  ghost: { key: string; certificate: string }
  woken: number
}
const PATIENCE_MS = 4_000

export async function drillP6({ say, short = false }: { say: Say; short?: boolean }): Promise<Result> {
  const began = performance.now()
  const world = await openWorld()
  try {
    const { installation, effects, notices } = world
    const planted = await enrolPlanted(world, 'P6', ['iphone', 'mac'])
    const { staff, ids } = await importStaff(world, staffOf('P6', short ? 60 : 500))
    const client = await openClient(world)
    const shown = await openShown(client, 10)
    for (const id of ids.slice(0, 10)) await shown(id, 1) // names that an operator saw a moment ago
    for (const { device } of planted) await device.connect()
    say(`${ids.length} people are in the directory, ten of them were shown.`)

    const victim = planted[0]!
    await approved(world, { action: 'CertificateList', devices: planted.map(({ id }) => id) })
    await notices.settle()
    const taken = await runAs<Taken>('vault', 'drill/p6/captured.ts', installation.home, victim.id)
    const rows = (await installation.database.query('select * from console.record')).rows as Sealed[]
    const staffLoot = lootSearch(staffCanaries(staff))
    const deviceLoot = lootSearch(canaries(planted))
    const see = (bytes: Buffer, how: string, depth?: number) => {
      staffLoot.search(bytes, how, depth)
      deviceLoot.search(bytes, how, depth)
    }
    see(Buffer.from(taken.texts.join('\n')), 'its tables')
    for (const { path, bytes } of bytesOf(ownPath(installation.home, 'vault'))) see(bytes, path)
    const [pid] = installation.pids('vault')
    if (mayRead(pid!)) for (const bytes of memoryOf(pid!)) see(bytes, 'its memory', Infinity)
    const keys = [...keysIn(keysPath(installation.home, 'vault')), ...Object.values(taken.keys).map(hex)]
    let halves = 0
    const read: string[] = []
    for (const row of rows) {
      const inner = openOuter(row, [hex(taken.keys[row.record_id]!)], client)
      if (!inner) continue
      halves++
      see(inner, 'an inner half')
      if (openInner(row, inner, halves <= 20 ? keys : keys.slice(0, 10), client)) read.push(row.record_id)
    }
    say(`${halves} outer halves were opened, and everything was searched.`)
    await sleep(50) // connections that ended meanwhile are noticed

    // Every device is told to come; one of them comes twice, the second time with a certificate that the vault made by itself.
    const order = await approved(world, { action: 'ProfileList', devices: [victim.id] })
    const own = victim.device.state.identity!
    const { key, certificate } = taken.ghost
    victim.device.state.identity = {
      privateKey: createPrivateKey(key),
      certificate: Buffer.from(certificate, 'base64'),
    }
    const before = victim.device.executed.length
    await victim.device.connect().catch(() => {})
    const served = victim.device.executed.length > before
    victim.device.state.identity = own
    for (const { device } of planted) await device.connect()
    await sleep(PATIENCE_MS)
    await notices.look()
    const noticed = notices.codes.filter(code => code !== 'enrolment-budget')

    const plain = await plainP6(installation.database, planted, staff)
    const lines = (loot: typeof staffLoot) => loot.found.map(({ what, text, how }) => `${what} ${text}: ${how}`)
    const figures: Figure[] = [
      none('loot', 'names, numbers, e-mails, offices of the directory', lines(staffLoot), { plain: plain.staff }),
      none('loot', 'people read, with every key that it has', read, { plain: plain.people }),
      {
        ...{ kind: 'loot', what: 'outer halves that it opens (its own work)', found: halves },
        ...{ limit: `= ${ids.length}`, holds: halves === ids.length },
      },
      none('loot', 'what devices reported, in its tables, files and memory', lines(deviceLoot), {
        plain: plain.devices,
      }),
      none(
        'effect',
        `commands that nobody approved, with ${taken.woken} devices told to come`,
        effects.violations(allJudged(planted)),
        {
          plain: plain.effect,
        },
      ),
    ]
    const skipped: Skipped[] = [
      {
        what: 'a certificate that the vault issues outside the ledger',
        why: `MISSING: it ${served ? `was served (order ${order})` : 'was not served'} and ${noticed.length > 0 ? `led to ${noticed.join(', ')}` : `nobody noticed within ${PATIENCE_MS / 1000} s`}; certificates are not reconciled with the ledger yet`,
      },
      {
        what: 'what devices reported that enrolled before vouchers named a release key',
        why: 'sealed to vault/keys/seal.key until they renew; here every voucher names one',
      },
    ]
    if (isRoot())
      figures.push(none('effect', 'files and sockets of others that its user opens', taken.reached, { plain: 'all' }))
    else
      skipped.push({
        what: 'files and sockets of others',
        why: `users are not separate here: ${taken.reached.length} are open to it`,
      })
    for (const { device } of planted) device.close()
    return {
      drill: 'P6',
      position: 'code execution in the vault, with every sealed row beside it',
      seconds: (performance.now() - began) / 1000,
      figures,
      tried: [
        'every column that its role may read',
        'its files, its memory',
        'every outer half opened, every key of the vault and the keyring tried on the inner ones',
        'a certificate and voucher outside the ledger',
        'push to all',
        'files and sockets of the other compartments',
      ],
      skipped,
    }
  } finally {
    await world.stop()
  }
}
const hex = (text: string) => Buffer.from(text, 'hex')
