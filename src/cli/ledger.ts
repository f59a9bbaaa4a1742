import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { BulkheadError } from '../base/errors.ts'
import type { Roster } from '../console/api.ts'
import { describeFindings, type FsckOptions, fsck } from '../ledger/fsck.ts'
import type { Roster as Members } from '../trust/roster.ts'
import { decodeVkey, publicKeyObject } from '../wire/tlog/note.ts'
import type { Args } from './args.ts'
import { consoleClient, openHome } from './client.ts'
import { dataPath } from './home.ts'
import { show } from './output.ts'

export async function run(args: Args): Promise<number> {
  const verb = args.command.split(' ')[1]
  if (verb === 'key') return keys(args)
  if (verb === 'url') return urls(args)
  return check(args)
}

/** Verifier keys: of the two logs, and of the clock that cosigns their times. */
function keys(args: Args): number {
  const { ledgerMain: main, ledgerControl: control, ledgerClock: clock } = openHome(args.home).roster.keys
  return show(args, { main, control, clock }, () => `${main}\n${control}\n${clock}\n`)
}

async function urls(args: Args): Promise<number> {
  const { ledger } = (await consoleClient(args.home).get<Roster>('/api/roster')).urls
  const found = { main: `${ledger}/main`, control: `${ledger}/control` }
  return show(args, found, () => `${found.main}\n${found.control}\n`)
}

/** Status 1 where anything is wrong: the findings are the result, not an error. */
function check(args: Args): number {
  const { roster } = openHome(args.home)
  const results = (['main', 'control'] as const).map(log => ({ log, ...checkLog(args.home, log, roster) }))
  show(args, { logs: results }, () => results.map(({ log, ...result }) => describeFindings(log, result)).join(''))
  return results.some(({ findings }) => findings.length > 0) ? 1 : 0
}

const never = () => Promise.reject(new BulkheadError('INTERNAL', 'fsck only reads.'))

/** The ledger's files, to be read by one who must not change them. */
const readOnly: FsckOptions['disk'] = {
  read: path => absent(() => readFileSync(path), null),
  list: path => absent(() => readdirSync(path).sort(), []),
  put: never,
  syncFolder: never,
  append: never,
  truncate: never,
  remove: never,
  close: async () => {},
}

function absent<T>(read: () => T, otherwise: T): T {
  try {
    return read()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return otherwise
    throw error
  }
}

function checkLog(home: string, log: 'main' | 'control', { keys, name }: Members) {
  const keyOf = (vkey: string) => publicKeyObject(decodeVkey(vkey).publicKey)
  const key = keyOf(log === 'main' ? keys.ledgerMain : keys.ledgerControl)
  const signing = { origin: `${name}/${log}`, key, clockName: `${name}/clock`, clockKey: keyOf(keys.ledgerClock) }
  try {
    return fsck({ disk: readOnly, dir: join(dataPath(home, 'ledger'), log), log, signing })
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EACCES') throw cause
    throw new BulkheadError('FORBIDDEN', 'The ledger’s files belong to another user.', {
      remedy: 'Run this as the owner of the home.',
    })
  }
}
