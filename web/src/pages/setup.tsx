import type { PublicKeyCredentialCreationOptionsJSON } from '@simplewebauthn/browser'
import { useMutation, useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { type FormEvent, useState } from 'react'
import { call, Refusal } from '../api.ts'
import { hashesOf, makeFreezeCodes } from '../freezecodes.ts'
import { findInstallation, forgetInstallation } from '../installation.ts'
import { Act, Line, Tick } from '../parts/fields.tsx'
import { Icon } from '../parts/icons.tsx'
import { Failure, Page } from '../parts/page.tsx'
import { makePasskey } from '../passkey.ts'
import { Mark } from '../shell.tsx'
import { ATTESTED, ATTESTED_HELP } from './join.tsx'
import { StoppedPage } from './stopped.tsx'

const INVENTORY = 'bulkhead.inventory' // asked for at set-up, to be drafted and approved after the first sign-in

export const isInventoryWanted = () => sessionStorage.getItem(INVENTORY) !== null
export const inventoryIsDrafted = () => sessionStorage.removeItem(INVENTORY)

type Wanted = { code: string; alias: string; inventory: boolean; attested: boolean }

/** The first page of all: one passkey, which the genesis then names. */
export function SetupPage() {
  const [wanted, setWanted] = useState<Wanted>({
    code: location.hash.slice(1),
    alias: 'owner',
    inventory: false,
    attested: false,
  })
  const owned = useQuery({ queryKey: ['owned'], queryFn: isOwned, retry: false })
  const set = useMutation({ mutationFn: setUp })
  if (set.isSuccess) return <DonePage inventory={wanted.inventory} codes={set.data} />
  if (owned.data === true) return <OwnedPage />
  if (owned.isError) return <StoppedPage error={owned.error} />
  const submit = (event: FormEvent) => {
    event.preventDefault()
    set.mutate(wanted)
  }
  return (
    <div className="door">
      <Mark />
      <Page title="Set up Bulkhead" lead="Make the first passkey. It takes a minute.">
        <form className="stack" onSubmit={submit}>
          <ul className="points">
            <li>
              <Icon name="key" />
              <span>
                The passkey signs you in, and it approves orders: Bulkhead sends devices only what members approved.
              </span>
            </li>
            <li>
              <Icon name="device" />
              <span>It stays in your computer, phone or security key. The server only gets its public half.</span>
            </li>
            <li>
              <Icon name="shield" />
              <span>It is written into this installation’s genesis, and counts at this very address only.</span>
            </li>
          </ul>
          {location.hash.length < 2 && (
            <Line
              label="Code"
              help="From the link that bulkhead up printed."
              value={wanted.code}
              onChange={code => setWanted({ ...wanted, code })}
              isRequired
              mono
            />
          )}
          <Line
            label="Your alias"
            help="What others see beside what you approve. Small letters, digits and hyphens; not your name, if you would rather not."
            value={wanted.alias}
            onChange={alias => setWanted({ ...wanted, alias })}
            pattern="[a-z0-9][a-z0-9\-]{0,62}"
            format="Write small letters, digits and hyphens only, beginning with a letter or digit."
            isRequired
          />
          <Tick
            isSelected={wanted.inventory}
            onChange={inventory => setWanted({ ...wanted, inventory })}
            help="Every device is then asked once a day for its model, system version and storage. You approve it after the first sign-in, and can cancel it at any time."
          >
            Approve a standing inventory order, so that device pages are not empty
          </Tick>
          <Tick
            isSelected={wanted.attested}
            onChange={attested => setWanted({ ...wanted, attested })}
            help={ATTESTED_HELP}
          >
            {ATTESTED}
          </Tick>
          <Failure error={set.error} />
          <Act type="submit" icon="key" isPending={set.isPending}>
            Make a passkey
          </Act>
          {set.isPending && (
            <p role="status">Confirm on your device; then the installation starts, which takes some seconds.</p>
          )}
        </form>
      </Page>
    </div>
  )
}

async function isOwned(): Promise<boolean> {
  try {
    await findInstallation()
    return true
  } catch (error) {
    if (error instanceof Refusal && error.code === 'NOT_INITIALISED') return false
    throw error
  }
}

/** The paper codes. After it the server makes its keys and starts, and the genesis must hold the very passkey and codes made here. Throws Refusal. */
async function setUp({ code, alias, inventory, attested }: Wanted): Promise<string[]> {
  const options = await call<PublicKeyCredentialCreationOptionsJSON>('/setup/options')
  const user = { ...options.user, name: alias, displayName: alias }
  const credential = await makePasskey({ ...options, user }, attested)
  const codes = makeFreezeCodes()
  const freezeCodes = await hashesOf(codes)
  await call('/setup', { body: { code, alias, credential, freezeCodes } })
  forgetInstallation() // a new genesis is on its way, by this very page
  if (inventory) sessionStorage.setItem(INVENTORY, 'wanted')
  const installation = await started()
  const holdsPasskey = installation.members.some(
    member => member.alias === alias && member.credentialIds.includes(credential.id),
  )
  if (holdsPasskey && freezeCodes.every(hash => installation.freezeCodes.includes(hash))) return codes
  throw new Refusal(
    'UNPROVEN',
    'The genesis does not hold your passkey and your paper codes.',
    'Do not go on: set the installation up again in an empty home.',
  )
}

const PATIENCE_MS = 90_000

async function started() {
  const until = Date.now() + PATIENCE_MS
  for (;;) {
    try {
      return await findInstallation()
    } catch (error) {
      const away = error instanceof Refusal && (error.code === 'UNAVAILABLE' || error.code === 'NOT_INITIALISED')
      if (!away || Date.now() > until) throw error
    }
    await new Promise(settle => setTimeout(settle, 500))
  }
}

const DonePage = ({ inventory, codes }: { inventory: boolean; codes: string[] }) => (
  <div className="door">
    <Mark />
    <Page title="Your passkey is made" lead="Bulkhead is running.">
      <p>
        {inventory
          ? 'Sign in with it now. The inventory order that you asked for comes next: you will see it before you approve it.'
          : 'Sign in with it now, and invite the first device.'}
      </p>
      <section className="part codes" aria-labelledby="codes">
        <h2 id="codes">Print these paper codes now</h2>
        <p>
          Each of them stops every delivery once, without a passkey: for the day when somebody has to act at once. They
          were made in this browser and are shown this one time. Keep them where a responder finds them.
        </p>
        <ul className="mono">
          {codes.map(code => (
            <li key={code}>{code}</li>
          ))}
        </ul>
        <Act look="quiet" onPress={() => window.print()}>
          Print them
        </Act>
      </section>
      <Link to="/sign-in" className="button main">
        Go to the sign-in
      </Link>
    </Page>
  </div>
)

const OwnedPage = () => (
  <div className="door">
    <Mark />
    <Page title="Already set up" lead="This installation has an owner. More members are added by those it has.">
      <Link to="/sign-in" className="button main">
        Go to the sign-in
      </Link>
    </Page>
  </div>
)
