import { generateKeyPairSync, randomUUID, sign } from 'node:crypto'
import { join } from 'node:path'
import type { Pool } from 'pg'
import { nodeHpke } from '../../src/cli/hpke.ts'
import { approve, createSoftwarePasskey } from '../../src/cli/passkey.ts'
import { writeAll } from '../../src/cli/people/import.ts'
import { fromBase64, toBase64 } from '../../src/people/bytes.ts'
import { makeKeyPair } from '../../src/people/keys.ts'
import { encodePerson, type Person } from '../../src/people/person.ts'
import { sealRecord } from '../../src/people/seal.ts'
import { sealShare } from '../../src/people/unit.ts'
import { canonical } from '../../src/trust/canonical.ts'
import { directoryDigest, openMemberKey, type Signed, sessionBytes } from '../../src/trust/directory.ts'
import { sha256 } from '../../src/trust/statement.ts'
import { asShown, type Client, openShown } from '../people/shown.ts'
import { type Colleague, type Imported, openClient } from '../people/staff.ts'
import type { World } from '../world.ts'

// Rows of the sealed directory, changed by whoever owns the database. What an operator's client then shows of each person is that person as
// last written, or nothing, or marked as unproven.

type Ids = readonly [string, string]
type Attack = (ids: Ids, client: Client) => Promise<unknown>

/** `alone`: of two people whom nobody touched, how many were shown as they are. */
export type Outcome = { tried: string[]; wrong: string[]; alone: number }

export async function attackPeople(world: World, imported: Imported): Promise<Outcome> {
  const { database } = world.installation
  const client = await openClient(world)
  const attacks = Object.entries(attacksOf(database, await lastWeek(world, imported, client)))
  const { staff, ids } = imported
  const pairs = attacks.map((_, at) => [ids[2 * at]!, ids[2 * at + 1]!] as const)
  for (const [at, [, attack]] of attacks.entries()) await attack(pairs[at]!, client)
  const shown = await openShown(client, 2 * attacks.length + UNTOUCHED)
  const wrong: string[] = []
  for (const [at, [name]] of attacks.entries())
    for (const [side, id] of pairs[at]!.entries())
      for (const version of [1, 2, 3]) {
        const one = await shown(id, version)
        if (one && asShown(one.person) !== asShown(staff[2 * at + side]!) && one.unproven === undefined)
          wrong.push(`${name}: ${id} was shown as ${asShown(one.person)}`)
      }
  let alone = 0
  for (const at of [LATELY - 2, LATELY - 1]) {
    const one = await shown(ids[at]!, 2)
    if (one && one.unproven === undefined && asShown(one.person) === asShown(staff[at]!)) alone++
  }
  const unlocking = await attackUnlocking(world, client)
  const tried = [...attacks.map(([name]) => name), ...unlocking.tried]
  return { tried, wrong: [...wrong, ...unlocking.wrong], alone }
}
export const UNTOUCHED = 2
const LATELY = 40 // people who were written a second time

type Past = Map<string, Record<string, unknown>>

/** Everybody who is attacked below has changed offices since: their rows of before are what a backup of last week holds. */
async function lastWeek({ installation }: World, { staff, ids }: Imported, client: Client): Promise<Past> {
  const some = ids.slice(0, LATELY)
  const { rows } = await installation.database.query('select * from console.record where record_id = any ($1)', [some])
  for (const [at] of some.entries()) staff[at] = { ...staff[at]!, office: `${staff[at]!.office} B` }
  const people = some.map((id, at) => ({ id, version: 2, person: { ...(staff[at] as Colleague), fields: {} } }))
  await writeAll(people, client, () => {})
  return new Map(rows.map(row => [row.record_id as string, row]))
}

