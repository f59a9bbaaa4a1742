import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Urls } from '../base/config.ts'
import { BulkheadError } from '../base/errors.ts'
import type { Log } from '../base/log.ts'
import type { Ledger, LogName, Refusal } from '../ledger/api.ts'
import { requireThawed, trustedNow } from '../ledger/client.ts'
import { canonical } from '../trust/canonical.ts'
import type { ControlView } from '../trust/follow.ts'
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
  /** The genesis: what no later version changes, which is name, app and keys. */
  pinned: Trusted
  /** The control log as far as it was read. */
  control: ControlView
  /** The roster as it is now. Throws UNAVAILABLE before the control log was read. */
  readonly trusted: Trusted
  vault: Vault
  ledger: Pick<Ledger, 'append' | 'checkpoint' | 'consistency' | 'control' | 'find'>
  urls: Urls
  /** The URL that devices are told. */
  deviceUrl: string
  vouchers: VoucherReader
  log: Log
  /** Tells watch. */
  trace: (code: string) => void
  now: () => Date
}

export const openDesk = (parts: Omit<Desk, 'vouchers' | 'trusted'>): Desk => ({
  ...parts,
  vouchers: voucherReader(parts.pinned),
  get trusted() {
    return trustedNow(parts.control)
  },
})

/** Before an approval is taken that makes something happen. What freezes, thaws, cancels or changes the roster does not ask. */
export const requireOpen = (desk: Desk) => requireThawed(desk.control, seconds(desk.now()))

/** An entry for the ledger. Its unique key makes a retry harmless: the same entry has one place. */
export type Leaf = { type: string; unique: string; [key: string]: unknown }

/** Where they stand, when all entries are on the ledger's disk. Throws UNAVAILABLE, or CONFLICT where another entry took the place. */
export async function appendLeaves(desk: Desk, log: LogName, leaves: Leaf[]): Promise<number[]> {
  const entries = leaves.map(leaf => ({ entry: canonical(leaf), unique: leaf.unique }))
  return (await desk.ledger.append({ log, entries })).map(outcome => {
    if (!('code' in outcome)) return outcome.index
    if (outcome.code === 'CONFLICT')
      throw new BulkheadError('CONFLICT', 'The ledger holds something else in this place.')
    // FORBIDDEN: its own reason, such as a passkey that counts backwards. The control log judges what it takes, and says why not.
    if (outcome.code === 'FORBIDDEN' || log === 'control') throw refusal(outcome)
    throw new BulkheadError('INTERNAL', 'The ledger refused an entry.', { cause: new Error(outcome.message) })
  })
}

const refusal = ({ code, message }: Refusal) =>
  code === 'FORBIDDEN'
    ? new BulkheadError('FORBIDDEN', message, {
        remedy:
          'If nobody can have copied the passkey, use another one of this member; else remove it from the roster.',
      })
    : new BulkheadError('REFUSED', message)

/** Lets others go on during long work: call it with a running count. */
export async function breathe(count: number): Promise<void> {
  if (count % 200 === 199) await nextTurn()
}

export const seconds = (date: Date): number => Math.floor(date.getTime() / 1000)
