import { useSyncExternalStore } from 'react'
import type { KeyPair } from '../../../src/people/keys.ts'
import type { GrantSession, Purpose, WriterSession } from '../../../src/people/session.ts'
import type { Index } from '../../../src/people/tokens.ts'
import type { Unit } from '../../../src/trust/directory.ts'
import { currentSession, subscribe as onSession } from '../session.ts'
import type { Bytes } from '../statement.ts'
import type { Left } from './api.ts'

/**
 * The one unit that this tab has unlocked. Its key, and what was signed with it, live in this variable and nowhere else: no storage, no cache, no
 * other tab. They go when nobody has used the page for 15 minutes, when it was out of sight for 5, at sign-out, and with the page.
 */
export type Grant = { session: GrantSession; purpose: Purpose; expiresAt: number; left: Left | undefined }
export type Opened = {
  unit: Unit
  key: KeyPair
  index: Index
  genesisDigest: Bytes
  /** Opened with recovery shares by somebody whose passkey has no PRF: next time it takes the shares again. */
  byPaper: boolean
  grant: Grant | undefined
  writer: { session: WriterSession; expiresAt: number } | undefined
}
export const IDLE_MINUTES = 15
export const HIDDEN_MINUTES = 5

let opened: Opened | undefined
let used = 0 // when somebody last did something here
let hidden = 0 // since when it is out of sight; 0 where it is not
const listeners = new Set<() => void>()

function change(next: Opened | undefined) {
  opened = next
  for (const listener of listeners) listener()
}

export const currentlyOpened = () => opened

const subscribe = (listener: () => void) => {
  listeners.add(listener)
  return () => listeners.delete(listener)
}
export const useOpened = () => useSyncExternalStore(subscribe, currentlyOpened)

export function keepOpened(next: Omit<Opened, 'grant' | 'writer'>): void {
  lock()
  used = Date.now()
  watch()
  change({ ...next, grant: undefined, writer: undefined })
}

/** Keeps a grant or a writer with the unit it was signed for; if that was locked meanwhile, it is dropped. */
export function keepWith(unit: Opened, more: Partial<Pick<Opened, 'grant' | 'writer'>>): void {
  if (opened?.key === unit.key) change({ ...opened, ...more })
}

export function lock(): void {
  if (!opened) return
  opened.key.privateKey.fill(0)
  for (const event of USES) removeEventListener(event, use, true)
  document.removeEventListener('visibilitychange', see)
  clearInterval(timer)
  change(undefined)
}

const USES = ['pointerdown', 'keydown', 'scroll'] as const
const LOOK_MS = 5000
let timer: ReturnType<typeof setInterval> | undefined

function watch() {
  for (const event of USES) addEventListener(event, use, { capture: true, passive: true })
  document.addEventListener('visibilitychange', see)
  timer = setInterval(lockIfLeft, LOOK_MS)
  see()
}

/** Asked first: a machine that slept runs no timers, and waking it is no use of the page. */
function lockIfLeft() {
  const now = Date.now()
  if (now - used > IDLE_MINUTES * 60_000 || (hidden > 0 && now - hidden > HIDDEN_MINUTES * 60_000)) lock()
}
function use() {
  lockIfLeft()
  used = Date.now()
}
function see() {
  lockIfLeft()
  hidden = document.hidden ? Date.now() : 0
}

onSession(() => {
  if (!currentSession()) lock()
})
