import { useMutation, useQuery } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import { findInstallation } from '../installation.ts'
import { Act, Line, Tick } from '../parts/fields.tsx'
import { Failure, Loading, Page } from '../parts/page.tsx'
import { makeMemberPasskey } from '../passkey.ts'
import { Mark } from '../shell.tsx'

export const ATTESTED = 'Keep the maker’s certificate with it (attestation)'
export const ATTESTED_HELP =
  'For a roster that is to accept certain security keys alone, now or later. It tells the model, and most passkeys of phones and browsers have none.'

/** For somebody who wants to become a member: the passkey stays here, its public part is handed to an owner. Nothing is sent. */
export function JoinPage() {
  const installation = useQuery({ queryKey: ['join'], queryFn: findInstallation, retry: 1 })
  const [alias, setAlias] = useState('')
  const [attested, setAttested] = useState(false)
  const make = useMutation({ mutationFn: () => makeMemberPasskey(installation.data!, alias, attested) })
  const submit = (event: FormEvent) => {
    event.preventDefault()
    make.mutate()
  }
  const text = make.data && JSON.stringify(make.data, null, 2)
  return (
    <div className="door">
      <Mark />
      <Page title="Become a member" lead="Make a passkey, and give its public part to an owner.">
        <Failure error={installation.error ?? make.error} />
        {!installation.data && !installation.error && <Loading />}
        {installation.data && !text && (
          <form className="stack" onSubmit={submit}>
            <Line
              label="Your alias"
              help="Small letters, digits and hyphens. It is public: it names nobody."
              value={alias}
              onChange={setAlias}
              pattern="[a-z0-9][a-z0-9\-]{0,62}"
              isRequired
            />
            {installation.data.authenticators.length > 0 ? (
              <p className="note">
                Only authenticators that the roster lists are accepted here. The browser may ask whether this page may
                see the model of yours: allow it.
              </p>
            ) : (
              <Tick isSelected={attested} onChange={setAttested} help={ATTESTED_HELP}>
                {ATTESTED}
              </Tick>
            )}
            <Act type="submit" icon="key" isPending={make.isPending}>
              Make a passkey
            </Act>
          </form>
        )}
        {text && (
          <>
            <p>
              This is its public part, and holds no secret. Give it to an owner, who proposes you as a member; two
              owners approve, and after the cooling-off time you can sign in.
            </p>
            <pre className="mono breaks">{text}</pre>
            <a
              className="button main"
              download={`${alias}.public.json`}
              href={`data:application/json,${encodeURIComponent(text)}`}
            >
              Save it as a file
            </a>
          </>
        )}
      </Page>
    </div>
  )
}
