import { z } from '@hono/zod-openapi'
import { KINDS, MOST_ERASED, MOST_RECORDS, MOST_SEALED } from '../../trust/directory.ts'
import { aliasText, done, signedIn, uuid } from '../api.ts'

/** The sealed directory's part of the contract. Bytes are base64. Whoever reads a record verifies its writer. */
const base64 = (bytes: number) =>
  z
    .string()
    .regex(/^[A-Za-z0-9+/]*={0,2}$/, 'base64')
    .max(Math.ceil(bytes / 3) * 4)
const text = z.string().max(64 * 1024)
const signature = base64(64)
const kind = z.enum(KINDS)
const version = z.int().min(1).max(1_000_000_000)
const token = z.int().min(0).max(0x7fffffff)
const MOST_TOKENS = 200

export const unitsIn = z.object({ unit: uuid })
export const keysIn = z.strictObject({
  writer: signedIn,
  records: z
    .array(z.strictObject({ kind, id: uuid }))
    .min(1)
    .max(MOST_RECORDS),
})
export const keysOut = z.object({ statement: z.string(), signature: z.string() })

export const writeIn = z.strictObject({
  writer: signedIn,
  records: z
    .array(
      z.strictObject({
        statement: text,
        signature,
        sealed: base64(MOST_SEALED),
        tokens: z.array(token).max(MOST_TOKENS).nullable(),
      }),
    )
    .min(1)
    .max(MOST_RECORDS),
})
export const writtenOut = z.object({ written: z.int() })

export const listIn = z.object({
  unit: uuid.optional(),
  kind: kind.default('person'),
  after: z.string().max(200).optional(),
  limit: z.coerce.number().int().min(1).max(500).default(100),
  unindexed: z.literal('true').optional(),
  name: aliasText.optional(), // an id or an alias
})
export const personOut = z
  .object({
    kind,
    id: uuid,
    alias: aliasText,
    unit: uuid,
    version: z.int(),
    indexed: z.boolean(),
    devices: z.array(z.object({ device: uuid, alias: z.string() })),
  })
  .openapi('Person')
export const peopleOut = z.object({ people: z.array(personOut), next: z.string().nullable(), total: z.int() })

export const findIn = z.strictObject({ unit: uuid, tokens: z.array(token).min(1).max(50) })
export const foundOut = z.object({ people: z.array(personOut), more: z.boolean() })

export const releaseIn = z.strictObject({ grant: signedIn, request: text, signature })
export const releasedOut = z
  .object({
    left: z.object({
      grant: z.int(),
      budgets: z.array(z.object({ people: z.int(), seconds: z.int(), left: z.int() })),
    }),
    vault: z.object({ statement: z.string(), signature: z.string() }), // bulkhead-opened/v1, signed by the vault
    records: z.array(
      z.object({
        kind,
        id: uuid,
        version,
        state: z.enum(['ok', 'stale', 'unknown']),
        inner: z.string(), // the half that only the unit's key opens; empty unless `ok`
        statement: z.string(),
        signature: z.string(),
        writer: signedIn.nullable(),
      }),
    ),
  })
  .openapi('Released')

export const eraseIn = z.strictObject({ erasure: signedIn })
export const erasedOut = z.object({ records: z.int(), epoch: z.int() })

export const tokensIn = z.strictObject({
  writer: signedIn,
  statement: text, // bulkhead-tokens/v1, signed by the writer's key
  signature,
})

export const memberKeysOut = z.object({ keys: z.array(signedIn) })
export const shareIn = z.strictObject({
  unit: uuid,
  publicKey: base64(32),
  credential: z.string().max(2000),
  sealed: base64(1024),
})
export const sharesIn = z.strictObject({ shares: z.array(shareIn).min(1).max(1000) })
export const sharesOut = z.object({ shares: z.array(shareIn) })

export const assignIn = z.strictObject({ writer: signedIn, statement: text, signature })
export const assignmentsIn = z.object({ device: uuid.optional(), person: uuid.optional() })
/** The newest of each device, as it was signed. */
export const assignmentsOut = z.object({
  assignments: z.array(
    z.object({
      device: uuid,
      alias: z.string(),
      version: z.int(),
      person: uuid.nullable(),
      statement: z.string(),
      signature: z.string(),
      writer: signedIn.nullable(),
    }),
  ),
})
export { done, MOST_ERASED }
export type Person = z.infer<typeof personOut>
export type People = z.infer<typeof peopleOut>
export type Released = z.infer<typeof releasedOut>
export type Share = z.infer<typeof shareIn>
export type Assignments = z.infer<typeof assignmentsOut>
export type KeysOut = z.infer<typeof keysOut>
