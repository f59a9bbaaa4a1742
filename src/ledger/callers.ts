import { BulkheadError } from '../base/errors.ts'
import type { Caller, LogName } from './api.ts'

/** Who may append what, and to which log. A type that has no row is nobody's. Reading is everybody's: the tiles are public. */
const ROWS: [type: string, caller: Caller, log: LogName][] = [
  ['certificate', 'vault', 'main'],
  ['consumed', 'vault', 'main'],
  ['release', 'vault', 'main'],
  ['push', 'vault', 'main'],
  ['writer', 'vault', 'main'],
  ['grant', 'vault', 'main'],
  ['records', 'vault', 'main'],
  ['erasure', 'vault', 'main'],
  ['order', 'console', 'main'],
  ['approval', 'console', 'main'],
  ['invitation', 'console', 'main'],
  ['group', 'console', 'main'],
  ['roster', 'console', 'control'],
  ['freeze', 'console', 'control'],
  ['thaw', 'console', 'control'],
  ['cancel', 'console', 'control'],
  ['finding', 'watch', 'main'],
  ['freeze', 'watch', 'control'],
  ['freeze', 'supervisor', 'control'], // the owner's command line, with a passkey or a paper code, also while the console is away
  ['start', 'supervisor', 'main'],
]

/** Throws FORBIDDEN unless `caller` may append entries of `type` to `log`. What the control log takes is judged by its content as well. */
export function assertMayAppend(caller: Caller, log: LogName, type: string): void {
  if (ROWS.some(row => row[0] === type && row[1] === caller && row[2] === log)) return
  throw new BulkheadError('FORBIDDEN', `${caller} may not append this type of entry to ${log}.`)
}
