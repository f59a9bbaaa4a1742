import { setImmediate as breathe } from 'node:timers/promises'
import type { Keyring } from './keyring.ts'
import { openOuter, sealOuter } from './outer.ts'
import type { Place, Row } from './rows.ts'

/** The database's half of it. Rows prove nothing: what does not open as what was written stays as it is. */
export type SealedRows = {
  /** The sealed bytes of these versions, in their order; undefined where there is no such row. */
  read(records: { kind: string; id: string; version: number }[]): Promise<(Buffer | undefined)[]>
  /** In the place of the present ones, where that version is still there. */
  write(records: { kind: string; id: string; version: number; sealed: Buffer }[]): Promise<void>
}
/** `missing`: without a row; `unopened`: with another one than was written. Those keep their keys, for what may be restored. */
export type Rewrapped = { wrapped: number; missing: number; unopened: number; epoch: number }
type Options = {
  keyring: Keyring
  rows: SealedRows
  random: (size: number) => Buffer
  genesisDigest: Buffer
  /** Begins anew, instead of going on where an earlier run ended. */
  anew?: boolean
  progress?: (done: number, of: number) => void
  /** Records at a time. */
  batch?: number
}

const SLICE = 25 // between two of them the vault answers others

/**
 * After a break-in into the vault: a new release key for every record, and every outer half wrapped again. Whoever copied the keyring before opens
 * nothing that is read from the database afterwards.
 *
 * In each batch the new keys are on the keyring's disk before a row is sealed to them, and take the place of the old ones after the rows are
 * stored; in between both open it. So it can be killed anywhere and goes on. Writers' signatures cover the inner half and hold as they are; who
 * was handed a key before is told to ask for the new one. The last step is a new epoch, which destroys the old keys.
 */
export async function rewrap(options: Options): Promise<Rewrapped> {
  const { keyring, anew = false, progress, batch = 500 } = options
  if (anew || keyring.due().length === 0)
    await keyring.changeForGood(() => ({ type: 'renew', below: keyring.epoch + 1 }))
  const due = keyring.due()
  const sum: Rewrapped = { wrapped: 0, missing: 0, unopened: 0, epoch: 0 }
  for (let at = 0; at < due.length; at += batch) {
    await rewrapBatch(due.slice(at, at + batch), options, sum)
    progress?.(Math.min(at + batch, due.length), due.length)
  }
  sum.epoch = await keyring.changeForGood(() => ({ type: 'renew', below: keyring.renewBelow }))
  return sum
}

async function rewrapBatch(places: Place[], options: Options, sum: Rewrapped) {
  const { keyring, rows } = options
  await prepare(places, options)
  const records = places.flatMap(place => keyring.find(place) ?? []) // what was erased since is not there
  const found = await rows.read(records.map(({ kind, id, version }) => ({ kind, id, version })))
  const wrapped: Wrapped[] = []
  for (const [at, place] of records.entries()) {
    if (at % SLICE === 0) await breathe()
    const [record, next] = [keyring.find(place), keyring.nextKey(place)]
    if (!record || !next) continue // erased in the meantime, or written anew and to the new key
    const one = found[at] && wrapOne(record, next, found[at], options.genesisDigest)
    if (one) wrapped.push(one)
    else sum[found[at] ? 'unopened' : 'missing']++
  }
  const fresh = wrapped.flatMap(({ record: { kind, id, version }, sealed }) =>
    sealed ? { kind, id, version, sealed } : [],
  )
  await rows.write(fresh)
  sum.wrapped += await settle(
    wrapped.map(({ record }) => record),
    keyring,
  )
}

/** `sealed`: undefined where the row was stored by a run that ended there. */
type Wrapped = { record: Row; sealed: Buffer | undefined }
function wrapOne(record: Row, next: Buffer, before: Buffer, genesisDigest: Buffer): Wrapped | undefined {
  const inner = openOuter(record.key, record, before, genesisDigest)
  if (inner) return { record, sealed: sealOuter(next, record, inner, genesisDigest) }
  return openOuter(next, record, before, genesisDigest) && { record, sealed: undefined }
}

function prepare(places: Place[], { keyring, random }: Options): Promise<void> {
  return keyring.change(() => {
    const without = places.filter(place => keyring.find(place) && !keyring.nextKey(place))
    if (without.length === 0) return undefined
    return { type: 'next', keys: without.map(place => ({ place, key: random(32) })) }
  })
}

/** The new keys take the place of the old ones. How many. */
async function settle(places: Place[], keyring: Keyring): Promise<number> {
  let count = 0
  await keyring.change(() => {
    const renewed = places.flatMap(place => {
      const [row, key] = [keyring.find(place), keyring.nextKey(place)]
      return row && key ? { ...row, key, made: keyring.epoch } : []
    })
    count = renewed.length
    return count > 0 ? { type: 'rows', rows: renewed } : undefined
  })
  return count
}
