import { useMutation } from '@tanstack/react-query'
import { type FormEvent, useState } from 'react'
import type { Purpose } from '../../../src/people/session.ts'
import { HIDDEN_MINUTES, IDLE_MINUTES, lock, type Opened, useOpened } from '../people/opened.ts'
import { grantFor, PAGE, signGrant } from '../people/reading.ts'
import { isKeyPending, NO_PRF, recover, sealPending, unlock } from '../people/unlock.ts'
import { PURPOSES, purposeWord } from '../peoplewords.ts'
import { useInstallation } from '../session.ts'
import { Act, Line, Pick } from './fields.tsx'
import { Failure, Notice, Part } from './page.tsx'

/** The unit whose key this page may need: the first, until units are more than one. */
const unitOf = ({ units }: ReturnType<typeof useInstallation>) => units[0]!

/** Where the directory is locked: how to open it, and what opening means. */
export function UnlockPart() {
  const me = useInstallation()
  const unit = unitOf(me)
  const [recovering, setRecovering] = useState(false)
  const isPending = isKeyPending()
  const open = useMutation({ mutationFn: () => (isPending ? sealPending(me) : unlock(me, unit.id)), gcTime: 0 })
  if (recovering) return <RecoverPart onDone={() => setRecovering(false)} />
  return (
    <Part
      title="The directory is locked"
      note={`Names are sealed: no server can read them, and neither can this page until your passkey gives it the key of ${unit.alias}.`}
    >
      <ul>
        <li>Unlocking shows nothing by itself. It lets you search, show names for a purpose, and write.</li>
        <li>
          The key stays in the memory of this tab. It goes after {IDLE_MINUTES} minutes without use, after{' '}
          {HIDDEN_MINUTES} out of sight, when you sign out, and when you reload.
        </li>
      </ul>
      {isPending && (
        <Notice tone="warn">
          The key that was made at set-up is still in this tab alone. Seal it to your passkey now; if the tab is closed
          before, the recovery shares open the directory.
        </Notice>
      )}
      <Failure error={open.error} />
      <div className="actions">
        <Act icon="key" isPending={open.isPending} onPress={() => open.mutate()}>
          {isPending ? 'Seal the key to your passkey' : 'Unlock with your passkey'}
        </Act>
        <Act look="quiet" onPress={() => setRecovering(true)}>
          Open it with recovery shares …
        </Act>
      </div>
    </Part>
  )
}

/** For a lost passkey, one without PRF, or a set-up page that was closed too early. */
function RecoverPart({ onDone }: { onDone: () => void }) {
  const me = useInstallation()
  const unit = unitOf(me)
  const needed = unit.recovery?.needed ?? 2
  const [shares, setShares] = useState<string[]>(() => Array.from({ length: needed }, () => ''))
  const open = useMutation({ mutationFn: () => recover(me, unit.id, shares), gcTime: 0 })
  const submit = (event: FormEvent) => {
    event.preventDefault()
    open.mutate()
  }
  return (
    <Part
      title={`Open ${unit.alias} with recovery shares`}
      note={`Any ${needed} of the papers that were printed at set-up give its key back. Fewer say nothing of it. They are typed here and stay in this page; afterwards your passkey opens the unit, and the papers go back to where they were.`}
    >
      <form className="stack" onSubmit={submit}>
        {shares.map((share, at) => (
          <Line
            // biome-ignore lint/suspicious/noArrayIndexKey: shares have no names here
            key={at}
            label={`Share ${at + 1} of ${needed}`}
            help={
              at === 0 ? 'Its lines that begin with >. Spaces, hyphens and small letters do not matter.' : undefined
            }
            value={share}
            onChange={text => setShares(shares.map((one, place) => (place === at ? text : one)))}
            lines
            mono
            isRequired
          />
        ))}
        <Failure error={open.error} />
        <p className="note">
          Your passkey is asked twice: for its own key, and to announce that key to the other members.
        </p>
        <div className="actions">
          <Act type="submit" icon="key" isPending={open.isPending}>
            Open it and seal it to my passkey
          </Act>
          <Act look="quiet" onPress={onDone}>
            Back
          </Act>
        </div>
      </form>
    </Part>
  )
}

