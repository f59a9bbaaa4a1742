import { BulkheadError } from '../base/errors.ts'
import { decodeVkey, type Vkey } from '../wire/tlog/note.ts'
import { type Args, list } from './args.ts'

/**
 * The verifier keys of an option that may be repeated: of logs (algorithm 1), of which one is needed, or of witnesses (4).
 * Throws USAGE, also for one key under two names: it would count twice.
 */
export function keysOf(args: Args, option: string, algorithm: Vkey['algorithm']): Vkey[] {
  const keys = list(args, option).map(word => decodeKey(word, option))
  const isLog = algorithm === 1
  const remedy = isLog ? 'A log’s keys: bulkhead ledger key' : 'A witness prints its key when it starts.'
  if (isLog && keys.length === 0) throw usage(`bulkhead ${args.command} needs --${option}.`, remedy)
  const other = keys.find(key => key.algorithm !== algorithm)
  if (other) throw usage(`--${option} ${other.name} is a key of the ${isLog ? 'cosigning' : 'log'} kind.`, remedy)
  for (const part of [(key: Vkey) => key.name, (key: Vkey) => key.publicKey.toString('hex')])
    if (new Set(keys.map(part)).size < keys.length) throw usage(`--${option} names the same twice.`, 'Name each once.')
  return keys
}

function decodeKey(word: string, option: string): Vkey {
  try {
    return decodeVkey(word)
  } catch (cause) {
    throw usage(`--${option} ${word} is no verifier key: ${(cause as Error).message}`, 'It is one line: name+id+key.')
  }
}

const usage = (message: string, remedy: string) => new BulkheadError('USAGE', message, { remedy })
