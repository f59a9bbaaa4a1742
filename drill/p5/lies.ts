import { generateKeyPairSync, randomUUID, sign } from 'node:crypto'
import { nodeHpke } from '../../src/cli/hpke.ts'
import { fromBase64, toBase64 } from '../../src/people/bytes.ts'
import { makeKeyPair } from '../../src/people/keys.ts'
import { encodePerson } from '../../src/people/person.ts'
import { sealShare } from '../../src/people/unit.ts'
import { canonical } from '../../src/trust/canonical.ts'
import { type Signed, sessionBytes } from '../../src/trust/directory.ts'
import type { Trusted } from '../../src/trust/roster.ts'
import { sha256 } from '../../src/trust/statement.ts'
import { forge, intruder } from '../p2/people.ts'
import type { Answer, Exchange, Lie } from './wire.ts'

// What a captured console answers. It knows what is public, and all that ever passed through it.

type Keys = { type: string; at: number; keys: { kind: string; id: string; key: string }[] }
export type Answered = Record<string, unknown> & { kind: 'person'; id: string; version: number; state: string }
type Released = { records: Answered[] }
type Asked = { writer: Signed; records: { kind: string; id: string }[] }

/** By what the honest client then does: writes people, unlocks, shows two people, finds one. */
export type Kind = 'write' | 'unlock' | 'show' | 'find'
export type Lies = Record<string, { kind: Kind; lie: Lie }>

export const honest: Lie = (asked, pass) => pass(asked)
const on =
  (path: RegExp, change: Lie): Lie =>
  (asked, pass) =>
    path.test(asked.path) ? change(asked, pass) : pass(asked)
const changed =
  <T>(change: (body: T, asked: Exchange) => T | Promise<T>): Lie =>
  async (asked, pass) => {
    const { status, body } = await pass(asked)
    return { status, body: status === 200 ? await change(body as T, asked) : body } satisfies Answer
  }

