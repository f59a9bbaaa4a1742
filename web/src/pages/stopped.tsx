import { Link } from '@tanstack/react-router'
import { Refusal } from '../api.ts'
import { forgetInstallation } from '../installation.ts'
import { Act } from '../parts/fields.tsx'
import { Failure, Page } from '../parts/page.tsx'

/** Where nothing else can be shown: the installation is away, has no owner, or is not the one that is known. */
export function StoppedPage({ error }: { error: unknown }) {
  const code = error instanceof Refusal ? error.code : ''
  if (code === 'GENESIS_CHANGED') return <ChangedPage error={error} />
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

function ChangedPage({ error }: { error: unknown }) {
  const forget = () => {
    forgetInstallation()
    location.assign('/sign-in')
  }
  return (
    <Page title="Stop: this is another installation">
      <Failure error={error} />
      <Act look="danger" onPress={forget}>
        I made a new installation here: forget the old one
      </Act>
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
