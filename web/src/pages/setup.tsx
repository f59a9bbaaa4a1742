import type { PublicKeyCredentialCreationOptionsJSON } from '@simplewebauthn/browser'
import { useMutation, useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { type FormEvent, useState } from 'react'
import { makeKeyPair } from '../../../src/people/keys.ts'
import { makeShares } from '../../../src/people/recovery.ts'
import { call, Refusal } from '../api.ts'
import { hashesOf, makeFreezeCodes } from '../freezecodes.ts'
import { findInstallation, forgetInstallation } from '../installation.ts'
import { Act, Line, Tick } from '../parts/fields.tsx'
import { Icon } from '../parts/icons.tsx'
import { Failure, Page } from '../parts/page.tsx'
import { isPrfPromised, makePasskey } from '../passkey.ts'
import { keepPending, recoveryOf } from '../people/unlock.ts'
import { Mark } from '../shell.tsx'
import { toBase64 } from '../statement.ts'
import { ATTESTED, ATTESTED_HELP } from './join.tsx'
import { PaperPage, type Papers } from './papers.tsx'
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
  const [made, setMade] = useState<Papers>() // not in the mutation, which is kept when this page is left
  const set = useMutation({
    mutationFn: async (asked: Wanted) => {
      setMade(await setUp(asked))
    },
  })
  if (made) return <PaperPage inventory={wanted.inventory} made={made} />
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

/**
 * What is to be printed. After it the server makes its keys and starts, and the genesis must hold the very passkey, codes and unit's key made
 * here. Throws Refusal.
 */
async function setUp({ code, alias, inventory, attested }: Wanted): Promise<Papers> {
  const options = await call<PublicKeyCredentialCreationOptionsJSON>('/setup/options')
  const user = { ...options.user, name: alias, displayName: alias }
  const credential = await makePasskey({ ...options, user }, attested)
  const codes = makeFreezeCodes()
  const freezeCodes = await hashesOf(codes)
  const key = await makeKeyPair()
  const unitKey = toBase64(key.publicKey)
  keepPending(key) // before anything is asked: whatever fails after the genesis, a sign-in in this tab still seals it
  await call('/setup', { body: { code, alias, credential, freezeCodes, unitKey } })
  forgetInstallation() // a new genesis is on its way, by this very page
  if (inventory) sessionStorage.setItem(INVENTORY, 'wanted')
  const installation = await started()
  const holdsPasskey = installation.members.some(
    member => member.alias === alias && member.credentialIds.includes(credential.id),
  )
  const [unit] = installation.units
  const holdsCodes = freezeCodes.every(hash => installation.freezeCodes.includes(hash))
  if (!holdsPasskey || !holdsCodes || unit?.publicKey !== unitKey)
    throw new Refusal(
      'UNPROVEN',
      'The genesis does not hold your passkey, your paper codes and the key of your directory.',
      'Do not go on: set the installation up again in an empty home.',
    )
  const shares = await makeShares(key.privateKey, recoveryOf(installation, unit), unit.recovery ?? RECOVERY)
  return { codes, shares, needed: unit.recovery?.needed ?? RECOVERY.needed, prf: isPrfPromised(credential.id) === true }
}
const RECOVERY = { needed: 2, shares: 3 }

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
