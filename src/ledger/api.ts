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
}
