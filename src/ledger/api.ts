/** The ledger's contract: what callers send and get, over their own socket. Binary values travel in base64. */

export type LogName = 'main' | 'control'
export type Caller = 'console' | 'edge' | 'supervisor' | 'vault' | 'watch'

/**
 * `entry`: a JSON object in RFC 8785 form, at most MAX_ENTRY bytes, with a string `type` that callers.ts lets the caller append.
 * An entry that must happen once carries a string `unique` inside itself, which begins with its type and a colon:
 * "consumed:inv_1". `unique` beside the entry may repeat it, and is then compared.
 */
export type NewEntry = { entry: string; unique?: string }
export const MAX_ENTRY = 16 * 1024
/** Versions of the roster are whole in their entries; a bundle holds no longer ones (C2SP tlog-tiles: uint16). */
export const MAX_CONTROL_ENTRY = 65_000
export const MAX_BATCH = 1000

/** The entry is on disk. `promise`: an append promise (wire/tlog/promise.ts). The same entry with the same unique key gets its first index again. */
export type Appended = { index: number; leafHash: string; promise: string }
/** CONFLICT: another entry, at `index`, has used up the unique key. */
export type Conflict = { code: 'CONFLICT'; index: number }
export type Refusal = { code: 'BAD_REQUEST' | 'FORBIDDEN' | 'LIMIT'; message: string }
export type Outcome = Appended | Conflict | Refusal

/** `checkpoint`: the signed checkpoint of `size`, where that is still the newest or the last cosigned one. */
export type Inclusion = { index: number; size: number; leafHash: string; hashes: string[]; checkpoint: string | null }
export type Consistency = { from: number; to: number; hashes: string[] }
export type Logged = { index: number; entry: string; leafHash: string }

/** Entries by their unique keys, in the order asked, all under one checkpoint; null where there is none under it. */
export type Proofs = { checkpoint: string; size: number; proofs: ({ index: number; hashes: string[] } | null)[] }
/** The control log from one entry on, as far as the newest checkpoint; of many entries only the first ones. */
export type ControlPage = { checkpoint: string; entries: string[] }

/** One command for one device. `counted`: whether it uses up a budget. */
export type Delivery = { command: string; order: string; device: string; class: string; counted: boolean }
/** `granted`: for the first time. `again`: granted before, and the device has not answered. `answered`: it has. `budget`: not now. */
export type Verdict = 'granted' | 'again' | 'answered' | 'budget'
/**
 * `statement` names every command that may go out, `signature` is the main log's over PERMITS_PREFIX and it, base64. `unknown`: the answered
 * commands that nobody granted.
 */
export type Permits = { verdicts: Verdict[]; unknown: string[]; statement: string; signature: string }
export const PERMITS_PREFIX = 'bulkhead/permits/v1\n'
export const MAX_DELIVERIES = 1000

/**
 * Every method throws BulkheadError: BAD_REQUEST for parameters of the wrong shape, UNAVAILABLE where the ledger cannot write.
 * `append`: one outcome for each entry, in order; a refused entry does not hold up the others.
 * `prove`, `consistency`: up to the newest checkpoint. An entry that no checkpoint covers yet: UNAVAILABLE; none at all: NOT_FOUND.
 * `find`: null where the key was never used.
 * `cosigned`: under the last head that witnesses have signed instead of the newest; UNAVAILABLE where none does, or not yet.
 */
export type Ledger = {
  append(params: { log: LogName; entries: NewEntry[] }): Promise<Outcome[]>
  checkpoint(params: { log: LogName; cosigned?: boolean }): Promise<{ checkpoint: string }>
  prove(params: { log: LogName; index: number; size?: number; cosigned?: boolean }): Promise<Inclusion>
  consistency(params: { log: LogName; from: number; to: number }): Promise<Consistency>
  entry(params: { log: LogName; index: number }): Promise<Logged>
  find(params: { log: LogName; unique: string }): Promise<Logged | null>
  proofs(params: { keys: string[]; cosigned?: boolean }): Promise<Proofs>
  control(params: { from: number }): Promise<ControlPage>
  /**
   * For edges alone. First the commands that devices `answered`, which are never granted again; then the deliveries, each granted once, on
   * however many edges. All of it is on disk when it returns.
   */
  deliver(params: { deliveries: Delivery[]; answered: string[] }): Promise<Permits>
}
