import { BulkheadError } from '../base/errors.ts'
import { canonical, parseCanonical } from '../trust/canonical.ts'
import { object, oneOf, uuid, whole } from '../trust/shape.ts'
import { toBase64 } from './bytes.ts'
import { sessionBytes } from './place.ts'
import type { KnownWriter } from './read.ts'
import { requireSignature, type SignedRecord, type WriterSession } from './session.ts'

/** What a writer's session signs besides records: whose a device is, and search tokens for what was written without. */
async function signed(
  session: WriterSession,
  said: { type: string; [key: string]: unknown },
  genesisDigest: Uint8Array,
): Promise<SignedRecord> {
  const statement = canonical({ ...said, writer: session.id })
  const bytes = sessionBytes(statement, said.type, genesisDigest)
  return { statement, signature: toBase64(await session.key.sign(bytes)) }
}

const ASSIGNMENT = 'bulkhead-assignment/v1'
const assignmentShape = object(
  {
    type: oneOf(ASSIGNMENT),
    device: uuid,
    version: whole(1, 1_000_000_000),
    unit: uuid,
    writer: uuid,
  },
  { person: uuid },
)
/** Without a person the device is nobody's. `version`: one more than its newest assignment has, 1 for the first. */
export type Assigning = { device: string; version: number; person?: string }

export const signAssignment = (session: WriterSession, what: Assigning, genesisDigest: Uint8Array) =>
  signed(session, { type: ASSIGNMENT, unit: session.unit, ...what }, genesisDigest)

export type Assignment = Assigning & { unit: string; unproven?: string }

/** What the server says of a device, with the reason where nobody who may write there has signed it. Throws MALFORMED. */
export async function openAssignment(
  said: SignedRecord,
  writer: KnownWriter | undefined,
  genesisDigest: Uint8Array,
): Promise<Assignment> {
  const { type: _, writer: named, ...assignment } = assignmentShape(parseCanonical(said.statement), 'assignment')
  const unproven = { ...assignment, unproven: 'Nobody who may write here has signed it.' }
  if (!writer || writer.id !== named || writer.unit !== assignment.unit) return unproven
  try {
    await requireSignature(writer.key, said, ASSIGNMENT, genesisDigest)
    return assignment
  } catch (error) {
    if (error instanceof BulkheadError) return unproven
    throw error
  }
}

export type Indexing = { id: string; version: number; tokens: number[] }
/** Search tokens for people that a feeder wrote, who cannot make them. */
export const signTokens = (session: WriterSession, people: Indexing[], genesisDigest: Uint8Array) =>
  signed(
    session,
    { type: 'bulkhead-tokens/v1', records: people.map(one => ({ kind: 'person', ...one })) },
    genesisDigest,
  )