/** `earlier`: what was released before, by person. */
export async function liesOf(trusted: Trusted, earlier: ReadonlyMap<string, Answered>): Promise<Lies> {
  const { genesisDigest, roster } = trusted
  const unit = roster.units[0]!
  const own = await makeKeyPair()
  const signer = generateKeyPairSync('ed25519').privateKey
  const text = { kind: 'write' as const }
  const keys = (change: Lie) => ({ ...text, lie: on(/^\/api\/people\/keys$/, change) })
  const shares = (change: Lie) => ({ kind: 'unlock' as const, lie: on(/^\/api\/units\/shares\?/, change) })
  const released = (change: (body: Released, asked: Exchange) => Released | Promise<Released>) => ({
    kind: 'show' as const,
    lie: on(/^\/api\/people\/release$/, changed(change)),
  })
  const each = (change: (record: Answered) => Answered | Promise<Answered>) =>
    released(async body => ({ ...body, records: await Promise.all(body.records.map(change)) }))
  const replaced = (statement: string) => {
    const said = JSON.parse(statement) as Keys
    return canonical({ ...said, keys: said.keys.map(one => ({ ...one, key: toBase64(own.publicKey) })) })
  }
  const memberKey = async (pass: (asked: Exchange) => Promise<Answer>) => {
    const { body } = await pass({ method: 'GET', path: '/api/units/member-keys', body: undefined })
    const [first] = (body as { keys: Signed[] }).keys
    return { credential: first!.approval.credentialId, key: (JSON.parse(first!.statement) as { key: string }).key }
  }
  const share =
    (publicKey: string): Lie =>
    async (_, pass) => {
      const { credential, key } = await memberKey(pass)
      const place = { unit: unit.id, publicKey, credential }
      const sealed = await sealShare(nodeHpke, own.privateKey, fromBase64(key), place, genesisDigest)
      return { status: 200, body: { shares: [{ ...place, sealed: toBase64(sealed) }] } }
    }
  const forged = async (record: Answered, version = record.version) => {
    const made = await forge(record.id, version, { unit, trusted })
    return {
      ...record,
      state: 'ok',
      inner: toBase64(made.inner),
      statement: made.statement,
      signature: made.signature,
      made,
    }
  }

  return {
    'release keys of its own, under its own signature': keys(
      changed<{ statement: string; signature: string }>(({ statement }) => {
        const next = replaced(statement)
        const bytes = sessionBytes(next, 'bulkhead-release-keys/v1', genesisDigest)
        return { statement: next, signature: sign(null, bytes, signer).toString('base64') }
      }),
    ),
    'release keys of its own, under the vault’s signature of the real ones': keys(
      changed<{ statement: string; signature: string }>(one => ({ ...one, statement: replaced(one.statement) })),
    ),
    'the vault’s own word on the keys of other people': keys((asked, pass) => {
      const { writer, records } = asked.body as Asked
      return pass({ ...asked, body: { writer, records: records.map(one => ({ ...one, id: randomUUID() })) } })
    }),
    'release keys of another form: shorter, of zeroes, of another algorithm': keys(
      changed<{ statement: string; signature: string }>(one => {
        const said = JSON.parse(one.statement) as Keys
        const weak = said.keys.map(({ kind, id }) => ({ kind, id, key: toBase64(new Uint8Array(32)) }))
        return { ...one, statement: canonical({ ...said, suite: 'none', keys: weak } as never) }
      }),
    ),
    'a unit key of its own in the place of the roster’s, sealed to the member': shares((asked, pass) =>
      share(unit.publicKey)(asked, pass),
    ),
    'a unit key of its own, said to be the unit’s, sealed to the member': shares((asked, pass) =>
      share(toBase64(own.publicKey))(asked, pass),
    ),
    'a unit key in clear, as if sealing were optional': shares(
      changed<{ shares: { sealed: string }[] }>(({ shares: some }) => ({
        shares: some.map(one => ({ ...one, sealed: toBase64(own.privateKey) })),
      })),
    ),
    'somebody else under an alias': {
      kind: 'show',
      lie: on(/^\/api\/people\?.*name=/, async (asked, pass) => {
        const { body } = await pass({ ...asked, path: asked.path.replace(/&name=[^&]+/, '') })
        const { people } = await (body as { people: { alias: string }[] })
        const alias = decodeURIComponent(/name=([^&]+)/.exec(asked.path)![1]!)
        const other = people.find(one => one.alias > alias) ?? people[0]!
        return { status: 200, body: { people: [{ ...other, alias }], next: null, total: 1 } }
      }),
    },
    'two people’s inner halves exchanged': released(({ records: [a, b], ...rest }) => ({
      ...rest,
      records: [
        { ...a!, inner: b!.inner! },
        { ...b!, inner: a!.inner! },
      ] as Answered[],
    })),
    'two people’s records exchanged, under the ids asked for': released(({ records: [a, b], ...rest }) => ({
      ...rest,
      records: [
        { ...b!, id: a!.id, version: a!.version },
        { ...a!, id: b!.id, version: b!.version },
      ],
    })),
    'two people’s records in the other order': released(body => ({ ...body, records: [...body.records].reverse() })),
    'an older version that was opened before': each(record => ({ ...record, ...earlier.get(record.id) })),
    'an older version that was opened before, under the present number': each(record => ({
      ...record,
      ...earlier.get(record.id),
      version: record.version,
    })),
    'an older version, which the list called the present one': {
      kind: 'show',
      lie: (asked, pass) =>
        on(
          /^\/api\/people\?/,
          changed<{ people: { version: number }[] }>(body => ({
            ...body,
            people: body.people.map(one => ({ ...one, version: 1 })),
          })),
        )(asked, asked => (/release$/.test(asked.path) ? older(asked, pass) : pass(asked))),
    },
    'somebody made up, sealed to the unit’s public key, under a real writer': each(async record => {
      const { made: _, ...one } = await forged(record)
      return one
    }),
    'somebody made up, under a writer of its own with a real approval': each(async record => {
      const { made, ...one } = await forged(record)
      const { approval } = record.writer as Signed
      return { ...one, writer: { statement: made.writer.statement, approval } }
    }),
    'somebody made up, under no writer': each(async record => {
      const { made: _, ...one } = await forged(record)
      return { ...one, writer: null }
    }),
    'somebody made up, in clear': each(record => {
      const inner = encodePerson(intruder)
      const said = JSON.parse(String(record.statement)) as object
      const statement = canonical({ ...said, body: sha256(inner).toString('hex') } as never)
      return { ...record, inner: toBase64(inner), statement }
    }),
    'statements of another version of the format': each(record => ({
      ...record,
      statement: String(record.statement).replace('bulkhead-record/v1', 'bulkhead-record/v0'),
    })),
    'everybody fits': {
      kind: 'find',
      lie: on(/^\/api\/people\/find$/, (asked, pass) =>
        pass({
          method: 'GET',
          path: `/api/people?unit=${(asked.body as { unit: string }).unit}&limit=20`,
          body: undefined,
        }).then(({ body }) => ({ status: 200, body: { people: (body as { people: unknown[] }).people, more: false } })),
      ),
    },
    'a page with code in the place of every answer': {
      kind: 'show',
      lie: async () => '<!doctype html><script src="https://evil.example/x.js"></script>',
    },
  }

  async function older(asked: Exchange, pass: (asked: Exchange) => Promise<Answer>): Promise<Answer> {
    const { status, body } = await pass(asked)
    const { records, ...rest } = body as Released
    return { status, body: { ...rest, records: records.map(one => ({ ...one, ...earlier.get(one.id), state: 'ok' })) } }
  }
}