function attacksOf(database: Pool, before: Past): Record<string, Attack> {
  const query = (text: string, values: unknown[] = []) => database.query(text, values)
  const swap = (columns: string[]) => (ids: Ids) =>
    query(
      `update console.record r set ${columns.map(column => `${column} = o.${column}`).join(', ')} from console.record o
       where r.record_id = any ($1) and o.record_id = any ($1) and o.record_id <> r.record_id`,
      [ids],
    )
  /** The row of last week with these columns of this week's. */
  const restore = ([id]: Ids, more: Record<string, unknown> = {}, without = true) => {
    const row = { ...before.get(id)!, ...more }
    const names = Object.keys(row)
    const clear = without ? query('delete from console.record where record_id = $1', [id]) : Promise.resolve()
    return clear.then(() =>
      query(
        `insert into console.record (${names.join(', ')}) values (${names.map((_, at) => `$${at + 1}`).join(', ')})`,
        names.map(name => row[name]),
      ),
    )
  }
  return {
    'two people’s sealed bytes are swapped': swap(['sealed', 'outer_digest']),
    'two people’s sealed bytes and statements are swapped': swap([
      ...['sealed', 'outer_digest', 'statement', 'signature', 'writer_id', 'alias', 'tokens'],
    ]),
    'two people’s statements alone are swapped': swap(['statement', 'signature']),
    'two people’s rows exchange their ids': ids =>
      query(
        `update console.record set record_id = case record_id when $1 then $2 else $1 end where record_id in ($1, $2)`,
        [...ids],
      ),
    'last week’s row takes the place of this week’s': ids => restore(ids),
    'last week’s row takes the place of this week’s, under this week’s number': ids => restore(ids, { version: 2 }),
    'last week’s row stands beside this week’s as a newer one': ids => restore(ids, { version: 3 }, false),
    'last week’s sealed bytes stand under this week’s statement': ids =>
      query('update console.record set sealed = $2 where record_id = $1', [ids[0], before.get(ids[0])!.sealed]),
    'a person’s bytes stand as another kind of record': ids =>
      query(`update console.record set kind = 'device' where record_id = $1`, [ids[0]]),
    'a record moves to another unit, and another’s takes its place': async ([one, other]) => {
      await query('update console.record set unit_id = $2 where record_id = $1', [one, randomUUID()])
      await query('update console.record set record_id = $2 where record_id = $1', [other, one])
    },
    'somebody is made up, sealed to the unit’s public key, under the name of a writer of the tables': async (
      [id],
      client,
    ) => {
      const forged = await forge(id, 2, client)
      await query('update console.record set sealed = $2, statement = $3, signature = $4 where record_id = $1', [
        ...[id, forged.sealed, forged.statement, forged.signature],
      ])
    },
    'somebody is made up, with a writer of the intruder’s own': async ([id], client) => {
      const forged = await forge(id, 2, client)
      await query(`insert into console.writer select $1, $2, approval, now() from console.writer limit 1`, [
        forged.writer.id,
        forged.writer.statement,
      ])
      await query(
        'update console.record set sealed = $2, statement = $3, signature = $4, writer_id = $5 where record_id = $1',
        [...[id, forged.sealed, forged.statement, forged.signature, forged.writer.id]],
      )
    },
  }
}

export const intruder: Person = {
  ...{ givenName: 'Eve', familyName: 'Intruder', email: 'eve@evil.example', mobile: '+32471999999' },
  ...{ office: 'Elsewhere', language: 'en', fields: {} },
}

/** Whom the intruder would have there: sealed to public keys alone, signed by a key of their own. */
export async function forge(id: string, version: number, { unit, trusted }: Pick<Client, 'unit' | 'trusted'>) {
  const { genesisDigest } = trusted
  const place = { kind: 'person' as const, id, unit: unit.id, version }
  const own = await makeKeyPair()
  const person = encodePerson(intruder)
  const to = { unitKey: fromBase64(unit.publicKey), releaseKey: own.publicKey, genesisDigest }
  const { inner, sealed } = await sealRecord(nodeHpke, person, place, to)
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const writer = randomUUID()
  const said = { type: 'bulkhead-record/v1', ...place, alias: 'eve-eve', body: sha256(inner).toString('hex'), writer }
  const statement = canonical(said)
  const now = Math.floor(Date.now() / 1000)
  const key = publicKey.export({ format: 'raw-public' }).toString('base64')
  const times = { notBefore: now - 60, expiresAt: now + 3600 }
  const signature = sign(null, sessionBytes(statement, said.type, genesisDigest), privateKey).toString('base64')
  const named = canonical({ type: 'bulkhead-writer/v1', id: writer, unit: unit.id, key, ...times, feeder: false })
  return { inner, sealed: Buffer.from(sealed), statement, signature, writer: { id: writer, statement: named } }
}

