import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { type ReactNode, useState } from 'react'
import type { Standing } from '../../../src/trust/standing.ts'
import { call, type Proposal } from '../api.ts'
import { ClassBadge, When } from '../parts/badges.tsx'
import { Act } from '../parts/fields.tsx'
import { Failure, Loading, Notice, Page, Pairs, Part } from '../parts/page.tsx'
import { budgetText, changesOf, continues, rateText, readVersion, span } from '../rosterwords.ts'
import { useInstallation } from '../session.ts'
import { approveStatement, freeze, thawStatement, useStanding } from '../standing.ts'
import { statementDigest, toHex } from '../statement.ts'
import { at } from '../words.ts'

const CLASSES = ['read', 'change', 'trust', 'destroy'] as const

/** Who may approve what, and the one button that stops everything. */
export function RosterPage() {
  const standing = useStanding()
  const proposals = useQuery({
    queryKey: ['proposals'],
    queryFn: ({ signal }) => call<{ proposals: Proposal[] }>('/api/proposals', { signal }),
    refetchInterval: 5_000,
  })
  const error = standing.error ?? proposals.error
  if (!standing.data || !proposals.data)
    return <Page title="Roster">{error ? <Failure error={error} /> : <Loading />}</Page>
  return <Loaded standing={standing.data} proposals={proposals.data.proposals} />
}

type Data = { standing: Standing; proposals: Proposal[] }

function Loaded({ standing, proposals }: Data) {
  const open = proposals.filter(({ kind, state }) => kind === 'roster' && state === 'open')
  return (
    <Page
      title="Roster"
      lead="Members, what they may approve together, and what changed when. A new version takes the owners; what is new or weaker waits before it counts."
    >
      {standing.frozen.length > 0 ? <Thaw standing={standing} proposals={proposals} /> : <Freeze />}
      {open.map(proposal => (
        <RosterProposal key={proposal.proposal} proposal={proposal} standing={standing} />
      ))}
      <Members standing={standing} />
      <Rules standing={standing} />
      <History standing={standing} />
    </Page>
  )
}

/** One gesture that changes what everybody sees next. */
function useGesture<T>(run: (me: ReturnType<typeof useInstallation>) => Promise<T>) {
  const me = useInstallation()
  const queries = useQueryClient()
  return useMutation({ mutationFn: () => run(me), onSettled: () => queries.invalidateQueries() })
}

function Freeze() {
  const gesture = useGesture(freeze)
  return (
    <Part title="Freeze">
      <p>
        Stops every delivery, enrolment and approval at once, on every edge. Phones keep working as they are. One
        responder or owner is enough; ending it takes the owners.
      </p>
      <Failure error={gesture.error} />
      <div>
        <Act look="danger" icon="key" isPending={gesture.isPending} onPress={() => gesture.mutate()}>
          Freeze everything with your passkey
        </Act>
      </div>
    </Part>
  )
}

function Thaw({ standing, proposals }: Data) {
  const me = useInstallation()
  const statement = thawStatement(standing, proposals)
  const known = proposals.find(one => one.statement === statement)
  const gesture = useGesture(who => approveStatement('thaw', statement, who))
  return (
    <Part title="End the freeze">
      <ul>
        {standing.frozen.map(({ index, at: when, by }) => (
          <li key={index}>
            Frozen since {at(new Date(when))}, by <span className="strong">{by}</span>
          </li>
        ))}
      </ul>
      <p>What waits is delivered afterwards. Cancel first what should not leave.</p>
      <Progress proposal={known} />
      <Failure error={gesture.error} />
      {known?.approvals.includes(me.me) ? (
        <Notice tone="good">You agreed. It waits for another owner.</Notice>
      ) : (
        <div>
          <Act icon="key" isPending={gesture.isPending} onPress={() => gesture.mutate()}>
            Agree to the thaw with your passkey
          </Act>
        </div>
      )}
    </Part>
  )
}

function Progress({ proposal }: { proposal: Proposal | undefined }) {
  if (!proposal) return null
  const { approvals, needed, missing } = proposal
  return (
    <p className="note">
      {approvals.length} of {needed} approvals{approvals.length > 0 && `: ${approvals.join(', ')}`}.{' '}
      {approvals.length < needed && `Still to be asked: ${missing.join(', ') || 'nobody'}.`}
    </p>
  )
}

