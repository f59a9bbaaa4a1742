import { BulkheadError } from '../../../src/base/errors.ts'
import { type Import, type ImportOptions, readPeople } from '../../../src/people/import.ts'
import type { Person } from '../../../src/people/person.ts'
import { makeSessionKey, type SessionKey, type Signed } from '../../../src/people/session.ts'
import { openIndex } from '../../../src/people/tokens.ts'
import { BATCH, type Written, writePeople } from '../../../src/people/write.ts'
import { browserHpke } from '../hpke.ts'
import type { Bytes } from '../statement.ts'

/**
 * A thread for an import, so that the page stays alive: reads the table, holds its people, and seals them. It has no connection; what it hands
 * out is sealed. It ends with the page that started it, and the plaintext with it.
 */
export type Read = Omit<Import, 'people'>
export type Sealing = {
  writer: { id: string; unit: string; writer: Signed }
  unitKey: Bytes
  unitPrivateKey: Bytes
  genesisDigest: Bytes
  releaseKeys: Map<string, Bytes>
}

let people: { id: string; person: Person }[] = []
let key: SessionKey | undefined
const batchOf = (batch: number) => people.slice(batch * BATCH, (batch + 1) * BATCH)

const tasks = {
  async read(bytes: Bytes, options: ImportOptions): Promise<Read> {
    const { people: found, ...read } = await readPeople(bytes, options)
    people = found.map(person => ({ id: crypto.randomUUID(), person }))
    return read
  },
  /** The public half of the key that signs this import; the other one stays in this thread. */
  async publicKey(): Promise<string> {
    key ??= await makeSessionKey()
    return key.publicKey
  },
  async ids(batch: number): Promise<string[]> {
    return batchOf(batch).map(({ id }) => id)
  },
  async seal(batch: number, { writer, unitPrivateKey, ...using }: Sealing): Promise<Written[]> {
    if (!key) throw new BulkheadError('USAGE', 'No key was made for this import.')
    const index = openIndex(unitPrivateKey, writer.unit, using.genesisDigest)
    const writing = batchOf(batch).map(one => ({ ...one, version: 1 }))
    return writePeople(writing, { ...using, session: { ...writer, key }, hpke: browserHpke, index })
  },
}
export type Tasks = typeof tasks
export type Asked = { number: number; task: keyof Tasks; given: unknown[] }
export type Answered = { number: number } & (
  | { result: unknown }
  | { refused: { code: string; message: string; remedy?: string } }
)

const run = (task: keyof Tasks, given: unknown[]) =>
  (tasks[task] as (...given: unknown[]) => Promise<unknown>)(...given)

addEventListener('message', async ({ data: { number, task, given } }: MessageEvent<Asked>) => {
  try {
    postMessage({ number, result: await run(task, given) } satisfies Answered)
  } catch (error) {
    const known = error instanceof BulkheadError // else nothing of what it says leaves: it could quote the table
    const refused = known
      ? { code: error.code, message: error.message, ...(error.remedy !== undefined && { remedy: error.remedy }) }
      : { code: 'INTERNAL', message: 'The table could not be worked through here.', remedy: 'Use a current browser.' }
    postMessage({ number, refused } satisfies Answered)
  }
})
