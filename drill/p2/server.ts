import { randomUUID } from 'node:crypto'
import type { Pool } from 'pg'
import type { Side } from './sides.ts'

// The server itself turns: what runs when the edge asks is the attacker's. And what its operating-system user can reach.

/** `edge.connect` answers every device with this order, whoever asks and whatever was done; `lies`: how many times. */
export async function turnQueue(database: Pool, order: string, serial: number): Promise<void> {
  const { rows } = await database.query(
    `select pg_get_function_identity_arguments(p.oid) as given, pg_get_function_result(p.oid) as gives
     from pg_proc p where p.oid = 'edge.connect'::regproc`,
  )
  await database.query(`create or replace function edge.connect(${rows[0].given}) returns ${rows[0].gives}
    language sql security definer set search_path = pg_catalog, pg_temp as $$
      select n::int, '${order}'::uuid, ${serial}, null::uuid from generate_series(1, cardinality(devices)) as n $$`)
}

/** Every order that is asked for is given out under the approved one's approvals, with another body. */
export async function turnOrders(database: Pool, body: Buffer): Promise<void> {
  await database.query(
    `update console.orders set body = '\\x${body.toString('hex')}'::bytea, secret = false, action = 'EraseDevice'`,
  )
}

/** As the server's own user: what of the home it can read, run or write. */
export async function reachOf(
  database: Pool,
  home: string,
): Promise<{ runs: boolean; user: string; reads: string[]; writes: string[] }> {
  const scratch = `drill_${randomUUID().replaceAll('-', '')}`
  await database.query(`create table public.${scratch} (line text)`)
  const shell = async (script: string): Promise<string[]> => {
    await database.query(`truncate public.${scratch}`)
    await database.query(`copy public.${scratch} from program '${script.replaceAll("'", "''")}'`)
    return (await database.query(`select line from public.${scratch}`)).rows.map(({ line }) => line as string)
  }
  try {
    const [user = ''] = await shell('id -u')
    const secrets = ['vault/keys', 'edge/keys', 'ledger/keys', 'ledger/data', 'vault/data', 'supervisor', 'run']
    const found = secrets.map(part => `${home}/${part}`).join(' ')
    const reads = await shell(
      `find ${found} -type f -readable 2>/dev/null; find ${found} -type s -writable 2>/dev/null; true`,
    )
    const writes = await shell(`find ${found} ${home}/genesis.json ${home}/config.json -writable 2>/dev/null; true`)
    return { runs: true, user, reads, writes }
  } catch {
    return { runs: false, user: '', reads: [], writes: [] }
  } finally {
    await database.query(`drop table public.${scratch}`)
  }
}

/** Of these sides, the one whose order was done: it is offered to all of them for ever. */
export const doneOf = (sides: readonly Side[]) => sides.find(({ device }) => device.executed.length > 0)