/** What is signed is worked out here from the two statements: the server’s words are not shown. */
function RosterProposal({ proposal, standing }: { proposal: Proposal; standing: Standing }) {
  const me = useInstallation()
  const before = standing.versions.at(-1)!.statement
  const { statement } = proposal
  const fits = useQuery({
    queryKey: ['continues', proposal.proposal, before],
    queryFn: async () => ({
      next: await continues(statement, before),
      digest: toHex(await statementDigest('bulkhead-roster/v1', me.genesisDigest, statement)),
    }),
  })
  const gesture = useGesture(who => approveStatement('roster', statement, who))
  const after = readVersion(statement)
  return (
    <Part title={`Proposed: version ${after.version}`}>
      <ul>
        {changesOf(readVersion(before), after).map(line => (
          <li key={line}>{line}</li>
        ))}
      </ul>
      <p>
        What is new or weaker counts {span(standing.rules.coolingOff)} later; what is stricter, or a member less, at
        once.
      </p>
      <p className="mono breaks">{fits.data?.digest}</p>
      <Progress proposal={proposal} />
      <Failure error={gesture.error} />
      {fits.data?.next === false && <Notice tone="warn">It does not continue the roster that is shown here.</Notice>}
      {proposal.approvals.includes(me.me) ? (
        <Notice tone="good">You approved it. It waits for another owner.</Notice>
      ) : (
        <div>
          <Act
            icon="key"
            isDisabled={fits.data?.next !== true}
            isPending={gesture.isPending}
            onPress={() => gesture.mutate()}
          >
            Approve this version with your passkey
          </Act>
        </div>
      )}
    </Part>
  )
}

function Members({ standing: { members, time } }: { standing: Standing }) {
  const now = Date.parse(time) / 1000
  const counts = (from: number): ReactNode =>
    from === 0 ? 'since the genesis' : `${from > now ? 'counts from' : 'since'} ${at(new Date(from * 1000))}`
  return (
    <Part title="Members">
      <table className="plain">
        <thead>
          <tr>
            <th>Alias</th>
            <th>Roles</th>
            <th>Passkeys</th>
          </tr>
        </thead>
        <tbody>
          {members.map(({ id, alias, roles, passkeys }) => (
            <tr key={id}>
              <td className="strong">{alias}</td>
              <td>{roles.join(', ')}</td>
              <td>
                {passkeys.map(passkey => (
                  <div key={passkey.id}>
                    {passkey.software ? 'software, ' : ''}
                    {counts(passkey.countsFrom)}
                  </div>
                ))}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <p className="note">
        Somebody new makes a passkey at <span className="mono">{`${location.origin}/join`}</span> and gives its public
        part to an owner, who proposes: <span className="mono">bulkhead roster propose --add-member ALIAS=FILE</span>
      </p>
    </Part>
  )
}

function Rules({ standing: { rules } }: { standing: Standing }) {
  const pair = (name: string, value: ReactNode) => ({ key: name, name, value })
  return (
    <Part title="What it takes">
      <table className="plain">
        <thead>
          <tr>
            <th>An order that can</th>
            <th>Approvals</th>
            <th>By</th>
            <th>Budget</th>
          </tr>
        </thead>
        <tbody>
          {CLASSES.map(name => (
            <tr key={name}>
              <td>
                <ClassBadge of={name} />
              </td>
              <td>{rules.quorum[name]}</td>
              <td>{rules.roles[name].join(', ')}</td>
              <td>{rules.budgets[name].map(budgetText).join('; and ') || 'none'}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <Pairs
        rows={[
          pair('New devices', rules.enrol.map(rateText).join('; and ')),
          pair('Roster and thaw', `${Math.max(rules.roster, 1)} or more owners, two where there are two`),
          pair('Longest order', span(rules.longestOrder)),
          pair('What is new or weaker waits', span(rules.coolingOff)),
          pair('Software passkeys', rules.softwarePasskeys ? 'count: an installation for trying out' : 'do not count'),
          pair('Witnesses that a delivery needs', String(rules.cosignatures)),
        ]}
      />
    </Part>
  )
}

function History({ standing: { versions } }: { standing: Standing }) {
  const [all, setAll] = useState(false)
  const lines = versions.map(({ version, at: when, statement, by }, place) => {
    const before = versions[place - 1]
    const changes = before ? changesOf(readVersion(before.statement), readVersion(statement)) : ['The genesis']
    return { version, when, changes, by }
  })
  const shown = all ? lines.toReversed() : lines.toReversed().slice(0, 5)
  return (
    <Part title="History">
      <ul>
        {shown.map(({ version, when, changes, by }) => (
          <li key={version}>
            <span className="strong">Version {version}</span>
            {when > 0 && (
              <>
                , <When time={new Date(when * 1000).toISOString()} />
              </>
            )}
            : {changes.join('; ')}
            {by.length > 0 && `. Approved by ${by.join(', ')}.`}
          </li>
        ))}
      </ul>
      {shown.length < lines.length && (
        <Act look="quiet" onPress={() => setAll(true)}>
          Show all
        </Act>
      )}
      <p className="note">
        Checked in this browser: every version was approved with the passkeys of the owners before it, and the ledger
        has signed the whole of it. The ledger is the one that was seen here before, and has only grown.
      </p>
    </Part>
  )
}
