import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { BulkheadError } from '../../base/errors.ts'
import type { KeysOut } from '../../console/people/api.ts'
import { type Import, readPeople } from '../../people/import.ts'
import { openWriterSession } from '../../people/session.ts'
import { openIndex } from '../../people/tokens.ts'
import { BATCH, openReleaseKeys, type Writing, writePeople } from '../../people/write.ts'
import { type Args, text } from '../args.ts'
import { nodeHpke, nodeSessionKey } from '../hpke.ts'
import { say, show } from '../output.ts'
import { type Unlocked, unlock } from './unlock.ts'

/** A table of people into a unit. Read and checked as a whole before anything is sent; sealed here: the server gets ciphertext and search tokens. */
export async function importPeople(args: Args): Promise<number> {
  const file = args.words[0]!
  const country = text(args, 'country')
  const read = await readPeople(readWhole(file), country === undefined ? {} : { country })
  say(`${file}: ${read.rows} people. ${mappingOf(read)}`)
  requireSound(read, file)
  const unlocked = await unlock(args)
  const started = performance.now()
  const people = read.people.map(person => ({ id: randomUUID(), version: 1, person }))
  await writeAll(people, unlocked, done => say(`${done} of ${people.length} people`))
  const seconds = Math.round((performance.now() - started) / 100) / 10
  const { alias, id } = unlocked.unit
  return show(
    args,
    { imported: people.length, unit: id, seconds, people: people.map(person => person.id) },
    () => `${people.length} people in ${alias}, in ${seconds} s.\n`,
  )
}

function readWhole(file: string): Buffer {
  try {
    return readFileSync(file)
  } catch (cause) {
    throw new BulkheadError('NOT_FOUND', `${file} cannot be read.`, { remedy: 'Name a CSV or XLSX file.', cause })
  }
}

const mappingOf = ({ mapping, encoding }: Import) =>
  `${encoding}; ${mapping.map(({ header, column }) => (column === null ? `${header} is left aside` : `${header} is ${column}`)).join(', ')}.`

/** Every line that is wrong at once; nothing was sent. */
function requireSound({ errors, moreErrors, rows }: Import, file: string) {
  if (errors.length > 0) {
    for (const { line, column, message } of errors)
      say(`line ${line}${column === undefined ? '' : `, ${column}`}: ${message}`)
    const count = errors.length + moreErrors
    throw new BulkheadError('BAD_REQUEST', `${file} has ${count} ${count === 1 ? 'mistake' : 'mistakes'}.`, {
      remedy: 'Nothing was imported. Mend these lines and import again.',
    })
  }
  if (rows === 0) throw new BulkheadError('BAD_REQUEST', `${file} has no people.`, { remedy: 'Nothing was imported.' })
}

/**
 * New people, in batches: while one travels the next is sealed. A batch is all or nothing at the server; where a later one fails, what it says
 * how far it came, and everything before is whole.
 */
export async function writeAll(people: Writing[], unlocked: Unlocked, progress: (done: number) => void): Promise<void> {
  const { console, trusted, unit, key, making } = unlocked
  const { genesisDigest } = trusted
  const session = await openWriterSession({ unit: unit.id, key: nodeSessionKey() }, making())
  const index = openIndex(key.privateKey, unit.id, genesisDigest)
  let sending: Promise<unknown> = Promise.resolve()
  let done = 0
  const batches = Array.from({ length: Math.ceil(people.length / BATCH) }, (_, at) =>
    people.slice(at * BATCH, (at + 1) * BATCH),
  )
  const { writer } = session
  const keysFor = (batch: Writing[] | undefined) =>
    batch &&
    console.post<KeysOut>('/api/people/keys', { writer, records: batch.map(({ id }) => ({ kind: 'person', id })) })
  let next = keysFor(batches[0])
  for (const [at, batch] of batches.entries()) {
    const releaseKeys = await openReleaseKeys((await next)!, trusted.roster.keys.voucher, genesisDigest)
    next = keysFor(batches[at + 1])
    next?.catch(() => {}) // awaited at its turn
    const records = await writePeople(batch, {
      session,
      unitKey: key.publicKey,
      releaseKeys,
      genesisDigest,
      hpke: nodeHpke,
      index,
    })
    await sending
    sending = console.post('/api/people/write', { writer, records }).then(() => {
      done += batch.length
      progress(done)
    })
    sending.catch(() => {}) // awaited before the next is sent, and at the end
  }
  await sending.catch(error => {
    if (done > 0) say(`${done} of ${people.length} people were imported before that.`)
    throw error
  })
}
