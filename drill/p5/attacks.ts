import { generateKeyPairSync, randomBytes, randomUUID, sign } from 'node:crypto'
import type { Ledger } from '../../src/ledger/api.ts'
import { canonical } from '../../src/trust/canonical.ts'
import { previousOf } from '../../src/trust/control.ts'
import { type Signed, sessionBytes } from '../../src/trust/directory.ts'
import type { Trusted } from '../../src/trust/roster.ts'
import type { ConsoleVault } from '../../src/vault/client.ts'
import { forge } from '../p2/people.ts'
import type { Answered } from './lies.ts'

// What a captured console asks the vault and the ledger for, over its own sockets, with all that passed through it. Each says whether
// something came of it; a refusal is thrown.

type Release = { grant: Signed; request: string; signature: string }
type Write = { writer: Signed; records: { statement: string; signature: string }[] }
export type Seen = { earlier: Map<string, Answered>; release?: Release | undefined; write?: Write | undefined }
type With = {
  seen: Seen
  trusted: Trusted
  vault: ConsoleVault
  ledger: Pick<Ledger, 'append'>
  sealedOf: (id: string) => Promise<Buffer>
}

export async function attacksOf({ seen, trusted, vault, ledger, sealedOf }: With) {
  const { grant, request, signature } = seen.release!
  const { writer, records } = seen.write!
  const { genesisDigest, roster } = trusted
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const key = publicKey.export({ format: 'raw-public' }).toString('base64')
  const now = Math.floor(Date.now() / 1000)
  const asked = JSON.parse(request) as { records: { id: string; version: number }[]; serial: number }
  const granted = JSON.parse(grant.statement) as { id: string; unit: string }
  const signed = (text: string, type: string) =>
    sign(null, sessionBytes(text, type, genesisDigest), privateKey).toString('base64')
  const edited = (text: string, more: object) => canonical({ ...JSON.parse(text), ...more })
  const opened = async (ask: Release) => {
    const some = (JSON.parse(ask.request) as typeof asked).records
    const { inner } = await vault.release(ask, await Promise.all(some.map(({ id }) => sealedOf(id))))
    return inner.some(({ length }) => length > 0)
  }
  const fresh = edited(request, { serial: asked.serial + 100, at: now })
  const own = { request: fresh, signature: signed(fresh, 'bulkhead-release-request/v1') }
  const victim = asked.records[0]!.id
  const forged = await forge(victim, 2, { unit: roster.units[0]!, trusted })
  const erasure = canonical({
    ...{ type: 'bulkhead-erasure/v1', id: randomUUID(), unit: granted.unit },
    ...{ records: [{ kind: 'person', id: victim }], notBefore: now - 60, expiresAt: now + 600 },
  })
  const nonce = randomBytes(16).toString('hex')
  const next = {
    ...{ ...roster, version: 1, previous: previousOf(canonical(roster as never)), createdAt: now },
    members: [{ ...roster.members[0]!, id: randomUUID(), alias: 'intruder' }],
  }
  const logged = (log: 'main' | 'control', entry: object) => async () => {
    const outcomes = await ledger.append({ log, entries: [{ entry: canonical(entry as never) }] })
    return outcomes.some(one => !('code' in one))
  }
  const approval = grant.approval

  return {
    'a request that was answered, once more': () => opened({ grant, request, signature }),
    'that request, for a later time': () => opened({ grant, request: fresh, signature }),
    'that request, for other people': () =>
      opened({ grant, request: edited(request, { records: [...asked.records].reverse() }), signature }),
    'a request under a key of its own': () => opened({ grant, ...own }),
    'a grant to that key, under a real approval': () =>
      opened({ grant: { statement: edited(grant.statement, { key }), approval }, ...own }),
    'a grant for more people, under a real approval': () =>
      opened({ grant: { statement: edited(grant.statement, { most: 1000 }), approval }, request: fresh, signature }),
    'a writer as a grant': () => opened({ grant: writer, ...own }),
    'a writer of its own asks for release keys': async () =>
      (await vault.releaseKeys({
        writer: { statement: edited(writer.statement, { key }), approval: writer.approval },
        records: [{ kind: 'person', id: victim }],
      })) !== undefined,
    'a record of its own under a real writer': async () =>
      (await vault.writeRecords({
        writer,
        records: [{ statement: forged.statement, signature: forged.signature }],
      })) !== undefined,
    'a real record under another number': async () =>
      (await vault.writeRecords({
        writer,
        records: [{ statement: edited(records[0]!.statement, { version: 3 }), signature: records[0]!.signature }],
      })) !== undefined,
    'an erasure under the approval of a grant': async () =>
      (await vault.erase({ erasure: { statement: erasure, approval } })).records > 0,
    'a roster that nobody approved, in the control log': logged('control', {
      type: 'roster',
      statement: canonical(next as never),
      approvals: [approval],
    }),
    'a cancellation that nobody approved': logged('control', {
      type: 'cancel',
      statement: canonical({ type: 'bulkhead-cancel/v1', at: now, nonce, order: randomUUID() }),
      approvals: [approval],
    }),
    'an erasure’s entry in the ledger': logged('main', {
      type: 'erasure',
      unique: `erasure:${randomUUID()}`,
      count: 1,
    }),
    'a release’s entry in the ledger': logged('main', { type: 'release', unique: `release:records:${granted.id}:999` }),
    'a finding’s entry in the ledger': logged('main', {
      type: 'finding',
      at: now,
      code: 'x',
      source: 'watch',
      count: 1,
    }),
  } satisfies Record<string, () => Promise<boolean>>
}
