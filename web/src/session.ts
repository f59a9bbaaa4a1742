import { useSyncExternalStore } from 'react'
import { authorise, call } from './api.ts'
import { findInstallation, type Installation } from './installation.ts'
import { type Evaluated, signAndEvaluate } from './passkey.ts'
import { forgetSoftwarePasskey } from './softwarepasskey.ts'
import { sessionDigest } from './statement.ts'

/** Who is signed in. It lists and drafts; what is approved, the passkey itself approves. */
export type Session = { token: string; alias: string; expiresAt: string; installation: Installation }

const KEPT = 'bulkhead.session' // of this tab only
const listeners = new Set<() => void>()
let session: Session | undefined

function change(next: Session | undefined) {
  session = next
  if (next)
    sessionStorage.setItem(KEPT, JSON.stringify({ token: next.token, alias: next.alias, expiresAt: next.expiresAt }))
  else sessionStorage.removeItem(KEPT)
  authorise(next?.token, () => change(undefined))
  for (const listener of listeners) listener()
}

export const currentSession = () => session

export const subscribe = (listener: () => void) => {
  listeners.add(listener)
  return () => listeners.delete(listener)
}
export const useSession = () => useSyncExternalStore(subscribe, currentSession)

/** Inside pages that only somebody who is signed in reaches. */
export function useInstallation(): Installation & { me: string } {
  const current = useSession()
  if (!current) throw new Error('Nobody is signed in.')
  return { ...current.installation, me: current.alias }
}

/** After a reload: the same session, if the installation is still the one that is known. Throws Refusal. */
export async function resumeSession(): Promise<void> {
  const kept = sessionStorage.getItem(KEPT)
  if (session || kept === null) return
  const { token, alias, expiresAt } = JSON.parse(kept) as Omit<Session, 'installation'>
  if (new Date(expiresAt) <= new Date()) return change(undefined)
  change({ token, alias, expiresAt, installation: await findInstallation() })
}

/** The roster changed while somebody is signed in. */
export async function renewInstallation(): Promise<void> {
  const installation = await findInstallation()
  if (session) change({ ...session, installation })
}

/**
 * One gesture. The digest is worked out here from the challenge, so the server cannot pass an order off as a sign-in. What the passkey's PRF said
 * in it is handed back, for who has something to seal to it.
 */
export async function signIn(installation: Installation): Promise<{ me: string } & Evaluated> {
  const { challenge } = await call<{ challenge: string }>('/api/session/challenge', { method: 'POST' })
  const evaluated = await signAndEvaluate(await sessionDigest(installation.genesisDigest, challenge), installation)
  const { approval } = evaluated
  const opened = await call<Omit<Session, 'installation'>>('/api/session', { body: { challenge, approval } })
  change({ token: opened.token, alias: opened.alias, expiresAt: opened.expiresAt, installation })
  return { me: opened.alias, ...evaluated }
}

export async function signOut(): Promise<void> {
  await call('/api/session', { method: 'DELETE' }).catch(() => {})
  forgetSoftwarePasskey()
  change(undefined)
}
