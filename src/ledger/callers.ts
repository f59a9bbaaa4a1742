import { BulkheadError } from '../base/errors.ts'
import type { Caller, LogName } from './api.ts'

/** Who may append what, and to which log. A type that has no row is nobody's. Reading is everybody's: the tiles are public. */
const ROWS: [type: string, caller: Caller, log: LogName][] = [
  ['delivery', 'edge', 'main'],
  ['acknowledgement', 'edge', 'main'],
  ['refusal', 'edge', 'main'],
  ['certificate', 'vault', 'main'],
  ['consumed', 'vault', 'main'],
  ['release', 'vault', 'main'],
  ['push', 'vault', 'main'],
  ['order', 'console', 'main'],
  ['approval', 'console', 'main'],
  ['invitation', 'console', 'main'],
  ['group', 'console', 'main'],
  ['roster', 'console', 'control'],
  ['cancel', 'console', 'control'],
  ['finding', 'watch', 'main'],
  ['freeze', 'watch', 'control'],
  ['start', 'supervisor', 'main'],
]
const table = new Map(ROWS.map(([type, caller, log]) => [type, { caller, log }]))

/** Types of which there is exactly one entry, under this key: while rosters do not change, there is the genesis and no other. */
const ONLY = new Map([['roster', 'roster:0']])

/** Throws FORBIDDEN unless `caller` may append entries of `type`, with this unique key, to `log`. */
export function assertMayAppend(caller: Caller, log: LogName, type: string, unique: string | undefined): void {
  const row = table.get(type)
  if (row?.caller !== caller || row.log !== log)
    throw new BulkheadError('FORBIDDEN', `${caller} may not append this type of entry to ${log}.`)
  const only = ONLY.get(type)
  if (only !== undefined && unique !== only)
    throw new BulkheadError('FORBIDDEN', `An entry of type ${type} has the unique key ${only} and no other.`)
}
