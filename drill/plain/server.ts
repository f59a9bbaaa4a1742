import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Pool } from 'pg'
import { commandUuid } from '../../src/trust/token.ts'

// The plain baseline: device management as it is commonly built, small and without a flaw of its own making. One process, one database role,
// plain columns; whoever holds an administrator's cookie is the administrator. The drills run the same attacks against it.

const TABLES = `
create schema plain;
create table plain.device (id uuid primary key, token text not null, owner text not null, email text not null, phone text not null,
  serial text not null, imei text not null, iccid text not null, device_name text not null);
create table plain.person (id uuid primary key, given_name text not null, family_name text not null, email text not null, mobile text not null,
  office text not null, device_id uuid);
create table plain.command (uuid uuid primary key, device_id uuid not null, type text not null, words text not null, state text not null default 'pending');
create table plain.admin (name text primary key, password text not null);
create table plain.session (cookie text primary key, admin text not null);`

export const ADMIN = { name: 'admin', password: 'a long and good password' }
const hashed = (password: string) => createHash('sha256').update(`plain ${password}`).digest('hex')

type Ask = { body: Record<string, unknown>; cookie: string; token: string }
type Route = (ask: Ask) => Promise<unknown>

/** `database`: as its one role, which owns it. */
export async function startPlain(database: Pool) {
  await database.query(TABLES)
  await database.query('insert into plain.admin values ($1, $2)', [ADMIN.name, hashed(ADMIN.password)])
  const query = async (text: string, values: unknown[] = []) => (await database.query(text, values)).rows

  async function admin({ cookie }: Ask) {
    const [session] = await query('select admin from plain.session where cookie = $1', [cookie])
    if (!session) throw Object.assign(new Error('Sign in.'), { status: 401 })
  }

  const routes: Record<string, Route> = {
    'POST /enrol': async ({ body }) => {
      const [id, token] = [randomUUID(), randomBytes(16).toString('hex')]
      const { owner, email, phone, serial, imei, iccid, deviceName } = body
      await query('insert into plain.device values ($1, $2, $3, $4, $5, $6, $7, $8, $9)', [
        ...[id, token, owner, email, phone, serial, imei, iccid, deviceName],
      ])
      return { id, token }
    },
    'POST /connect': async ({ body, token }) => {
      const [device] = await query('select id from plain.device where token = $1', [token])
      if (!device) throw Object.assign(new Error('Unknown.'), { status: 404 })
      await query(`update plain.command set state = 'done' where uuid = $1`, [body.answered ?? null])
      const [next] = await query(
        `select uuid, type, words from plain.command where device_id = $1 and state = 'pending' limit 1`,
        [device.id],
      )
      return next ?? {}
    },
    'POST /api/login': async ({ body }) => {
      const [known] = await query('select name from plain.admin where name = $1 and password = $2', [
        body.name,
        hashed(String(body.password)),
      ])
      if (!known) throw Object.assign(new Error('Wrong.'), { status: 401 })
      const cookie = randomBytes(16).toString('hex')
      await query('insert into plain.session values ($1, $2)', [cookie, known.name])
      return { cookie }
    },
    'POST /api/logout': async ask => {
      await query('delete from plain.session where cookie = $1', [ask.cookie])
      return {}
    },
    'GET /api/devices': async ask => {
      await admin(ask)
      return query('select * from plain.device')
    },
    'GET /api/people': async ask => {
      await admin(ask)
      return query('select * from plain.person')
    },
    'POST /api/people': async ask => {
      await admin(ask)
      const { people } = ask.body as { people: object[] }
      await query('insert into plain.person select * from jsonb_populate_recordset(null::plain.person, $1)', [
        JSON.stringify(people),
      ])
      return {}
    },
    'POST /api/people/erase': async ask => {
      await admin(ask)
      await query('delete from plain.person where id = $1', [ask.body.id])
      return {}
    },
    'POST /api/commands': async ask => {
      await admin(ask)
      const { type, words = '', devices } = ask.body as { type: string; words?: string; devices?: string[] }
      const order = randomUUID()
      const all = devices ?? (await query('select id from plain.device')).map(({ id }) => id as string)
      await query(
        'insert into plain.command (uuid, device_id, type, words) select uuid, device, $3, $4 from unnest($1::uuid[], $2::uuid[]) as u (uuid, device)',
        [...[all.map(device => commandUuid(order, device)), all, type, words]],
      )
      return { order }
    },
  }

  const server = createServer((request, response) => {
    const [, token = ''] = /^Bearer (.+)$/.exec(request.headers.authorization ?? '') ?? []
    const [, cookie = ''] = /session=([^;]+)/.exec(request.headers.cookie ?? '') ?? []
    const route = routes[`${request.method} ${request.url}`]
    const answer = (status: number, value: unknown) => response.writeHead(status).end(JSON.stringify(value))
    if (!route) return void answer(404, {})
    bodyOf(request)
      .then(body => route({ body, cookie, token }))
      .then(
        value => answer(200, value),
        error => answer(error.status ?? 400, {}),
      )
  })
  await new Promise<void>(settle => server.listen(0, '127.0.0.1', settle))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    routes: Object.keys(routes),
    close: () =>
      new Promise(settle => {
        server.close(settle)
        server.closeAllConnections()
      }),
  }
}

async function bodyOf(request: IncomingMessage): Promise<Record<string, unknown>> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return chunks.length === 0 ? {} : (JSON.parse(Buffer.concat(chunks).toString()) as Record<string, unknown>)
}