/** That it is open, what the grant still allows, and how to lock it. */
export function OpenedPart({ opened, children }: { opened: Opened; children?: React.ReactNode }) {
  const grant = grantFor(opened)
  return (
    <section className="part opened" aria-label="Your grant">
      <div className="opened-head">
        <p>
          <span className="strong">{opened.unit.alias} is unlocked</span>
          <span className="help">It locks itself after {IDLE_MINUTES} minutes without use.</span>
        </p>
        <Act look="quiet" onPress={lock}>
          Lock now
        </Act>
      </div>
      {opened.byPaper && (
        <Notice tone="warn">
          <p className="strong">{NO_PRF.what}</p>
          <p>The directory is open now, and will need the shares again next time. {NO_PRF.remedy}</p>
        </Notice>
      )}
      {grant ? <GrantLeft opened={opened} /> : <GrantForm />}
      {children}
    </section>
  )
}

const hours = (seconds: number) =>
  seconds === 3600 ? 'this hour' : seconds === 86_400 ? 'today' : `in ${seconds / 3600} h`

function GrantLeft({ opened }: { opened: Opened }) {
  const grant = opened.grant!
  const { left, session, purpose, expiresAt } = grant
  const [renewing, setRenewing] = useState(false)
  const until = new Intl.DateTimeFormat('en-GB', { timeStyle: 'short' }).format(expiresAt)
  const rows: [number, string][] = [
    [left?.grant ?? session.most, `of ${session.most} left in this grant`],
    ...(left?.budgets ?? []).map(({ people, seconds, left: still }): [number, string] => [
      still,
      `of ${people} left ${hours(seconds)}`,
    ]),
  ]
  return (
    <>
      <div role="status" aria-label="What is left">
        <ul className="counts">
          {rows.map(([count, words]) => (
            <li key={words}>
              <span className="count">{count}</span> <span className="note">{words}</span>
            </li>
          ))}
        </ul>
      </div>
      <p className="note">
        Your grant is for “{purposeWord(purpose)}”, until {until}. Somebody who was shown before can be shown again, and
        is counted once.{' '}
        {!renewing && (
          <button type="button" className="linked" onClick={() => setRenewing(true)}>
            Sign another one
          </button>
        )}
      </p>
      {renewing && <GrantForm onDone={() => setRenewing(false)} />}
    </>
  )
}

/** One gesture for so many people and one purpose: that is what the ledger will say. */
function GrantForm({ onDone }: { onDone?: () => void }) {
  const me = useInstallation()
  const [purpose, setPurpose] = useState<Purpose>('support')
  const [most, setMost] = useState(String(2 * PAGE))
  const make = useMutation({
    mutationFn: () => signGrant(me, Number(most), purpose),
    onSuccess: () => onDone?.(),
    gcTime: 0,
  })
  const submit = (event: FormEvent) => {
    event.preventDefault()
    make.mutate()
  }
  return (
    <form className="grant" onSubmit={submit}>
      <p className="note">
        To be shown names you sign a grant first: for what, and for how many people at most. Each time names are shown,
        the ledger says who, when, for what and how many, before anything opens. It holds for an hour.
      </p>
      <div className="filters">
        <Pick
          label="For what"
          value={purpose}
          onChange={value => setPurpose(value as Purpose)}
          options={PURPOSES.map(({ purpose: one, word }) => [one, word])}
        />
        <Line
          label="For how many people at most"
          value={most}
          onChange={setMost}
          pattern="[1-9][0-9]{0,2}"
          format="Write a number from 1 to 999."
          isRequired
        />
      </div>
      <Failure error={make.error} />
      <div className="actions">
        <Act type="submit" icon="key" isPending={make.isPending}>
          Sign the grant with your passkey
        </Act>
        {onDone && (
          <Act look="quiet" onPress={onDone}>
            Keep the one I have
          </Act>
        )}
      </div>
    </form>
  )
}

/** Unlocked or not: what stands on top of every page that may show people. */
export function DirectoryGate({ children }: { children?: React.ReactNode }) {
  const opened = useOpened()
  return opened ? <OpenedPart opened={opened}>{children}</OpenedPart> : <UnlockPart />
}
