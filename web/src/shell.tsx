import { Link, Outlet, useNavigate } from '@tanstack/react-router'
import { useEffect } from 'react'
import { FRESH } from '../../src/trust/follow.ts'
import { Act } from './parts/fields.tsx'
import { signOut, useSession } from './session.ts'
import { softwarePasskey } from './softwarepasskey.ts'
import { useStanding } from './standing.ts'
import { at } from './words.ts'

export const Mark = () => (
  <svg className="mark" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
    <rect width="24" height="24" rx="5" />
    <path d="M6 5v14M18 5v14M6 9h12M6 15h12" />
  </svg>
)

/** The frame of every page behind the sign-in. */
export function Shell() {
  const session = useSession()
  const navigate = useNavigate()
  useEffect(() => {
    if (!session) navigate({ to: '/sign-in' })
  }, [session, navigate])
  if (!session) return null
  return (
    <>
      <header className="bar">
        <Link to="/" className="brand">
          <Mark />
          Bulkhead
        </Link>
        <nav aria-label="Main">
          <Link to="/" activeOptions={{ exact: true, includeSearch: false }}>
            Devices
          </Link>
          <Link to="/people">People</Link>
          <Link to="/orders" activeOptions={{ includeSearch: false }}>
            Orders
          </Link>
          <Link to="/groups">Groups</Link>
          <Link to="/invitations">Invitations</Link>
          <Link to="/roster">Roster</Link>
        </nav>
        <div className="who">
          <span>
            <span className="who-installation">{session.installation.name}</span>
            <span className="who-name">{session.alias}</span>
          </span>
          <Act look="quiet" onPress={() => signOut()}>
            Sign out
          </Act>
        </div>
      </header>
      {softwarePasskey(session.installation) && (
        <aside className="trial" aria-label="For trying out">
          A software passkey signs here: a key in a file, good for trying out, never for real devices.
        </aside>
      )}
      <FrozenBanner />
      <Outlet />
    </>
  )
}

/** On every page: whoever looks at one must see that nothing leaves. */
function FrozenBanner() {
  const { data } = useStanding()
  const [first] = data?.frozen ?? []
  const isFresh = data?.fresh === true && Date.now() - Date.parse(data.time) <= FRESH * 1000 // the last answer may be old by now
  if (data && !first && !isFresh)
    return (
      <p className="frozen" role="status">
        The ledger has not been heard for a while, or the clock of this computer is wrong. Nothing is delivered or
        approved until it is heard.
      </p>
    )
  if (!first) return null
  return (
    <p className="frozen" role="status">
      Frozen since {at(new Date(first.at))}, by {first.by}: nothing is delivered or approved.{' '}
      <Link to="/roster">How to end it</Link>
    </p>
  )
}
