import { randomUUID } from 'node:crypto'
import type { Pool } from 'pg'
import { Pool as PgPool } from 'pg'
import { inParallel } from '../../simulator/fleet.ts'
import type { Person } from '../canaries.ts'
import type { Judged } from '../effect.ts'
import type { Colleague } from '../people/staff.ts'
import { ADMIN, startPlain } from './server.ts'

/** A device of the plain baseline: it asks, obeys, and answers. */
export type PlainDevice = Judged & {
  executed: { uuid: string; type: string; words: string }[]
  connect(): Promise<void>
}

/** The plain baseline with its people, in a database of its own on the same server. `admin`: the server's superuser. */
export async function openPlain(admin: Pool, people: readonly Person[], staff: readonly Colleague[] = []) {
  await admin.query(`create role plain login password 'plain'`)
  await admin.query('create database plain owner plain')
  const { host, port } = admin.options as { host: string; port: number }
  const pool = new PgPool({ host, port, user: 'plain', password: 'plain', database: 'plain', max: 8 })
  pool.on('error', () => {})
  const server = await startPlain(pool)

  const ask = async <T = Record<string, string>>(
    method: string,
    path: string,
    body: object = {},
    headers = {},
  ): Promise<T> => {
    const sent = method === 'GET' ? {} : { body: JSON.stringify(body) }
    const response = await fetch(`${server.url}${path}`, { method, headers, ...sent })
    if (!response.ok) throw new Error(`${path} was answered with ${response.status}.`)
    return (await response.json()) as T
  }

  async function enrol(person: Person): Promise<PlainDevice> {
    const { id, token } = (await ask('POST', '/enrol', person)) as { id: string; token: string }
    const executed: PlainDevice['executed'] = []
    return {
      id,
      executed,
      async connect() {
        const headers = { authorization: `Bearer ${token}` }
        for (let answered: string | undefined, most = 0; most < 20; most++) {
          const next = await ask<{ uuid?: string; type: string; words: string }>(
            'POST',
            '/connect',
            { answered },
            headers,
          )
          if (next.uuid === undefined) return
          executed.push({ uuid: next.uuid, type: next.type, words: next.words })
          answered = next.uuid
        }
      },
    }
  }

  const devices: PlainDevice[] = []
  await inParallel(people, 8, async (person, at) => {
    devices[at] = await enrol(person)
  })
  const { cookie } = (await ask('POST', '/api/login', ADMIN)) as { cookie: string }
  const rows = staff.map(({ givenName, familyName, email, mobile, office }, at) => ({
    ...{ id: randomUUID(), given_name: givenName, family_name: familyName, email, mobile, office },
    device_id: devices[at]?.id ?? null,
  }))
  await ask('POST', '/api/people', { people: rows }, { cookie: `session=${cookie}` })
  return {
    ...server,
    ask,
    devices,
    /** The ids of the staff, in its order. */
    staff: rows.map(({ id }) => id),
    pool,
    /** The administrator's. */
    cookie,
    order: async (type: string, ids: readonly string[] | undefined, words = '', by = cookie) =>
      (
        (await ask('POST', '/api/commands', { type, devices: ids, words }, { cookie: `session=${by}` })) as {
          order: string
        }
      ).order,
    async close() {
      await server.close()
      await pool.end()
    },
  }
}
export type Plain = Awaited<ReturnType<typeof openPlain>>
