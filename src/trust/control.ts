import { BulkheadError } from '../base/errors.ts'
import { type Approval, approvalShape, countApprovals, verifyApproval } from './approval.ts'
import { canonical } from './canonical.ts'
import { CLASSES, DEFAULTS, type Policy, type Role, strictest } from './policy.ts'
import { decodeRoster, passkeysOf, type Roster, rosterDigest, type Trusted } from './roster.ts'
import { type Check, digest, listOf, object, oneOf, text, time, uuid, whole } from './shape.ts'
import { decodeStatement, sha256Hex, statementDigest } from './statement.ts'

// The control log, replayed: who is in the roster, whether deliveries are frozen, what was cancelled. Every verifier replays all of it from
// the pinned genesis and comes to the same state; an entry that does not hold is passed over, so that nobody can stop the others with it.
// The ledger asks the same question before it takes an entry.

const nonce = text(/^[0-9a-f]{32}$/, '16 bytes in hex')
const freezeShape = object({ type: oneOf('bulkhead-freeze/v1'), at: time, nonce })
/** Ends every freeze of the control log's first `upTo` entries, and none that came later. */
const thawShape = object({ type: oneOf('bulkhead-thaw/v1'), upTo: whole(0, 1e12), at: time, nonce })
/** `order`: one order. `all`: every order in the first `all` entries of the main log. */
const cancelShape = object({ type: oneOf('bulkhead-cancel/v1'), at: time, nonce }, { order: uuid, all: whole(0, 1e12) })

export const decodeThaw = (statement: string) => decodeStatement(statement, thawShape, 'thaw')
export const decodeCancel = (statement: string) => decodeStatement(statement, cancelShape, 'cancel')
export type ControlKind = 'roster' | 'freeze' | 'thaw' | 'cancel'

/** What members approve of a statement of the control log. */
export const controlDigest = (
  kind: ControlKind,
  statement: string,
  { genesisDigest }: Pick<Trusted, 'genesisDigest'>,
) =>
  kind === 'roster'
    ? rosterDigest(statement, genesisDigest)
    : statementDigest(`bulkhead-${kind}/v1`, genesisDigest, statement)

/** `at`: seconds, set by whoever appends and held against the ledger's clock. `code`: a paper code; `watch`: the rule that fired. */
const entryShape = object(
  { type: oneOf('roster', 'freeze', 'thaw', 'cancel'), unique: text(/^[a-z]+:[0-9a-z:-]{1,100}$/, 'a unique key') },
  {
    at: time,
    version: whole(0, 1_000_000),
    digest,
    statement: ((value, at) =>
      typeof value === 'string' ? value : text(/^$/, 'a statement')(value, at)) as Check<string>,
    approvals: listOf(approvalShape, 20),
    code: text(/^[0-9a-f-]{16,80}$/, 'a paper code'),
    watch: text(/^[a-z0-9-]{1,64}$/, 'a rule'),
  },
)
export type ControlEntry = ReturnType<typeof entryShape>

const LONGEST_PROPOSAL = 30 * 86_400 // seconds between a statement and its entry
const SKEW = 120 // seconds

/** `by`: aliases of the owners whose approvals of it hold. */
type Version = { roster: Roster; statement: string; at: number; index: number; by: string[] }
export type Freeze = { index: number; at: number; by: string }
export type Control = ReturnType<typeof createControl>

