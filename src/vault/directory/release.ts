import { BulkheadError } from '../../base/errors.ts'
import {
  type Grant,
  MOST_SEALED,
  openGrant,
  RELEASE_BUDGETS,
  type ReleaseRequest,
  requestShape,
  requireSession,
  type Signed,
} from '../../trust/directory.ts'
import { decodeStatement, sha256Hex } from '../../trust/statement.ts'
import type { Left } from '../api.ts'
import { splitParts } from '../parts.ts'
import { createTurns } from '../turns.ts'
import { openOuter } from './outer.ts'
import { createPatterns } from './patterns.ts'
import { type Needs, requireDistinct, vouchFor } from './records.ts'
import type { Spend } from './spending.ts'

const CLOCKS_DIFFER = 60 // seconds
type Asked = ReleaseRequest['records'][number]
type Ask = { grant: Signed; request: string; signature: string }

/**
 * Opens the outer halves of what a grant's own key asks for. The rule of this file: nothing is opened before the release is within every budget,
 * is in the ledger under the log's signature, and is on the keyring's disk; and a key never leaves.
 *
 * A record is counted where the keyring has that version as the current one, whatever the bytes turn out to be.
 */
export function createRelease(needs: Needs) {
  const { keyring, leaves, trace, clock } = needs
  const turn = createTurns()
  const patterns = createPatterns()

  function decode(ask: Ask) {
    const trusted = needs.trusted()
    const { member, said: grant } = openGrant(ask.grant, clock(), trusted)
    const request = decodeStatement(ask.request, requestShape, 'request')
    if (request.grant !== grant.id) throw new BulkheadError('UNPROVEN', 'The request is for another grant.')
    requireSession(grant.key, ask.request, 'bulkhead-release-request/v1', ask.signature, trusted)
    if (Math.abs(request.at - clock()) > CLOCKS_DIFFER)
      throw new BulkheadError('EXPIRED', `The request is not of the last ${CLOCKS_DIFFER} seconds.`, {
        remedy: "Set this machine's clock, then ask again.",
      })
    requireDistinct(request.records)
    return { member, grant, request, genesisDigest: trusted.genesisDigest }
  }

  const isCurrent = ({ kind, id, version }: Asked, unit: string) => {
    const row = keyring.find({ kind, id })
    return row?.unit === unit && row.version === version
  }

  function decide(member: string, grant: Grant, request: ReleaseRequest, sealed: readonly Buffer[]) {
    const counted = request.records.filter((record, at) => sealed[at]!.length > 0 && isCurrent(record, grant.unit))
    const people = [...new Set(counted.map(({ id }) => keyring.digest(id)))]
    const { id, unit, expiresAt: until } = grant
    const spend: Spend = { grant: id, member, unit, serial: request.serial, at: clock(), until, people }
    try {
      return { spend, left: keyring.spending.check(spend, grant.most, RELEASE_BUDGETS) }
    } catch (error) {
      if (error instanceof BulkheadError && error.code === 'LIMIT')
        trace('release-over-budget', { count: Math.max(1, people.length) })
      throw error
    }
  }

  /** In the ledger with the log's signature when it returns. Throws CONFLICT where that serial was logged for another request. */
  async function log(
    { people, at: _, until, ...of }: Spend,
    ask: Ask,
    { purpose, most }: Grant,
    request: ReleaseRequest,
  ) {
    const { grant, member, unit, serial } = of
    const sum = { grant, member, unit, purpose }
    const unique = `grant:${grant}`
    await leaves.once({
      type: 'grant',
      unique,
      of: sha256Hex(ask.grant.statement),
      member,
      unit,
      purpose,
      most,
      expiresAt: until,
    })
    const { shown, at } = request
    const which = { ...sum, serial, at, shown, count: people.length, people }
    await leaves.once({ type: 'release', what: 'records', unique: `release:records:${grant}:${serial}`, ...which })
  }

  function open({ kind, id, version }: Asked, sealed: Buffer, unit: string, genesis: Buffer) {
    const row = keyring.find({ kind, id })
    if (row?.unit !== unit) return { state: 'unknown' as const, inner: nothing }
    if (row.version !== version || sealed.length === 0) return { state: 'stale' as const, inner: nothing }
    const next = keyring.nextKey(row) // while keys are made anew
    const inner = openOuter(row.key, row, sealed, genesis) ?? (next && openOuter(next, row, sealed, genesis))
    return inner ? { state: 'ok' as const, inner } : { state: 'stale' as const, inner: nothing, unproven: true }
  }

  async function run(ask: Ask, bytes: Buffer) {
    needs.requireOpen()
    const { member, grant, request, genesisDigest } = decode(ask)
    const sealed = splitParts(bytes, request.records.length, MOST_SEALED)
    return await turn(`${member.id}/${grant.unit}`, async () => {
      const { spend, left } = decide(member.id, grant, request, sealed)
      await log(spend, ask, grant, request)
      needs.requireOpen() // a freeze may have come while the ledger wrote
      await keyring.change(() => ({ type: 'spend', spend }))
      const found = request.records.map((record, at) => open(record, sealed[at]!, grant.unit, genesisDigest))
      tell(spend, request, grant, left, found.filter(one => 'unproven' in one).length)
      const states = found.map(({ state }) => state)
      const opened = { type: 'bulkhead-opened/v1', request: sha256Hex(ask.request), states } as const
      const vault = vouchFor(opened, needs.voucher, needs.trusted())
      return { result: { left, records: states, vault }, inner: found.map(({ inner }) => inner) }
    })
  }

  /** `unproven`: current by their rows, and not what was written. */
  function tell(spend: Spend, request: ReleaseRequest, { purpose }: Grant, left: Left, unproven: number) {
    if (unproven > 0) trace('record-unproven', { count: unproven })
    if (!request.shown) trace('release-unseen', { reason: purpose, count: Math.max(1, spend.people.length) })
    const ids = request.records.map(({ id }) => id)
    const who = `${spend.member}/${spend.unit}`
    for (const reason of patterns.see({ who, ids, at: spend.at, budgets: left.budgets }))
      trace('release-pattern', { reason })
  }
  return run
}

const nothing = Buffer.alloc(0)
