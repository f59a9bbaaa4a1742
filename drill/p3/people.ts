import { generateKeyPairSync, randomUUID, sign } from 'node:crypto'
import { toBase64 } from '../../src/people/bytes.ts'
import { makeKeyPair } from '../../src/people/keys.ts'
import { openGrantSession, openWriterSession, requestRelease } from '../../src/people/session.ts'
import { canonical } from '../../src/trust/canonical.ts'
import { directoryDigest, type Signed, sessionBytes } from '../../src/trust/directory.ts'
import type { StatementType } from '../../src/trust/statement.ts'
import { forge } from '../p2/people.ts'
import type { Client } from '../people/shown.ts'
import type { Session } from '../session.ts'
import type { Wanted } from './bodies.ts'

// What a thief asks the sealed directory for, with what was on its way in the victim's session: a writer, a grant, a request and its answer.

export type Overheard = { writer: Signed; grant: Signed; request: string; signature: string; answer: string }

/** The victim's own client writes nothing and shows two people, over the session that is stolen. */
export async function overhear(victim: Session, client: Client, ids: readonly string[]): Promise<Overheard> {
  const { unit, making, trusted } = client
  const { genesisDigest } = trusted
  const { writer } = await openWriterSession({ unit: unit.id }, making())
  await victim.ask('POST', '/api/people/keys', { writer, records: [{ kind: 'person', id: ids[0] }] })
  const session = await openGrantSession({ unit: unit.id, most: 50, purpose: 'support' }, making())
  const records = ids.slice(0, 2).map(id => ({ kind: 'person' as const, id, version: 1 }))
  const asked = await requestRelease(session, records, { now: making().now, shown: true, genesisDigest })
  const { text } = await victim.ask('POST', '/api/people/release', asked)
  return { writer, ...asked, answer: text }
}

/** Bodies for every route of the directory that takes one. */
export async function peopleBodies(client: Client, overheard: Overheard, ids: readonly string[]): Promise<Wanted[]> {
  const { unit, trusted } = client
  const { genesisDigest, roster } = trusted
  const { writer, grant, request, signature } = overheard
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const own = publicKey.export({ format: 'raw-public' }).toString('base64')
  const edited = (text: string, more: object) => canonical({ ...JSON.parse(text), ...more })
  const by = (text: string, type: string) =>
    sign(null, sessionBytes(text, type, genesisDigest), privateKey).toString('base64')
  const now = Math.floor(Date.now() / 1000)
  const id = ids[0]!
  const times = { notBefore: now - 60, expiresAt: now + 3600 }
  const mine = edited(writer.statement, { key: own })
  const granted = edited(grant.statement, { key: own, most: 1000, ...times })
  const serial = (JSON.parse(request) as { serial: number }).serial + 1
  const wide = edited(request, {
    serial,
    at: now,
    records: ids.slice(0, 100).map(one => ({ kind: 'person', id: one, version: 1 })),
  })
  const forged = await forge(id, 2, client)
  const sealed = forged.sealed.toString('base64')
  const writerId = (JSON.parse(writer.statement) as { id: string }).id
  const type = 'bulkhead-record/v1'
  const record = edited(forged.statement, { writer: writerId })
  const tokens = canonical({
    ...{ type: 'bulkhead-tokens/v1', writer: writerId },
    records: [{ kind: 'person', id, version: 1, tokens: [1, 2] }],
  })
  const handed = canonical({
    ...{
      type: 'bulkhead-assignment/v1',
      device: randomUUID(),
      version: 1,
      unit: unit.id,
      writer: writerId,
      person: id,
    },
  })
  const erasure = canonical({
    ...{ type: 'bulkhead-erasure/v1', id: randomUUID(), unit: unit.id, records: [{ kind: 'person', id }], ...times },
  })
  const pair = await makeKeyPair()
  const announced = canonical({
    ...{ type: 'bulkhead-member-key/v1', member: roster.members[1]!.id, key: toBase64(pair.publicKey) },
  })
  const digest = (of: StatementType, text: string) => directoryDigest(of, text, trusted)
  const shares = roster.members.map(({ passkeys }) => ({
    ...{ unit: unit.id, publicKey: unit.publicKey, credential: passkeys[0]!.id, sealed: toBase64(pair.privateKey) },
  }))
  const writers = (approve: Parameters<Wanted['bodies']>[0]): Signed[] => [
    { statement: mine, approval: approve(digest('bulkhead-writer/v1', mine)) },
    writer,
  ]
  const grants = (approve: Parameters<Wanted['bodies']>[0]): Signed[] => [
    { statement: granted, approval: approve(digest('bulkhead-grant/v1', granted)) },
    { statement: granted, approval: grant.approval },
    grant,
  ]
  return [
    {
      path: /^\/api\/people\/keys$/,
      bodies: approve => writers(approve).map(one => ({ writer: one, records: [{ kind: 'person', id }] })),
    },
    {
      path: /^\/api\/people\/write$/,
      bodies: approve =>
        writers(approve).map(one => ({
          ...{ writer: one },
          records: [{ statement: record, signature: by(record, type), sealed, tokens: [1] }],
        })),
    },
    { path: /^\/api\/people\/find$/, bodies: () => [{ unit: unit.id, tokens: [4096] }] },
    {
      path: /^\/api\/people\/release$/,
      bodies: approve => [
        { grant, request, signature },
        { grant, request: wide, signature },
        ...grants(approve).map(one => ({
          ...{ grant: one, request: wide, signature: by(wide, 'bulkhead-release-request/v1') },
        })),
      ],
    },
    {
      path: /^\/api\/people\/erase$/,
      bodies: approve => [
        { erasure: { statement: erasure, approval: approve(digest('bulkhead-erasure/v1', erasure)) } },
        { erasure: { statement: erasure, approval: grant.approval } },
      ],
    },
    {
      path: /^\/api\/people\/tokens$/,
      bodies: approve =>
        writers(approve).map(one => ({ writer: one, statement: tokens, signature: by(tokens, 'bulkhead-tokens/v1') })),
    },
    {
      path: /^\/api\/people\/assign$/,
      bodies: approve =>
        writers(approve).map(one => ({
          ...{ writer: one, statement: handed, signature: by(handed, 'bulkhead-assignment/v1') },
        })),
    },
    { path: /^\/api\/units\/shares$/, bodies: () => shares.map(one => ({ shares: [one] })) },
    {
      path: /^\/api\/units\/member-keys$/,
      bodies: approve => [
        { statement: announced, approval: approve(digest('bulkhead-member-key/v1', announced)) },
        { statement: announced, approval: grant.approval },
      ],
    },
  ]
}

/** What is needed of a GET of these. */
export const queriesOf = (unit: string): Record<string, string> => ({
  '/api/people': `?unit=${unit}&limit=500`,
  '/api/units/shares': `?unit=${unit}`,
})
