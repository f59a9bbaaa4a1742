import { BulkheadError } from '../base/errors.ts'
import type { Proposal } from '../console/api.ts'
import { canonical } from '../trust/canonical.ts'
import { ownersNeeded, previousOf } from '../trust/control.ts'
import { decodeRoster, type Roster } from '../trust/roster.ts'
import { type Args, needed } from './args.ts'
import { describeChanges, linesOfRules } from './changes.ts'
import { consoleClient } from './client.ts'
import { nextVersion } from './edit.ts'
import { type Followed, follow } from './follow.ts'
import { freezeCodeLines } from './freezecodes.ts'
import { historyOf } from './history.ts'
import { pairs, say, show, table, when } from './output.ts'
import { loadPasskey } from './passkey.ts'
import { digestOf, findProposal, findProposals, progress, signProposal } from './proposal.ts'

export async function run(args: Args): Promise<number> {
  const verb = args.command.split(' ')[1]
  const known = await follow(args.home)
  if (verb === 'propose') return propose(args, known)
  if (verb === 'approve') return approve(args, known)
  if (verb === 'history') return history(args, known)
  return showNow(args, known)
}

const newest = ({ view }: Followed) => view.control.versions.at(-1)!
const iso = (seconds: number) => new Date(seconds * 1000).toISOString()

/** Everything but the open proposals is worked out here, from the ledger's entries. */
async function showNow(args: Args, known: Followed): Promise<number> {
  const { trusted, view } = known
  const { roster, rules, passkeys } = trusted
  const members = roster.members.map(({ id, alias, roles, passkeys: keys }) => {
    const counts = keys.map(key => passkeys.get(key.id)!.countsFrom)
    const from = counts.length === 0 ? null : Math.min(...counts)
    const waits = from !== null && from > trusted.time
    return {
      id,
      alias,
      roles,
      passkeys: keys.length,
      countsFrom: from === null || from === 0 ? null : iso(from),
      waits,
    }
  })
  const frozen = view.control.freezes.map(({ index, at, by }) => ({ index, at: iso(at), by }))
  const proposals = await findProposals(consoleClient(args.home), 'roster').catch(() => [])
  const open = proposals.map(({ proposal, approvals, needed: of }) => ({ proposal, approvals, needed: of }))
  const shown = {
    version: roster.version,
    time: iso(trusted.time),
    size: view.head.size,
    frozen,
    members,
    policy: rules,
    proposals: open,
    roster,
  }
  return show(args, shown, () =>
    [
      frozen.map(({ at, by }) => `FROZEN since ${at}, by ${by}.\n`).join(''),
      pairs([
        ['version', roster.version],
        ['as of', iso(trusted.time)],
      ]),
      '\n',
      table(
        ['MEMBER', 'ROLES', 'PASSKEYS', 'COUNTS'],
        members.map(one => [
          one.alias,
          one.roles.join(', '),
          one.passkeys,
          one.waits
            ? `from ${one.countsFrom} on`
            : one.countsFrom === null
              ? 'since the genesis'
              : `since ${one.countsFrom}`,
        ]),
      ),
      '\n',
      pairs(Object.entries(linesOfRules(rules))),
      open
        .map(one => `\nOpen proposal ${one.proposal}: ${one.approvals.length} of ${one.needed} approvals.\n`)
        .join(''),
    ].join(''),
  )
}

async function propose(args: Args, known: Followed): Promise<number> {
  const { roster: before, statement: text } = newest(known)
  const { roster: after, codes } = nextVersion(args, before, text)
  const lines = describeChanges(before, after)
  if (codes.length === 0 && lines[0] === 'It changes nothing.')
    throw new BulkheadError('USAGE', 'This changes nothing.', {
      remedy: 'bulkhead roster propose --help shows what can be changed.',
    })
  const statement = canonical(after)
  const made = await consoleClient(args.home).post<Proposal>('/api/proposals', { kind: 'roster', statement })
  const digest = digestOf('roster', statement, known).toString('hex')
  for (const line of codes.length > 0 ? freezeCodeLines(codes) : []) say(line)
  const { proposal } = made
  const shown = {
    proposal,
    version: after.version,
    digest,
    needed: ownersNeeded(known.trusted),
    owners: ownersOf(before),
    changes: lines.map(line => line.trim()),
  }
  return show(args, shown, () =>
    [
      `Version ${after.version} of the roster:\n${lines.join('\n')}\n\n`,
      pairs([
        ['proposal', proposal],
        ['digest', digest],
        ['takes', `${shown.needed} of the owners ${shown.owners.join(', ')}`],
      ]),
      `Approve it with: bulkhead roster approve ${proposal} --digest ${digest} --passkey FILE\n`,
    ].join(''),
  )
}

const ownersOf = ({ members }: Roster) =>
  members.filter(({ roles }) => roles.includes('owner')).map(({ alias }) => alias)

async function approve(args: Args, known: Followed): Promise<number> {
  const passkey = loadPasskey(needed(args, 'passkey'))
  const { statement } = await findProposal(consoleClient(args.home), args.words[0]!, 'roster')
  const before = newest(known)
  const after = decodeRoster(statement)
  if (after.version !== before.roster.version + 1 || after.previous !== previousOf(before.statement))
    throw new BulkheadError(
      'CONFLICT',
      `The roster has version ${before.roster.version} by now: this proposal is overtaken.`,
      {
        remedy: 'Look at it with bulkhead roster show, and propose again.',
      },
    )
  const words = [`Version ${after.version} of the roster:`, ...describeChanges(before.roster, after)]
  const done = await signProposal({ args, known, passkey, kind: 'roster', statement, words })
  const { proposal, state, approvals, needed: of, missing } = done
  return show(args, { proposal, state, version: after.version, approvals, needed: of, missing }, () => progress(done))
}

function history(args: Args, known: Followed): number {
  const versions = historyOf(known)
  return show(args, versions, () =>
    versions
      .map(({ version, at, by, changes }) =>
        [
          `Version ${version}${at === null ? '' : `, ${when(at)}`}${by.length > 0 ? `, approved by ${by.join(', ')}` : ''}`,
          ...changes.map(line => `  ${line}`),
          '',
        ].join('\n'),
      )
      .join('\n'),
  )
}
