import type { Log } from '../base/log.ts'
import type { Ledger } from '../ledger/api.ts'
import { canonical } from '../trust/canonical.ts'

/** What nobody sees in ordinary work: each of these is put in the ledger, where it cannot be taken back, and is an alert. */
const FINDINGS = new Set([
  'turnstile-refused',
  'ghost-command',
  'voucher-unproven',
  'approval-unproven',
  'control-unproven',
  'control-passed-over',
  'record-unproven',
  'enrolment-budget',
])
/** Refusals of ordinary work: changes of trust wait for their second hour, and orders end. Too many erasures are another matter. */
const ORDINARY = new Set(['budget-read', 'budget-change', 'budget-trust', 'expired', 'cancelled'])

export type Finding = { source: string; code: string; reason: string | null; count: number }

const EVERY_MS = 250
const SAME_MS = 60_000 // what goes on is said again once a minute, with its count
const MOST = 200 // kinds that wait at once

/** Gathers findings and appends them: the first of a kind within a second, whatever comes with it. A ledger that is away gets them later. */
export function createFindings(options: { ledger: Pick<Ledger, 'append'>; log: Log; clock: () => number }) {
  const { ledger, log, clock } = options
  const waiting = new Map<string, Finding>()
  const said = new Map<string, number>()
  let writing: Promise<void> | undefined

  function due(): Finding[] {
    const now = clock()
    for (const [key, at] of said) if (now - at >= SAME_MS) said.delete(key)
    return [...waiting].filter(([key]) => !said.has(key)).map(([, finding]) => finding)
  }

  async function write(found: Finding[]) {
    const at = Math.floor(clock() / 1000)
    const entries = found.map(({ reason, ...of }) => ({
      entry: canonical({ type: 'finding', at, ...of, ...(reason === null ? {} : { reason }) }),
    }))
    for (const finding of found) {
      waiting.delete(keyOf(finding))
      said.set(keyOf(finding), clock())
    }
    try {
      await ledger.append({ log: 'main', entries })
      for (const finding of found) log.error('alert', finding)
    } catch (error) {
      log.error('findings.unwritten', { count: found.length }, error)
      for (const finding of found) {
        said.delete(keyOf(finding))
        add(finding)
      }
    }
  }

  function add(finding: Finding) {
    const known = waiting.get(keyOf(finding))
    if (known) known.count += finding.count
    else if (waiting.size < MOST) waiting.set(keyOf(finding), { ...finding })
  }

  async function flush() {
    const found = due()
    if (found.length === 0 || writing) return
    writing = write(found).finally(() => {
      writing = undefined
    })
    await writing
  }

  const timer = setInterval(() => void flush(), EVERY_MS)
  return {
    see(finding: Finding) {
      if (FINDINGS.has(finding.code) && !(finding.reason !== null && ORDINARY.has(finding.reason))) add(finding)
    },
    async close() {
      clearInterval(timer)
      await writing
      await flush()
    },
  }
}

const keyOf = ({ source, code, reason }: Finding) => `${source} ${code} ${reason}`
