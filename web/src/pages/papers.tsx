import { Link } from '@tanstack/react-router'
import { type FormEvent, useEffect, useState } from 'react'
import { Act, Line } from '../parts/fields.tsx'
import { Notice, Page } from '../parts/page.tsx'
import { NO_PRF } from '../people/unlock.ts'
import { Mark } from '../shell.tsx'

/** What the set-up page shows this one time. `prf`: whether the passkey said that it can open the directory. */
export type Papers = { codes: string[]; shares: string[]; needed: number; prf: boolean }

/** To be printed: the codes that freeze, and the shares of the directory's key, one a page. A group is typed back from paper before it goes on. */
export function PaperPage({ inventory, made }: { inventory: boolean; made: Papers }) {
  const { shares, prf } = made
  const [proven, setProven] = useState(false)
  const [printed, setPrinted] = useState(false)
  useEffect(() => {
    const ask = (event: Event) => event.preventDefault() // what stands here is shown once
    if (!proven) addEventListener('beforeunload', ask)
    return () => removeEventListener('beforeunload', ask)
  }, [proven])
  return (
    <div className="door">
      <Mark />
      <Page title="Your passkey is made" lead="Bulkhead is running. Print these papers before you go on.">
        {!prf && (
          <Notice tone="warn">
            <p className="strong">{NO_PRF.what}</p>
            <p>
              It signs you in and approves orders all the same. Names in the directory will open with the recovery
              shares alone, each time. {NO_PRF.remedy}
            </p>
          </Notice>
        )}
        {!printed && <Sheets made={made} onPrinted={() => setPrinted(true)} />}
        {proven ? (
          <>
            <p role="status">
              {inventory
                ? 'It is right. Sign in with your passkey now. The inventory order that you asked for comes next: you will see it before you approve it.'
                : 'It is right. Sign in with your passkey now, and invite the first device.'}
            </p>
            <Link to="/sign-in" className="button main">
              Go to the sign-in
            </Link>
          </>
        ) : (
          printed && <TypeBack shares={shares} onProven={() => setProven(true)} onBack={() => setPrinted(false)} />
        )}
      </Page>
    </div>
  )
}

const Sheets = ({ made: { codes, shares, needed }, onPrinted }: { made: Papers; onPrinted: () => void }) => (
  <>
    <section className="part codes paper" aria-labelledby="codes">
      <h2 id="codes">Paper codes that stop everything</h2>
      <p>
        Each of them stops every delivery once, without a passkey: for the day when somebody has to act at once. They
        were made in this browser and are shown this one time. Keep them where a responder finds them.
      </p>
      <ul className="mono">
        {codes.map(code => (
          <li key={code}>{code}</li>
        ))}
      </ul>
    </section>
    <section className="part" aria-labelledby="shares">
      <h2 id="shares">Recovery shares of the directory</h2>
      <p>
        The names of your people are sealed to a key that no server has. Your passkey will open it. If that passkey is
        lost, any {needed} of these {shares.length} papers give the key back; fewer say nothing of it, and without them{' '}
        <span className="strong">nobody can ever read the directory again</span>.
      </p>
      <p>
        Print them, one a page, and give each to another person, or put it into another safe. They are shown this one
        time.
      </p>
      {shares.map(share => (
        <pre key={share} className="mono paper share">
          {share}
        </pre>
      ))}
      <div className="actions">
        <Act onPress={() => window.print()}>Print the codes and the shares</Act>
        <Act look="quiet" onPress={onPrinted}>
          I have printed them
        </Act>
      </div>
    </section>
  </>
)

type Place = { share: number; line: number; group: number; is: string }

/** Any group of any share: who has printed only some of them is likely to be asked for another. */
function somewhere(shares: string[]): Place {
  const places = shares.flatMap((text, share) =>
    text
      .split('\n')
      .filter(line => line.startsWith('>'))
      .flatMap((line, at) =>
        line
          .slice(2)
          .split('-')
          .map((is, group) => ({ share: share + 1, line: at + 1, group: group + 1, is })),
      ),
  )
  return places[crypto.getRandomValues(new Uint32Array(1))[0]! % places.length]!
}

type TypeBackProps = { shares: string[]; onProven: () => void; onBack: () => void }

/** Nothing of them is on the screen any more. */
function TypeBack({ shares, onProven, onBack }: TypeBackProps) {
  const [place] = useState(() => somewhere(shares))
  const [typed, setTyped] = useState('')
  const [wrong, setWrong] = useState(false)
  const submit = (event: FormEvent) => {
    event.preventDefault()
    const letters = typed.trim().toUpperCase().replaceAll('O', '0').replaceAll(/[IL]/g, '1')
    if (letters === place.is) onProven()
    else setWrong(true)
  }
  return (
    <form className="stack" onSubmit={submit}>
      <Line
        label={`From the paper: share ${place.share}, line ${place.line} of its code, group ${place.group}`}
        help="Four letters and digits between hyphens: so that nobody goes on who has not got the papers."
        value={typed}
        onChange={text => {
          setTyped(text)
          setWrong(false)
        }}
        maxLength={8}
        mono
        isRequired
      />
      {wrong && (
        <p className="wrong" role="alert">
          That is not what stands there. Look at share {place.share}, line {place.line} of its code, counting from the
          left.
        </p>
      )}
      <div className="actions">
        <Act type="submit">Go on</Act>
        <Act look="quiet" onPress={onBack}>
          Show them again
        </Act>
      </div>
    </form>
  )
}