/** Begins at the genesis, frozen by nobody. `genesis`: its text, already checked against the pinned digest. */
export function createControl(genesis: string, pinned: Trusted) {
  const versions: Version[] = [{ roster: pinned.roster, statement: genesis, at: 0, index: 0, by: [] }]
  let freezes: Freeze[] = []
  const cancelled = new Set<string>()
  const codes = new Set<string>()
  let cancelledBelow = 0 // index in main
  let size = 0
  let newest = { time: -1, of: -1, trusted: pinned }

  const current = () => versions.at(-1)!

  /** The roster in force at `at`, with what cools off by then. */
  function trustedAt(at: number): Trusted {
    if (newest.time === at && newest.of === size) return newest.trusted
    const policies = policiesAt(versions, at)
    const rules = strictest(policies)
    const since = firstSeen(versions)
    const { roster } = current()
    const passkeys = passkeysOf(roster, (credential, member) => {
      const added = since.get(`${member}/${credential}`)!
      return added === 0 ? 0 : added + rules.coolingOff
    })
    newest = { time: at, of: size, trusted: { ...pinned, roster, passkeys, rules, time: at } }
    return newest.trusted
  }

  /** Changes nothing. Throws what is wrong with an entry; returns how to take it. */
  function judge(entry: ControlEntry, index: number): () => void {
    if (entry.type === 'roster' && entry.version === 0) return judgeGenesis(entry)
    if (entry.at === undefined) throw refused('it has no time')
    const trusted = trustedAt(entry.at)
    if (entry.type === 'freeze') return judgeFreeze(entry, entry.at, index, trusted)
    const { statement, approvals } = entry
    if (statement === undefined || !approvals) throw refused('it has no statement or no approvals')
    if (entry.unique !== `${entry.type}:${entry.type === 'roster' ? entry.version : sha256Hex(statement).slice(0, 32)}`)
      throw refused('its unique key is not its own')
    const signed = controlDigest(entry.type, statement, pinned)
    if (entry.type === 'roster') return judgeVersion(statement, approvals, signed, entry.at, index, trusted)
    if (entry.type === 'thaw') {
      const thaw = decodeThaw(statement)
      requireTimely(thaw.at, entry.at)
      requireMembers(approvals, signed, trusted, ['owner'], ownersNeeded(trusted))
      return () => {
        freezes = freezes.filter(freeze => freeze.index >= thaw.upTo)
      }
    }
    const cancel = decodeCancel(statement)
    requireTimely(cancel.at, entry.at)
    if ((cancel.order === undefined) === (cancel.all === undefined)) throw refused('it cancels one order, or all')
    requireMembers(
      approvals,
      signed,
      trusted,
      ['operator', 'approver', 'responder', 'owner'],
      trusted.rules.quorum.change,
    )
    return () => {
      if (cancel.order !== undefined) cancelled.add(cancel.order)
      else cancelledBelow = Math.max(cancelledBelow, cancel.all!)
    }
  }

  function judgeGenesis({ digest, unique }: ControlEntry): () => void {
    if (unique !== 'roster:0' || digest !== pinned.genesisDigest.toString('hex'))
      throw refused('it names another genesis')
    return () => {}
  }

  function judgeFreeze(
    { statement, approvals, code, watch, unique }: ControlEntry,
    at: number,
    index: number,
    trusted: Trusted,
  ) {
    const took = (by: string) => () => void freezes.push({ index, at, by })
    if (watch !== undefined) return took(`watch: ${watch}`)
    if (code !== undefined) {
      const hash = sha256Hex(code)
      if (unique !== `freeze:${hash}`) throw refused('its unique key is not that of its code')
      if (codes.has(hash) || !(trusted.roster.policy.freezeCodes ?? []).includes(hash))
        throw refused('the paper code is not one of the roster, or was used')
      return () => {
        codes.add(hash)
        took('a paper code')()
      }
    }
    if (statement === undefined || approvals?.length !== 1) throw refused('nobody signed it')
    // Otherwise one that was ended could be brought back under another key, by whoever has seen it.
    if (unique !== `freeze:${sha256Hex(statement).slice(0, 32)}`) throw refused('its unique key is not its own')
    requireTimely(decodeStatement(statement, freezeShape, 'freeze').at, at)
    const member = verifyApproval(approvals[0]!, controlDigest('freeze', statement, pinned), trusted)
    if (!member.roles.some(role => role === 'responder' || role === 'owner'))
      throw refused(`${member.alias} is not a responder`)
    return took(member.alias)
  }

  function judgeVersion(
    statement: string,
    approvals: Approval[],
    signed: Buffer,
    at: number,
    index: number,
    trusted: Trusted,
  ) {
    const roster = decodeRoster(statement)
    const before = current()
    if (roster.version !== before.roster.version + 1 || roster.previous !== previousOf(before.statement))
      throw refused('it does not continue the roster')
    requireTimely(roster.createdAt, at)
    requireSound(roster, before.roster)
    const by = requireMembers(approvals, signed, trusted, ['owner'], ownersNeeded(trusted)).map(({ alias }) => alias)
    return () => void versions.push({ roster, statement, at, index, by })
  }

  return {
    get size() {
      return size
    },
    get freezes(): readonly Freeze[] {
      return freezes
    },
    get versions(): readonly Version[] {
      return versions
    },
    trustedAt,
    isCancelled: (order: string, index: number) => cancelled.has(order) || index < cancelledBelow,
    /** Throws UNPROVEN, MALFORMED or REFUSED where the next entry would be passed over. */
    check: (entry: string) => void judge(decodeStatement(entry, entryShape, 'entry'), size),
    /** Takes the next entry; returns why it was passed over, if it was. */
    apply(entry: string): string | undefined {
      try {
        judge(decodeStatement(entry, entryShape, 'entry'), size)()
        return undefined
      } catch (error) {
        return error instanceof Error ? error.message : String(error)
      } finally {
        size++
      }
    },
  }
}

