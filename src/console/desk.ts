import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Urls } from '../base/config.ts'
import { BulkheadError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import type { Ledger, LogName } from '../ledger/api.ts'
import { canonical } from '../trust/canonical.ts'
import type { Trusted } from '../trust/roster.ts'
import type { ConsoleVault } from '../vault/client.ts'
import type { Database } from './database.ts'
import { type VoucherReader, voucherReader } from './devices/voucher.ts'

/** What the console asks of the vault. */
export type Vault = Omit<ConsoleVault, 'close'>

/** Everything a route works with. The console holds nothing that decrypts or approves. */
export type Desk = {
  db: Database
  genesis: string // its text, for clients to check
  trusted: Trusted
  vault: Vault
  ledger: Pick<Ledger, 'append' | 'find'>
  urls: Urls
  /** The URL that devices are told. */
  deviceUrl: string
  vouchers: VoucherReader
  log: Log
  now: () => Date
}

export const openDesk = (parts: Omit<Desk, 'vouchers'>): Desk => ({ ...parts, vouchers: voucherReader(parts.trusted) })

/** An entry for the ledger. Its unique key makes a retry harmless: the same entry has one place. */
export type Leaf = { type: string; unique: string; [key: string]: string | number }

/** Returns when all entries are on the ledger's disk. Throws UNAVAILABLE, or CONFLICT where another entry took the place. */
export async function appendLeaves(desk: Desk, log: LogName, leaves: Leaf[]): Promise<void> {
  const entries = leaves.map(leaf => ({ entry: canonical(leaf), unique: leaf.unique }))
  for (const outcome of await desk.ledger.append({ log, entries })) {
    if (!('code' in outcome)) continue
    if (outcome.code === 'CONFLICT')
      throw new BulkheadError('CONFLICT', 'The ledger holds something else in this place.')
    throw new BulkheadError('INTERNAL', 'The ledger refused an entry.', { cause: new Error(outcome.message) })
  }
}

/** Lets others go on during long work: call it with a running count. */
export async function breathe(count: number): Promise<void> {
  if (count % 200 === 199) await nextTurn()
}

export const seconds = (date: Date): number => Math.floor(date.getTime() / 1000)
