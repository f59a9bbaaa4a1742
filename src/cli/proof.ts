import { readFileSync, writeFileSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'
import { BulkheadError } from '../base/errors.ts'
import type { Inclusion, Ledger, LogName } from '../ledger/api.ts'
import { ledgerClient } from '../ledger/client.ts'
import { cosignatureTime, verifierOf } from '../wire/tlog/cosignature.ts'
import { splitNote } from '../wire/tlog/note.ts'
import { decodeProof, encodeProof, openProof } from '../wire/tlog/proof.ts'
import { type Args, needed, text, whole } from './args.ts'
import { openHome } from './client.ts'
import { readHomeConfig, socketPath } from './home.ts'
import { say, show } from './output.ts'
import { keysOf } from './vkeys.ts'

export const run = async (args: Args): Promise<number> =>
  args.command === 'ledger proof' ? exportProof(args) : verifyProof(args)

/** Writes a C2SP tlog-proof of one entry: of an order, or of the entry at an index. */
async function exportProof(args: Args): Promise<number> {
  openHome(args.home)
  const log = logOf(args)
  const ledger = ledgerClient({ path: socketPath(args.home, 'ledger', 'cli') })
  try {
    const { index, entry } = await findEntry(ledger, log, args.words[0]!)
    const proved = await prove(ledger, log, index, readHomeConfig(args.home).witnesses ?? [])
    const hashes = proved.hashes.map(hash => Buffer.from(hash, 'base64'))
    const proof = encodeProof({ index, hashes, checkpoint: proved.checkpoint! })
    const [out, entryOut] = [text(args, 'out'), text(args, 'entry')]
    if (entryOut !== undefined) writeFileSync(entryOut, entry)
    if (out === undefined) process.stdout.write(proof)
    else writeFileSync(out, proof)
    const witnesses = splitNote(proved.checkpoint!).signatures.length - 2 // the log's and its clock's
    say(
      `Entry ${index} of ${log}, under a checkpoint of ${proved.size} entries that ${count(witnesses, 'witness', 'es')} cosigned.`,
    )
    return out === undefined ? 0 : show(args, { log, index, size: proved.size, witnesses, out }, () => '')
  } finally {
    ledger.close()
  }
}

function logOf(args: Args): LogName {
  const log = text(args, 'log') ?? 'main'
  if (log === 'main' || log === 'control') return log
  throw new BulkheadError('USAGE', `There is no log ${log}.`, { remedy: 'Write --log main or --log control.' })
}

async function findEntry(ledger: Ledger, log: LogName, name: string) {
  if (/^\d{1,15}$/.test(name)) return ledger.entry({ log, index: Number(name) })
  const found = await ledger.find({ log, unique: name.includes(':') ? name : `order:${name}` })
  if (found) return found
  throw new BulkheadError('NOT_FOUND', `The log ${log} has no entry of ${name}.`, {
    remedy: 'An order is logged when it is approved. Give its whole id, or the index of an entry.',
  })
}

const PATIENCE = 30 // tries; a round of the witnesses takes about a second

/** Under the last cosigned head; where the installation has no witness, or none answers, under the newest. */
async function prove(ledger: Ledger, log: LogName, index: number, witnesses: string[]): Promise<Inclusion> {
  for (let tries = witnesses.length > 0 ? PATIENCE : 1; tries > 0; tries--) {
    const proved = await unlessAway(ledger.prove({ log, index, cosigned: true }))
    if (proved) return proved
    if (tries > 1) await wait(200)
  }
  for (let tries = PATIENCE; tries > 0; tries--) {
    const proved = await unlessAway(ledger.prove({ log, index }))
    if (proved?.checkpoint) return proved
    await wait(50)
  }
  throw new BulkheadError('UNAVAILABLE', 'No checkpoint covers this entry yet.', { remedy: 'Try again in a moment.' })
}

async function unlessAway(asked: Promise<Inclusion>): Promise<Inclusion | undefined> {
  try {
    return await asked
  } catch (error) {
    if (error instanceof BulkheadError && error.code === 'UNAVAILABLE') return undefined
    throw error
  }
}

/** Offline, on anybody's machine: nothing but the file, the entry and the keys that one trusts. */
function verifyProof(args: Args): number {
  const [log, ...more] = keysOf(args, 'log', 1)
  if (!log || more.length > 0) throw usage('An entry is in one log.', 'Give one --log VKEY.')
  const witnesses = keysOf(args, 'witness', 4)
  const quorum = whole(args, 'quorum', 0, 100) ?? witnesses.length
  if (quorum > witnesses.length)
    throw usage(`${quorum} of ${witnesses.length} witnesses cannot be.`, 'Give --witness VKEY for each that you trust.')
  const proof = decodeProof(read(args.words[0]!).toString())
  const entry = read(needed(args, 'entry'))
  const { size, root, verified } = openProof(proof, entry, log.name, verifierOf(log), witnesses.map(verifierOf))
  const cosigned = verified
    .filter(line => line.keyId !== log.keyId || line.name !== log.name)
    .map(line => ({ witness: line.name, at: new Date(cosignatureTime(line) * 1000).toISOString() }))
  if (cosigned.length < quorum)
    throw new BulkheadError(
      'UNPROVEN',
      `${count(cosigned.length, 'witness', 'es')} of ${quorum} cosigned this checkpoint.`,
      {
        remedy: 'Ask for a proof under a later checkpoint, or ask why the witnesses do not sign.',
      },
    )
  if (cosigned.length === 0)
    say('No witness was asked for: the log says so, and a captured log could say something else to others.')
  const result = { log: log.name, index: proof.index, size, root: root.toString('base64'), witnesses: cosigned }
  return show(args, result, () =>
    [
      `The entry is number ${proof.index} of ${log.name}, in its tree of ${size} entries.\n`,
      ...cosigned.map(({ witness, at }) => `Cosigned by ${witness} at ${at}\n`),
    ].join(''),
  )
}

const MAX_FILE = 2 * 1024 * 1024

function read(path: string): Buffer {
  try {
    const bytes = readFileSync(path === '-' ? 0 : path)
    if (bytes.length > MAX_FILE) throw new BulkheadError('LIMIT', `${path} is larger than any entry or proof.`)
    return bytes
  } catch (cause) {
    if (cause instanceof BulkheadError) throw cause
    throw new BulkheadError('NOT_FOUND', `${path} cannot be read.`, {
      remedy: 'Name a file, or - for what is piped in.',
      cause,
    })
  }
}

const count = (number: number, one: string, more: string) => `${number} ${one}${number === 1 ? '' : more}`
const usage = (message: string, remedy: string) => new BulkheadError('USAGE', message, { remedy })