/** What the next version names as the one before it. */
export const previousOf = (statement: string): string => sha256Hex(statement)

/** How many owners a roster version or a thaw takes: what the roster says, and never fewer than two where there are two. */
export function ownersNeeded({ roster, rules }: Trusted): number {
  const owners = roster.members.filter(({ roles }) => roles.includes('owner')).length
  return Math.max(rules.roster, Math.min(2, owners))
}

function requireMembers(approvals: Approval[], signed: Buffer, trusted: Trusted, roles: Role[], quorum: number) {
  const { members, refusals } = countApprovals(approvals, signed, trusted, roles)
  if (members.length < quorum)
    throw new BulkheadError('UNPROVEN', `${members.length} of ${quorum} approvals hold. ${refusals.join(' ')}`.trim())
  return members
}

function requireTimely(at: number, logged: number) {
  if (at > logged + SKEW) throw refused('it is from the future')
  if (at < logged - LONGEST_PROPOSAL) throw refused('it has expired')
}

/** A version changes members, policy, units and standing orders; and somebody must be able to change it again. */
export function requireSound(roster: Roster, before: Roster) {
  for (const part of ['name', 'app', 'keys'] as const)
    if (canonical(roster[part]) !== canonical(before[part])) throw refused(`a version cannot change the ${part}`)
  const aliases = new Set(roster.members.map(({ alias }) => alias))
  const ids = new Set(roster.members.map(({ id }) => id))
  if (aliases.size !== roster.members.length || ids.size !== roster.members.length)
    throw refused('two members have one id or alias')
  passkeysOf(roster, () => 0)
  const owners = roster.members.filter(({ roles, passkeys }) => roles.includes('owner') && passkeys.length > 0).length
  if (owners < Math.max(1, roster.policy.quorum.roster ?? 1))
    throw refused('it leaves too few owners to change it ever again')
  for (const name of CLASSES)
    if ((roster.policy.roles ?? DEFAULTS.roles)[name].length === 0) throw refused(`nobody could approve ${name}`)
  if ((roster.policy.cosignatures ?? 0) > (roster.policy.witnesses ?? []).length)
    throw refused('it asks for more cosignatures than it names witnesses')
}

/** The newest policy, and each replaced one for as long as the cooling-off in force when it was replaced: whichever is strictest counts. */
function policiesAt(versions: Version[], at: number): Policy[] {
  let held: { policy: Policy; until: number }[] = []
  for (const [n, { roster, at: since }] of versions.entries()) {
    held = held.filter(({ until }) => until > since)
    const before = versions[n - 1]?.roster.policy
    if (before) {
      const { coolingOff } = strictest([...held.map(({ policy }) => policy), before])
      held.push({ policy: before, until: since + coolingOff })
    }
    if (n === versions.length - 1)
      return [...held.filter(({ until }) => until > at).map(({ policy }) => policy), roster.policy]
  }
  return []
}

/** When each passkey came to its member for good. One that was away, was changed or got a role more starts again. */
function firstSeen(versions: Version[]): Map<string, number> {
  let since = new Map<string, { at: number; is: string; roles: readonly string[] }>()
  for (const { roster, at } of versions)
    since = new Map(
      roster.members.flatMap(({ id, roles, passkeys }) =>
        passkeys.map(passkey => {
          const key = `${id}/${passkey.id}`
          const is = canonical(passkey)
          const before = since.get(key)
          const same = before?.is === is && roles.every(role => before.roles.includes(role))
          return [key, { at: same ? before.at : at, is, roles }] as const
        }),
      ),
    )
  return new Map([...since].map(([key, { at }]) => [key, at]))
}

const refused = (why: string) => new BulkheadError('REFUSED', `The entry of the control log does not count: ${why}.`)
