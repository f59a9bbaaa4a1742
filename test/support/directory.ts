import { createPublicKey, generateKeyPairSync, randomUUID, sign } from 'node:crypto'
import { canonical } from '../../src/trust/canonical.ts'
import {
  type DirectoryRecord,
  directoryDigest,
  type Grant,
  type Kind,
  type ReleaseRequest,
  recordAad,
  releaseKeysShape,
  requireSession,
  type Signed,
  sessionBytes,
} from '../../src/trust/directory.ts'
import { decodeStatement, sha256Hex } from '../../src/trust/statement.ts'
import { hpkeSeal } from '../../src/wire/hpke.ts'
import type { TestMember, TestRoster } from './roster.ts'

/** What a client of the sealed directory signs and seals, without a unit's key: here the inner half is any bytes. */
export type Stored = {
  kind: Kind
  id: string
  version: number
  inner: Buffer
  sealed: Buffer
  statement: string
  signature: string
}
type SessionType = 'bulkhead-writer/v1' | 'bulkhead-grant/v1' | 'bulkhead-erasure/v1'

export function directoryClient({ trusted, unit, operator }: TestRoster, clock: () => number) {
  const approve = (type: SessionType, said: Record<string, unknown>, by: TestMember = operator): Signed => {
    const times = { notBefore: clock() - 10, expiresAt: clock() + 3600 }
    const statement = canonical({ type, id: randomUUID(), unit, ...times, ...said })
    return { statement, approval: by.approve(directoryDigest(type, statement, trusted)) }
  }
  function session(type: SessionType, said: Record<string, unknown>, by?: TestMember) {
    const { privateKey } = generateKeyPairSync('ed25519')
    const key = createPublicKey(privateKey).export({ format: 'raw-public' }).toString('base64')
    const signed = approve(type, { key, ...said }, by)
    const id = (JSON.parse(signed.statement) as { id: string }).id
    const signText = (what: string, text: string) =>
      sign(null, sessionBytes(text, what, trusted.genesisDigest), privateKey).toString('base64')
    return { signed, id, signText }
  }
  type Writer = ReturnType<typeof session>

  return {
    writer: (said: Record<string, unknown> = {}, by?: TestMember): Writer =>
      session('bulkhead-writer/v1', { feeder: false, ...said }, by),
    grant: (said: Partial<Grant> = {}, by?: TestMember) =>
      session('bulkhead-grant/v1', { most: 100, purpose: 'support', ...said }, by),
    erasure: (records: { kind: Kind; id: string }[], said: Record<string, unknown> = {}, by?: TestMember): Signed =>
      approve('bulkhead-erasure/v1', { records: records.map(({ kind, id }) => ({ kind, id })), ...said }, by),
    /** The release keys in a signed answer, by id; the signature is the vault's. */
    keysIn({ statement, signature }: { statement: string; signature: string }): Map<string, Buffer> {
      const key = trusted.voucherKey.export({ format: 'raw-public' }).toString('base64')
      requireSession(key, statement, 'bulkhead-release-keys/v1', signature, trusted)
      const { keys } = decodeStatement(statement, releaseKeysShape, 'release keys')
      return new Map(keys.map(({ id, key }) => [id, Buffer.from(key, 'base64')]))
    },
    /** One version, sealed to a release key and signed. */
    seal(
      writer: Writer,
      releaseKey: Buffer,
      of: { kind?: Kind; id: string; version?: number; inner: Buffer },
      said: Partial<DirectoryRecord> = {},
    ): Stored {
      const { kind = 'person', id, version = 1, inner } = of
      const record = { kind, id, unit, version }
      const sealed = hpkeSeal(releaseKey, inner, recordAad('outer', record, trusted.genesisDigest))
      const body = sha256Hex(inner)
      const type = 'bulkhead-record/v1'
      const statement = canonical({ type, ...record, alias: 'lisu-mora', body, writer: writer.id, ...said })
      return { kind, id, version, inner, sealed, statement, signature: writer.signText(type, statement) }
    },
    request(
      grant: Writer,
      serial: number,
      records: Pick<Stored, 'kind' | 'id' | 'version'>[],
      said: Partial<ReleaseRequest> = {},
    ) {
      const list = records.map(({ kind, id, version }) => ({ kind, id, version }))
      const type = 'bulkhead-release-request/v1'
      const request = canonical({ type, grant: grant.id, serial, at: clock(), records: list, shown: true, ...said })
      return { grant: grant.signed, request, signature: grant.signText(type, request) }
    },
  }
}
export type DirectoryClient = ReturnType<typeof directoryClient>
