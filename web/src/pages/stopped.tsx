import { Link, Outlet } from '@tanstack/react-router'
import { Refusal } from '../api.ts'
import { type Halt, useHalt } from '../halt.ts'
import { forgetInstallation } from '../installation.ts'
import { Act } from '../parts/fields.tsx'
import { Failure, Notice, Page, Part } from '../parts/page.tsx'
import { forgetHeads } from '../remembered.ts'

/** Where nothing else can be shown: the installation is away, has no owner, or is not the one that is known. */
export function StoppedPage({ error }: { error: unknown }) {
  const code = error instanceof Refusal ? error.code : ''
  if (code === 'GENESIS_CHANGED' || code === 'GENESIS_FOREIGN')
    return <ChangedPage error={error} isOurs={code === 'GENESIS_CHANGED'} />
  return (
    <Page title={code === 'NOT_INITIALISED' ? 'Not set up yet' : 'Bulkhead cannot go on'}>
      {code === 'NOT_INITIALISED' ? (
        <p className="lead">
          Nobody owns this installation yet. Open the link that <code>bulkhead up</code> printed in the terminal: it
          holds a code that only you have seen.
        </p>
      ) : (
        <>
          <Failure error={error} />
          <Act onPress={() => location.reload()}>Try again</Act>
        </>
      )}
    </Page>
  )
}

function ChangedPage({ error, isOurs }: { error: unknown; isOurs: boolean }) {
  const forget = () => {
    forgetInstallation()
    location.assign('/sign-in')
  }
  return (
    <Page title="Stop: this is another installation">
      <Failure error={error} />
      {isOurs ? (
        <Act look="danger" onPress={forget}>
          I made a new installation here: forget the old one
        </Act>
      ) : (
        <Act onPress={() => location.reload()}>Look again</Act>
      )}
    </Page>
  )
}

/** Every page, for as long as the ledger is the one that this browser knows. */
export function UnlessHalted() {
  const halt = useHalt()
  return halt ? <HaltedPage halt={halt} /> : <Outlet />
}

/** What happened, what it can mean, what to do; and what others need to compare. Nothing can be signed from here. */
function HaltedPage({ halt: { reason, remembered, shown } }: { halt: Halt }) {
  const forget = () => {
    forgetHeads()
    location.reload()
  }
  const seen = (['control', 'main'] as const).flatMap(log => {
    const head = remembered[log]
    return head ? [`${log}: ${head.size} entries, root ${head.root}`] : []
  })
  return (
    <Page title="Stop: this ledger cannot be believed" lead="This page has stopped. Nothing can be approved from it.">
      <Notice tone="warn">
        <p className="strong">{reason.message}</p>
        <p>
          What the server shows of the roster and the ledger is not what was signed, or not what this browser has seen
          before. Either somebody is rewriting history, to you or to everybody; or the ledger was put back from a backup
          that is older than what was seen here.
        </p>
      </Notice>
      <Part title="What to do">
        <ol>
          <li>Approve nothing, here or on the command line, and tell the other members by another way.</li>
          <li>Compare what they see with what stands below: two browsers that saw different ledgers are the proof.</li>
          <li>
            On the server, hold it against its own files, a mirror or a witness:{' '}
            <span className="mono">bulkhead ledger fsck</span>, <span className="mono">bulkhead roster history</span>
          </li>
          <li>Only where you know that it was restored on purpose, and by whom: forget what was seen here.</li>
        </ol>
        <div className="stack">
          <Act onPress={() => location.reload()}>Look again</Act>
          {seen.length > 0 && (
            <Act look="danger" onPress={forget}>
              It was restored on purpose: forget what was seen here
            </Act>
          )}
        </div>
      </Part>
      <Part title="What this browser has seen">
        <pre className="mono breaks">{seen.join('\n') || 'Nothing yet: this was the first look.'}</pre>
        <h3>What is shown now</h3>
        <pre className="mono breaks">{shown.join('\n')}</pre>
      </Part>
    </Page>
  )
}

export const NowherePage = () => (
  <Page title="There is nothing here" lead="The address may be mistyped, or belong to something that is gone.">
    <Link to="/" className="button main">
      Go to the devices
    </Link>
  </Page>
)