/** Rows with which a client unlocks a unit, and lets others in. */
async function attackUnlocking(world: World, client: Client): Promise<{ tried: string[]; wrong: string[] }> {
  const { database, console, home } = world.installation
  const { trusted, unit } = client
  const { genesisDigest } = trusted
  const tried: string[] = []
  const wrong: string[] = []
  const row = (await database.query('select * from console.unit_share')).rows[0]
  const announced = (await database.query('select * from console.member_key')).rows[0]
  const member = JSON.parse(announced.statement) as { key: string }
  const own = await makeKeyPair()
  const share = (publicKey: string, of = row) => ({ unit: unit.id, publicKey, credential: of.credential_id as string })
  const sealed = (to: string, publicKey: string) =>
    sealShare(nodeHpke, own.privateKey, fromBase64(to), share(publicKey), genesisDigest)
  const shares: Record<string, [sealed: Uint8Array, publicKey: string]> = {
    'a unit’s share row holds a key of the intruder’s, sealed to the member': [
      await sealed(member.key, unit.publicKey),
      unit.publicKey,
    ],
    'and says that the unit has that key': [await sealed(member.key, toBase64(own.publicKey)), toBase64(own.publicKey)],
    'the share row is noise': [Buffer.alloc(80, 7), unit.publicKey],
  }
  for (const [name, [bytes, publicKey]] of Object.entries(shares)) {
    tried.push(name)
    await database.query('update console.unit_share set sealed = $1, public_key = $2', [Buffer.from(bytes), publicKey])
    const opened = await openClient(world).catch(() => undefined)
    if (opened && toBase64(opened.key.publicKey) !== unit.publicKey) wrong.push(`${name}: it was unlocked`)
    await database.query('delete from console.unit_share')
    await database.query('insert into console.unit_share values ($1, $2, $3, $4)', [
      ...[row.unit_id, row.public_key, row.credential_id, row.sealed],
    ])
  }
  const evil = createSoftwarePasskey(join(home, `${randomUUID()}.passkey`), 'intruder')
  const key = toBase64(own.publicKey)
  const text = canonical({ ...member, key })
  const digest = directoryDigest('bulkhead-member-key/v1', text, trusted)
  const other = (await database.query('select approval from console.writer limit 1')).rows[0].approval
  const keys: Record<string, Signed> = {
    'a member’s HPKE key is replaced, under their own assertion': { statement: text, approval: announced.approval },
    'and under another assertion of theirs': { statement: text, approval: other },
    'and under one of the intruder’s passkey': { statement: text, approval: approve(evil, digest, trusted.roster) },
    'and under that one in the member’s name': {
      statement: text,
      approval: { ...approve(evil, digest, trusted.roster), credentialId: announced.credential_id },
    },
  }
  for (const [name, { statement, approval }] of Object.entries(keys)) {
    tried.push(name)
    await database.query('update console.member_key set statement = $1, approval = $2', [statement, approval])
    const { keys: given } = await console.get<{ keys: Signed[] }>('/api/units/member-keys')
    for (const one of given) if (keyOf(one, client) === key) wrong.push(`${name}: a unit would be sealed to it`)
  }
  await database.query('update console.member_key set statement = $1, approval = $2', [
    ...[announced.statement, announced.approval],
  ])
  return { tried, wrong }
}

/** What whoever seals to a member does first. */
function keyOf(signed: Signed, { trusted }: Pick<Client, 'trusted'>): string | undefined {
  try {
    return openMemberKey(signed, trusted).key
  } catch {
    return undefined
  }
}
